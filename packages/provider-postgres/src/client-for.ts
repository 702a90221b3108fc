import { type PgClient, type PgDriver, wireOf } from './pg-driver.js';
import type { ServerKind } from './server-kind.js';

/** What may be given to `client.query`, as far as its name goes. */
interface Named {
  name?: unknown;
  readonly submit?: unknown;
}

type ClientClass = new (config: object) => { query(...args: unknown[]): unknown };

/** The `pg.Client` that sends nothing which that kind of server does not understand. */
export function clientFor({ pooled, portionsNeedTransaction }: ServerKind, driver: PgDriver): PgDriver['Client'] {
  if (pooled) return clientWithoutNames(driver);
  return portionsNeedTransaction ? clientOfWholeResults(driver) : driver.Client;
}

/**
 * Asks for a result in portions inside transactions alone, and elsewhere for the whole of it: cursors and streams that drive
 * the connection themselves then have more rows at once than they asked for, where they would else lose all but the first.
 */
function clientOfWholeResults(driver: PgDriver): PgDriver['Client'] {
  return class WholeResults extends driver.Client {
    constructor(config: object) {
      super(config);
      const wire = wireOf(this);
      const { execute } = wire;
      wire.execute = (message) =>
        execute.call(wire, this.getTransactionStatus() === 'T' ? message : { ...message, rows: 0 });
    }
  };
}

/**
 * Prepares nothing under a name, whatever its queries ask for: behind a pooler of transactions the name would be known on one
 * of the server's connections, and wanted on another.
 */
function clientWithoutNames(driver: PgDriver): PgDriver['Client'] {
  class UnnamedStatements extends (driver.Client as unknown as ClientClass) {
    override query(query: unknown, ...rest: unknown[]): unknown {
      return super.query(withoutName(query), ...rest);
    }
  }
  return UnnamedStatements as unknown as new (
    config: object,
  ) => PgClient;
}

function withoutName(query: unknown): unknown {
  if (typeof query !== 'object' || query === null || (query as Named).name === undefined) return query;
  const { submit } = query as Named;
  if (typeof submit !== 'function') return { ...query, name: undefined };
  // One that drives the connection itself: it is sent once, and its caller knows it by its identity.
  (query as Named).name = undefined;
  return query;
}

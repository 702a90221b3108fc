import type { PgClient, PgDriver } from './pg-driver.js';

/** What may be given to `client.query`, as far as its name goes. */
interface Named {
  name?: unknown;
  readonly submit?: unknown;
}

type ClientClass = new (config: object) => { query(...args: unknown[]): unknown };

/**
 * The `pg.Client` that prepares nothing under a name, whatever its queries ask for: behind a pooler of transactions the name
 * would be known on one of the server's connections, and wanted on another.
 */
export function clientWithoutNames(driver: PgDriver): PgDriver['Client'] {
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

import type { BridgeTarget, ConnectionStats } from '@dbmanager/core';
import { Database, type DatabaseSetup } from '@dbmanager/database';
import { BRIDGES } from './bridges.js';
import type { Connection } from './connection.js';

/** What `default_orm` names when it is no ORM. */
export const NATIVE = 'native';

/** What a {@link ConnectionDatabase} asks of its connection. */
export type DatabaseConnection = BridgeTarget &
  Pick<Connection, 'state' | 'healthCheck' | 'stats'> & {
    native(): unknown;
    use(bridge: (typeof BRIDGES)[number]): unknown;
  };

/** The Database API of a connection, with the handle of the ORM that `default_orm` names. */
export class ConnectionDatabase extends Database {
  readonly #connection: DatabaseConnection;

  constructor(connection: DatabaseConnection, setup: DatabaseSetup) {
    super(connection, setup);
    this.#connection = connection;
  }

  /** `default_orm` of the connection; `native` when it names none. */
  get orm(): string {
    return this.#connection.config.options.defaultOrm ?? NATIVE;
  }

  /**
   * The handle of that ORM, for code that is to follow `default_orm`: what `knex()`, `typeorm()` … or `native()` of the
   * connection give, the same object; a promise where they give one.
   */
  handle<H = unknown>(): H {
    const bridge = BRIDGES.find(({ name }) => name === this.orm);
    return (bridge === undefined ? this.#connection.native() : this.#connection.use(bridge)) as H;
  }

  /** True while the database answered when it was last asked; asks nothing itself. */
  get isConnected(): boolean {
    return this.#connection.state === 'ready';
  }

  /**
   * Asks the database whether it is well, on a way that waits for no slot of the pool. Rejects with
   * `DBM_HEALTH_CHECK_FAILED`, `DBM_HEALTH_CHECK_TIMEOUT`, `DBM_ABORTED` or `DBM_CLOSED`.
   */
  async ping(signal?: AbortSignal): Promise<void> {
    return this.#connection.healthCheck(this.endsWith(signal));
  }

  /** A snapshot of the connection's counters; asks no database. */
  stats(): ConnectionStats {
    return this.#connection.stats();
  }

  protected override view(setup: DatabaseSetup): ConnectionDatabase {
    return new ConnectionDatabase(this.#connection, setup);
  }
}

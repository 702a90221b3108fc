import type { BridgeTarget } from '@dbmanager/core';
import { createDatabase, type Database } from '@dbmanager/database';
import type { TestConnection } from '@dbmanager/testkit';
// By its place: tests beside the sources know the classes as the sources have them.
import { StoreContext, Stores, type StoresSetup } from '../../packages/stores/src/index.js';
import {
  bridgeTarget,
  COCKROACHDB,
  MARIADB,
  MSSQL,
  PGBOUNCER,
  POSTGRES,
  SQLITE,
  type SqlTestEngine,
} from './sql-engines.js';

/** Every engine that the stores run on. */
export const STORE_ENGINES: readonly SqlTestEngine[] = [SQLITE, POSTGRES, COCKROACHDB, PGBOUNCER, MARIADB, MSSQL];

/** Stores on a database of a test's own, at a time that the test sets. */
export class StoreBench {
  readonly #connection: TestConnection<unknown>;
  readonly #drop: () => Promise<void>;
  readonly target: BridgeTarget;
  readonly database: Database;
  /** The moment that it is for the stores; moves only when told to. */
  readonly clock = { now: Date.UTC(2026, 10, 1, 5, 30) };

  private constructor(connection: TestConnection<unknown>, drop: () => Promise<void>) {
    this.#connection = connection;
    this.#drop = drop;
    this.target = bridgeTarget(connection);
    this.database = createDatabase(this.target);
  }

  static async open(engine: SqlTestEngine): Promise<StoreBench> {
    const files = await engine.create();
    return new StoreBench(await files.open({ maxOpenConns: 4 }), files.drop);
  }

  stores(options: Partial<StoresSetup> = {}): Stores {
    return new Stores({ ...this.#setup, ...options });
  }

  /** What stores on it have in common. */
  get context(): StoreContext {
    return new StoreContext({ ...this.#setup, prefix: '' });
  }

  get #setup() {
    const { name, type } = this.target;
    return { connectionName: name, type, place: () => this.database, now: () => this.clock.now };
  }

  /** Closes the pool, which checks that it destroyed what it created, and drops the database. */
  async close(): Promise<void> {
    await this.#connection.close();
    await this.#drop();
  }
}

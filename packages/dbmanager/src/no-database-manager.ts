import { DbManagerError } from '@dbmanager/core';
import type { Connection } from './connection.js';
import { ConnectionDatabase, type DatabaseConnection } from './connection-database.js';
import { ConnectionManager } from './connection-manager.js';

function noDatabase(): DbManagerError {
  return new DbManagerError('DBM_NO_DATABASE', 'no database is configured');
}

/**
 * A manager for a service that runs without a database: `connect()`, `close()`, health checks and metrics find nothing to do, and
 * whatever asks for a database is refused with `DBM_NO_DATABASE`. `getDefaultDatabase()` may be asked for and passed on; it is its
 * calls that are refused.
 *
 * ```ts
 * const mgr = file === undefined ? new NoDatabaseManager() : await ConnectionManager.load(file);
 * ```
 */
export class NoDatabaseManager extends ConnectionManager {
  readonly #database = new ConnectionDatabase(new NoConnection(), {});

  constructor() {
    super({ connections: [], defaultConnection: undefined });
  }

  override get(_name: string): Connection {
    throw noDatabase();
  }

  override getDefault(): Connection {
    throw noDatabase();
  }

  override getDefaultDatabase(): ConnectionDatabase {
    return this.#database;
  }

  override async register(): Promise<Connection> {
    throw noDatabase();
  }
}

/** Stands where the connection of a database would. */
class NoConnection implements DatabaseConnection {
  readonly name = 'none';
  readonly type = 'none';
  readonly state = 'registered';
  readonly closing = new AbortController().signal;

  get config(): never {
    throw noDatabase();
  }

  get engine(): never {
    throw noDatabase();
  }

  get counts(): never {
    throw noDatabase();
  }

  async acquire(): Promise<never> {
    throw noDatabase();
  }

  holding(): never {
    throw noDatabase();
  }

  native(): never {
    throw noDatabase();
  }

  use(): never {
    throw noDatabase();
  }

  stats(): never {
    throw noDatabase();
  }

  async healthCheck(): Promise<never> {
    throw noDatabase();
  }
}

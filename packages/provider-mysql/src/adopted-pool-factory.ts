import { abortedError, type ConnectionFactory, type CreateContext, type ErrorVerdict } from '@dbmanager/core';
import { borrowFromPool } from '@dbmanager/provider-server';
import { bounded, cleanConnection, isDirty, validateConnection } from './connection-care.js';
import { connectError, judge } from './errors.js';
import { tellOfDeath } from './mysql-connection-factory.js';
import { isGone, type MysqlConnection, type MysqlPool, ping } from './mysql-driver.js';
import { ServerStatus } from './server-status.js';

/** A connection as mysql2's pool lends it. */
type BorrowedConnection = MysqlConnection & { release(): void };

/** Borrows connections from a `mysql2` pool that the caller owns. To destroy one is to give it back; the pool is never ended. */
export class AdoptedPoolFactory implements ConnectionFactory<MysqlConnection> {
  readonly #connectionName: string;
  readonly #pool: MysqlPool;
  /** Takes our listeners off a connection. */
  readonly #detach = new WeakMap<MysqlConnection, () => void>();

  constructor(connectionName: string, pool: MysqlPool) {
    this.#connectionName = connectionName;
    this.#pool = pool;
  }

  async create({ signal, lost }: CreateContext): Promise<MysqlConnection> {
    const connection = await this.#borrow(signal);
    const onError = () => {};
    connection.on('error', onError);
    const unwatch = ServerStatus.watch(connection);
    const forget = tellOfDeath(connection, this.#connectionName, lost);
    this.#detach.set(connection, () => {
      forget();
      unwatch();
      connection.removeListener('error', onError);
    });
    try {
      // Whoever had it before may have left a transaction open: its answer says.
      await bounded(connection, signal, () => ping(connection));
      if (isDirty(connection)) await cleanConnection(connection, signal, this.#connectionName);
      return connection;
    } catch (error) {
      await this.destroy(connection);
      throw signal.aborted ? abortedError(signal, this.#connectionName) : this.#connectError(error);
    }
  }

  validate(connection: MysqlConnection, signal: AbortSignal): Promise<void> {
    return validateConnection(connection, signal);
  }

  isDirty(connection: MysqlConnection): boolean {
    return isDirty(connection);
  }

  clean(connection: MysqlConnection, signal: AbortSignal): Promise<void> {
    return cleanConnection(connection, signal, this.#connectionName);
  }

  async destroy(connection: MysqlConnection): Promise<void> {
    const unfit = isGone(connection) || isDirty(connection);
    // Given back before our listeners go: mysql2's own takes over, and there is always one.
    if (unfit) connection.destroy();
    else (connection as BorrowedConnection).release();
    this.#detach.get(connection)?.();
  }

  judge(error: unknown): ErrorVerdict {
    return judge(error);
  }

  #borrow(signal: AbortSignal): Promise<BorrowedConnection> {
    return borrowFromPool({
      connectionName: this.#connectionName,
      signal,
      borrow: () =>
        new Promise((resolve, reject) => {
          this.#pool.getConnection((error, connection) =>
            error ? reject(error) : resolve(connection as unknown as BorrowedConnection),
          );
        }),
      giveBack: (connection) => connection.release(),
      explain: (error) => this.#connectError(error),
    });
  }

  #connectError(error: unknown) {
    const { host = 'localhost', port = 3306, socketPath } = adoptedConfig(this.#pool);
    return connectError(error, { connectionName: this.#connectionName, host: socketPath ?? host, port });
  }
}

/** How an adopted pool connects, as far as it is shown. */
export interface AdoptedConfig {
  readonly host?: string;
  readonly port?: number;
  readonly socketPath?: string;
  readonly user?: string;
  readonly database?: string;
  readonly timezone?: string;
}

/** What mysql2 keeps under `pool.config.connectionConfig`. */
export function adoptedConfig(pool: MysqlPool): AdoptedConfig {
  return (pool.config as unknown as { readonly connectionConfig: AdoptedConfig }).connectionConfig;
}

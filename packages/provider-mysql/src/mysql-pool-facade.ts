import { type Clock, type Lease, type LeaseSource, type StatementControl, StatementWatch } from '@dbmanager/core';
import { connectionLender } from './leased-connection.js';
import type { MysqlConnection, MysqlDriver, MysqlPool, MysqlPoolConnection } from './mysql-driver.js';
import { drainOrStop } from './statement-control.js';

/** What `pool.config` shows; the password is not among it. */
export interface PoolFacadeOptions {
  readonly host?: string;
  readonly port?: number;
  readonly socketPath?: string;
  readonly user?: string;
  readonly database?: string;
  readonly charset?: string;
  readonly timezone?: string;
}

/** What a facade is made of. */
export interface PoolFacadeSetup {
  readonly driver: MysqlDriver;
  readonly source: LeaseSource<MysqlConnection>;
  readonly clock: Clock;
  readonly control: StatementControl<MysqlConnection>;
  readonly shown: PoolFacadeOptions;
}

type Callback = (error: NodeJS.ErrnoException | null, connection: MysqlPoolConnection) => void;

/**
 * mysql2's Pool over the shared pool, for code and libraries that take one: a subclass of it, which only gets and gives
 * back its connections elsewhere. It differs where mysql2's own does harm: `end()` only detaches this facade; a second
 * `release()` does nothing; a connection with an open transaction is rolled back before somebody else gets it. Errors are
 * the driver's own, except those of waiting for a connection, which are `DbManagerError`s.
 */
export function createPoolFacade({ driver, source, clock, control, shown }: PoolFacadeSetup): MysqlPool {
  const { maxOpenConns, maxIdleConns, connMaxIdleTimeMs, maxPending, leakDetectionMs } = source.config.options;

  class MysqlPoolFacade extends driver.Pool {
    /** From `end()` on; mysql2's name for it. */
    _closed = false;
    /** Connections that have been told of by the event `connection`. */
    readonly #seen = new WeakSet<MysqlConnection>();
    readonly #lend = connectionLender({
      driver,
      connectionName: source.name,
      notes: leakDetectionMs > 0,
      abandon(connection) {
        const limits = { timeoutMs: 0, serverTimeoutMs: 0, signal: undefined };
        const watch = new StatementWatch({ control, connection, clock, connectionName: source.name, ...limits });
        return drainOrStop(watch, clock, control.untilReady(connection));
      },
      onRelease: (connection) => this.emit('release', connection),
    });

    constructor() {
      // As many idle ones as there may be: mysql2 then starts no timer to close some.
      const limits = { connectionLimit: maxOpenConns, maxIdle: maxOpenConns };
      const { config } = driver.createPool({ ...shown, ...limits, supportBigNumbers: true });
      super({ config });
      Object.assign(config, { maxIdle: maxIdleConns, idleTimeout: connMaxIdleTimeMs, queueLimit: maxPending });
      this.#show('_allConnections', () => source.counts.open);
      this.#show('_freeConnections', () => source.counts.idle);
      this.#show('_connectionQueue', () => source.counts.pending);
    }

    override getConnection(callback: Callback): void {
      if (this._closed) {
        process.nextTick(callback, new Error('Pool is closed.'));
        return;
      }
      const { open, idle, max } = source.counts;
      if (idle === 0 && open >= max) this.emit('enqueue');
      source.acquire().then(
        (lease) => process.nextTick(() => callback(null, this.#arrived(lease))),
        (error) => process.nextTick(callback, error),
      );
    }

    override releaseConnection(connection: { release(): void }): void {
      connection.release();
    }

    /** Detaches this facade; the shared pool and everybody else on it go on. Connections lent out stay good until released. */
    override end(callback?: (error: null) => void): void {
      this._closed = true;
      if (callback !== undefined) process.nextTick(callback, null);
    }

    override [Symbol.dispose](): void {
      this.end();
    }

    #arrived(lease: Lease<MysqlConnection>): MysqlPoolConnection {
      const real = lease.connection;
      const connection = this.#lend(lease);
      if (!this.#seen.has(real)) {
        this.#seen.add(real);
        this.emit('connection', connection);
      }
      this.emit('acquire', connection);
      return connection;
    }

    /** What monitors read of mysql2's pools, though it has no name for it. */
    #show(list: string, count: () => number): void {
      const view = Object.defineProperty({}, 'length', { get: count });
      Object.defineProperty(this, list, { value: view });
    }
  }
  return new MysqlPoolFacade();
}

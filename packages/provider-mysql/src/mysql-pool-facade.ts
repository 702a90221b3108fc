import { type Clock, type Lease, type LeaseSource, type StatementControl, StatementWatch } from '@dbmanager/core';
import { connectionLender } from './leased-connection.js';
import type { MysqlCommand, MysqlConnection, MysqlDriver, MysqlPool, MysqlPoolConnection } from './mysql-driver.js';
import { type ResultCallback, type SendHeard, sendAlone } from './send-alone.js';
import { drainOrStop } from './statement-control.js';
import { summariseQuery } from './statement-text.js';

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

/** What a pool tells of the connections that it lends. */
const EVENTS = ['connection', 'acquire', 'release', 'enqueue'];

/**
 * mysql2's Pool over the shared pool, for code and libraries that take one: a subclass of it, which only gets and gives
 * back its connections elsewhere. It differs where mysql2's own does harm: `end()` only detaches this facade; a second
 * `release()` does nothing; a connection with an open transaction is rolled back before somebody else gets it. Errors are
 * the driver's own, except those of waiting for a connection, which are `DbManagerError`s.
 */
export function createPoolFacade({ driver, source, clock, control, shown }: PoolFacadeSetup): MysqlPool {
  const { maxOpenConns, maxIdleConns, connMaxIdleTimeMs, maxPending, leakDetectionMs } = source.config.options;

  const notes = leakDetectionMs > 0;

  class MysqlPoolFacade extends driver.Pool {
    /** From `end()` on; mysql2's name for it. */
    _closed = false;
    /** Connections that have been told of by the event `connection`. */
    readonly #seen = new WeakSet<MysqlConnection>();
    readonly #lend = connectionLender({
      driver,
      connectionName: source.name,
      notes,
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
      // Saves the promise where a connection is idle.
      const idleLease = source.tryAcquire?.();
      if (idleLease !== undefined) {
        process.nextTick(callback, null, this.#arrived(idleLease));
        return;
      }
      const { open, idle, max } = source.counts;
      if (idle === 0 && open >= max) this.emit('enqueue');
      source.acquire().then(
        (lease) => process.nextTick(() => callback(null, this.#arrived(lease))),
        (error) => process.nextTick(callback, error),
      );
    }

    override query(...args: unknown[]): never {
      const callback = this.#callbackOf(args);
      if (callback === undefined) return Reflect.apply(super.query, this, args) as never;
      const [sql, values] = args;
      const command = driver.createQuery(sql, values, callback, this.config);
      this.#alone(sql, callback, (connection, heard) => {
        command.onResult = heard;
        return connection.query(command as never) as unknown as MysqlCommand;
      });
      return command as never;
    }

    override execute(...args: unknown[]): never {
      const callback = this.#callbackOf(args);
      if (callback === undefined) return Reflect.apply(super.execute, this, args) as never;
      const send: SendHeard = (connection, heard) =>
        Reflect.apply(connection.execute, connection, args.with(-1, heard));
      this.#alone(args[0], callback, send);
      return undefined as never;
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

    /** The callback of a command that needs no connection as borrowers see it: one that is told of, and nobody else is. */
    #callbackOf(args: unknown[]): ResultCallback | undefined {
      const callback = args.at(-1);
      if (typeof callback !== 'function' || this._closed) return undefined;
      const [command] = args as [{ readonly start?: unknown } | string | null | undefined];
      // One that mysql2 has made already keeps its own callback.
      if (typeof command === 'object' && command?.start !== undefined) return undefined;
      return EVENTS.some((event) => this.listenerCount(event) > 0) ? undefined : (callback as ResultCallback);
    }

    /** Sends one command on the next connection; where one is idle, at once. */
    #alone(sql: unknown, callback: ResultCallback, send: SendHeard): void {
      const withLease = (lease: Lease<MysqlConnection>) => {
        if (notes) lease.note(summariseQuery(sql));
        sendAlone(lease, send, callback);
      };
      const lease = source.tryAcquire?.();
      if (lease !== undefined) withLease(lease);
      else source.acquire().then(withLease, (error) => process.nextTick(callback, error));
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

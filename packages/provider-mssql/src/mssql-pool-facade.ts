import type { Clock, LeaseSource } from '@dbmanager/core';
import { LeasedConnection, type LeasedConnectionSetup } from './leased-connection.js';
import type { MssqlConnection } from './mssql-connection.js';
import type { MssqlCallback, MssqlDriver, MssqlPool } from './mssql-driver.js';
import type { TediousDriver } from './tedious-driver.js';

/** What `pool.config` shows; the password is not among it. */
export interface PoolFacadeOptions {
  readonly server: string;
  readonly port?: number;
  readonly database?: string;
  readonly user?: string;
  readonly options: object;
}

/** What a facade is made of. */
export interface PoolFacadeSetup {
  readonly mssql: MssqlDriver;
  readonly driver: TediousDriver;
  readonly source: LeaseSource<MssqlConnection>;
  readonly clock: Clock;
  readonly shown: PoolFacadeOptions;
}

/**
 * node-mssql's ConnectionPool over the shared pool, for code and libraries that take one: a subclass of it, which only gets
 * and gives back its connections elsewhere. It is connected from the beginning, and `close()` only detaches this facade.
 * Errors are the driver's own, except those of waiting for a connection and of a transaction that has ended by itself,
 * which are `DbManagerError`s.
 */
export function createPoolFacade({ mssql, driver, source, clock, shown }: PoolFacadeSetup): MssqlPool {
  const { maxOpenConns, queryTimeoutMs, leakDetectionMs } = source.config.options;
  const lending: LeasedConnectionSetup = {
    driver,
    connectionName: source.name,
    timeoutMs: queryTimeoutMs,
    clock,
    notes: leakDetectionMs > 0,
  };

  class MssqlPoolFacade extends mssql.ConnectionPool {
    constructor() {
      super({ ...shown, options: { ...shown.options }, pool: { max: maxOpenConns } });
      this.#setConnected(true);
    }

    get size(): number {
      return source.counts.open;
    }

    get available(): number {
      return source.counts.idle;
    }

    get borrowed(): number {
      return source.counts.inUse;
    }

    get pending(): number {
      return source.counts.pending;
    }

    /** It is connected, and again after `close()`. */
    connect(callback?: MssqlCallback<this>): Promise<this> | this {
      this.#setConnected(true);
      if (callback === undefined) return Promise.resolve(this);
      setImmediate(callback, null, this);
      return this;
    }

    /** Lends a connection, to a callback or as a promise: it is tedious' own, but that requests may be sent at any time. */
    acquire(_requester: unknown, callback?: MssqlCallback<LeasedConnection>): unknown {
      const lent = this.#lend();
      if (callback === undefined) return lent;
      // Called outside of the promise: what a callback throws must not come back to it.
      lent.then(
        (connection) => process.nextTick(callback, null, connection, this.config),
        (error: Error) => process.nextTick(callback, error),
      );
      return this;
    }

    release(connection: LeasedConnection): this {
      connection.release();
      return this;
    }

    /** Detaches this facade; the shared pool and everybody else on it go on. Connections lent out stay good until released. */
    close(callback?: MssqlCallback): Promise<this> | this {
      this.#setConnected(false);
      if (callback === undefined) return Promise.resolve(this);
      setImmediate(callback, null);
      return this;
    }

    async #lend(): Promise<LeasedConnection> {
      if (!this.connected) {
        throw Object.assign(new Error('Connection not yet open.'), { name: 'ConnectionError', code: 'ENOTOPEN' });
      }
      return new LeasedConnection(lending, await source.acquire());
    }

    #setConnected(connected: boolean): void {
      this._connected = connected;
      this._healthy = connected;
    }
  }
  return new MssqlPoolFacade() as unknown as MssqlPool;
}

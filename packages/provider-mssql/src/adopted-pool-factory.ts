import {
  abortedError,
  type Clock,
  type ConnectionFactory,
  type CreateContext,
  type ErrorVerdict,
} from '@dbmanager/core';
import { borrowFromPool } from '@dbmanager/provider-server';
import { cleanConnection, isDirty, tellOfDeath, validateConnection } from './connection-care.js';
import { connectError, judge } from './errors.js';
import { MssqlConnection } from './mssql-connection.js';
import type { MssqlPool } from './mssql-driver.js';
import type { TediousConnection, TediousDriver } from './tedious-driver.js';

/** What an {@link AdoptedPoolFactory} is made of. */
export interface AdoptedPoolFactorySetup {
  readonly connectionName: string;
  readonly driver: TediousDriver;
  readonly clock: Clock;
  readonly pool: AdoptedPool;
}

/** How a pool of node-mssql lends connections; its types leave that out. */
export interface LendingPool {
  acquire(requester: object): Promise<TediousConnection>;
  release(connection: TediousConnection): unknown;
}

/** A pool that the caller owns. */
export type AdoptedPool = Omit<MssqlPool, keyof LendingPool> & LendingPool & { readonly config: AdoptedConfig };

/** How an adopted pool connects, as far as it is shown. */
export interface AdoptedConfig {
  readonly server: string;
  readonly port?: number;
  readonly user?: string;
  readonly database?: string;
  readonly options?: { readonly useUTC?: boolean };
  readonly pool?: { readonly max?: number };
}

/**
 * Borrows connections from a pool of node-mssql that the caller owns. To destroy one is to give it back; the pool is never
 * closed.
 */
export class AdoptedPoolFactory implements ConnectionFactory<MssqlConnection> {
  readonly #setup: AdoptedPoolFactorySetup;
  readonly #forget = new WeakMap<MssqlConnection, () => void>();

  constructor(setup: AdoptedPoolFactorySetup) {
    this.#setup = setup;
  }

  async create({ signal, lost }: CreateContext): Promise<MssqlConnection> {
    const { connectionName, driver, clock, pool } = this.#setup;
    const tedious = await this.#borrow(signal);
    const connection = new MssqlConnection({
      driver,
      connectionName,
      clock,
      connection: tedious,
      database: pool.config.database,
    });
    this.#forget.set(connection, tellOfDeath(connection, connectionName, lost));
    try {
      if (isDirty(connection)) await this.clean(connection, signal);
      return connection;
    } catch (error) {
      await this.destroy(connection);
      throw signal.aborted ? abortedError(signal, connectionName) : this.#connectError(error);
    }
  }

  validate(connection: MssqlConnection, signal: AbortSignal): Promise<void> {
    return validateConnection(connection, signal);
  }

  isDirty(connection: MssqlConnection): boolean {
    return isDirty(connection);
  }

  clean(connection: MssqlConnection, signal: AbortSignal): Promise<void> {
    return cleanConnection(connection, signal, this.#setup.connectionName);
  }

  async destroy(connection: MssqlConnection): Promise<void> {
    this.#forget.get(connection)?.();
    if (isDirty(connection)) connection.destroy();
    connection.detach();
    // Its owner's pool lets go of one that is closed.
    this.#setup.pool.release(connection.tedious);
  }

  judge(error: unknown): ErrorVerdict {
    return judge(error);
  }

  #borrow(signal: AbortSignal): Promise<TediousConnection> {
    const { connectionName, pool } = this.#setup;
    return borrowFromPool({
      connectionName,
      signal,
      borrow: () => pool.acquire({}),
      giveBack: (connection) => void pool.release(connection),
      explain: (error) => this.#connectError(error),
    });
  }

  #connectError(error: unknown) {
    const { connectionName, pool } = this.#setup;
    const { server, port = 1433 } = pool.config;
    return connectError(error, { connectionName, host: server, port });
  }
}

/** `handle` when it is a pool of node-mssql. */
export function adoptedPoolOf(handle: unknown): AdoptedPool | undefined {
  if (typeof handle !== 'object' || handle === null) return undefined;
  const { acquire, release, config } = handle as Record<string, unknown>;
  const fits = typeof acquire === 'function' && typeof release === 'function';
  return fits && typeof config === 'object' && config !== null && 'server' in config
    ? (handle as AdoptedPool)
    : undefined;
}

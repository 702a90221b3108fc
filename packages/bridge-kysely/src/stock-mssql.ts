import { loadPeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DatabaseConnection, Tedious, TediousConnection, TediousRequest, TransactionSettings } from 'kysely';
import type { KyselyModule } from './kysely-module.js';

/** What is needed of a connection of tedious, lent by the shared pool or bound to a transaction. */
export type MssqlClient = Pick<
  TediousConnection,
  'execSql' | 'beginTransaction' | 'commitTransaction' | 'rollbackTransaction' | 'saveTransaction'
>;

/** Kysely's own object around a connection of tedious: its statements, its types of parameters, its streams. */
export interface StockMssqlConnection extends DatabaseConnection {
  /** Ends what runs; resolves when it has ended. */
  cancelQuery(): Promise<void>;
  beginTransaction(settings: TransactionSettings): Promise<void>;
  commitTransaction(): Promise<void>;
  /** The whole, or back to a savepoint. */
  rollbackTransaction(savepoint?: string): Promise<void>;
  savepoint(name: string): Promise<void>;
}

/** Puts a connection of tedious into Kysely's own object for one. */
export type WrapMssql = (client: MssqlClient) => Promise<StockMssqlConnection>;

/**
 * Kysely has that object made by its pool, tarn: here one that makes one whenever it is asked, of the connection that is
 * given, and keeps none.
 */
export function stockMssql(kysely: KyselyModule, connectionName: string): WrapMssql {
  const { Request, TYPES, ISOLATION_LEVEL } = loadPeer<Tedious>('tedious', import.meta.url, {
    by: 'Kysely on SQL Server',
    connectionName,
  });
  let given: MssqlClient | undefined;
  const driver = new kysely.MssqlDriver({
    tarn: { Pool: MakingPool as never, options: { min: 0, max: 1 } },
    tedious: { Request, TYPES, ISOLATION_LEVEL, connectionFactory: () => new StockClient(given as MssqlClient) },
    validateConnections: false,
  });
  return (client) => {
    // Kysely asks for it before it first waits.
    given = client;
    return driver.acquireConnection() as Promise<StockMssqlConnection>;
  };
}

/** What Kysely needs of tarn. */
class MakingPool {
  readonly #create: () => Promise<unknown>;

  constructor({ create }: { create(): Promise<unknown> }) {
    this.#create = create;
  }

  acquire(): { promise: Promise<unknown> } {
    return { promise: this.#create() };
  }
}

/** What Kysely takes for a connection of tedious that is its own: one that is connected and that it cannot close. */
class StockClient implements TediousConnection {
  readonly #client: MssqlClient;
  #running: CancellableRequest | undefined;

  constructor(client: MssqlClient) {
    this.#client = client;
  }

  connect(listener: (error?: Error) => void): void {
    listener();
  }

  execSql(request: TediousRequest): void {
    this.#running = request as CancellableRequest;
    request.once('requestCompleted', () => {
      this.#running = undefined;
    });
    this.#client.execSql(request);
  }

  /** Only the request that came by here: others may use the same connection. */
  cancel(): boolean {
    if (this.#running === undefined || this.#running.canceled) return false;
    this.#running.cancel();
    return true;
  }

  beginTransaction(...args: Parameters<TediousConnection['beginTransaction']>): void {
    this.#client.beginTransaction(...args);
  }

  commitTransaction(...args: Parameters<TediousConnection['commitTransaction']>): void {
    this.#client.commitTransaction(...args);
  }

  rollbackTransaction(...args: Parameters<TediousConnection['rollbackTransaction']>): void {
    this.#client.rollbackTransaction(...args);
  }

  saveTransaction(...args: Parameters<TediousConnection['saveTransaction']>): void {
    this.#client.saveTransaction(...args);
  }

  /** The pool resets what it lends. */
  reset(callback: (error: null) => void): void {
    callback(null);
  }

  close(): void {}

  // The pool listens for what befalls a connection; Kysely would only write it to the console.

  on(): this {
    return this;
  }

  once(): this {
    return this;
  }

  off(): this {
    return this;
  }
}

/** What Kysely's types leave out. */
interface CancellableRequest extends TediousRequest {
  readonly canceled: boolean;
  cancel(): void;
}

import { type BridgeTarget, DbManagerError, isDbManagerError } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { TransactionSettings } from 'kysely';
import { LentConnection } from './lent-connection.js';
import { MssqlStatements } from './mssql-statements.js';
import { abortedForKysely } from './shared-connection.js';
import type { MssqlClient, StockMssqlConnection } from './stock-mssql.js';

/** What is needed of node-mssql's `ConnectionPool`. */
export interface MssqlPool {
  acquire(requester: object, callback: (error: unknown, client: PooledMssqlClient) => void): unknown;
  release(client: PooledMssqlClient): unknown;
}

/** A connection of tedious as that pool lends it. */
export interface PooledMssqlClient extends MssqlClient {
  close(): void;
}

/** A connection of tedious, lent by the shared pool. */
export class MssqlConnection extends LentConnection {
  protected readonly statements: MssqlStatements;
  readonly #client: PooledMssqlClient;
  readonly #pool: MssqlPool;
  readonly #stock: StockMssqlConnection;

  constructor(target: BridgeTarget, pool: MssqlPool, client: PooledMssqlClient, stock: StockMssqlConnection) {
    super(target);
    this.#pool = pool;
    this.#client = client;
    this.#stock = stock;
    this.statements = new MssqlStatements(stock);
  }

  /** Rejects with `DBM_UNSUPPORTED` for a read-only transaction: SQL Server has none, and Kysely would not say so. */
  async begin(settings: TransactionSettings): Promise<void> {
    if (settings.accessMode === 'read only') {
      const text = 'SQL Server has no read-only transactions; give the login no right to write instead';
      throw new DbManagerError('DBM_UNSUPPORTED', text, { connectionName: this.target.name });
    }
    await this.#stock.beginTransaction(settings);
  }

  /** Rejects with `DBM_TRANSACTION_ABORTED` or `DBM_COMMIT_UNKNOWN` when it did not commit, or may not have. */
  async commit(): Promise<void> {
    try {
      await this.#stock.commitTransaction();
    } catch (error) {
      throw isDbManagerError(error, 'DBM_TRANSACTION_ABORTED') ? abortedForKysely(error) : error;
    }
  }

  async savepoint(name: string): Promise<void> {
    await this.#stock.savepoint(name);
  }

  async rollbackTo(name: string): Promise<void> {
    await this.#stock.rollbackTransaction(name);
  }

  /** SQL Server keeps savepoints to the end of the transaction. */
  async releaseSavepoint(): Promise<void> {}

  /** By an attention on the connection itself: what runs there ends with an error, and it may be used again. */
  async cancelQuery(): Promise<void> {
    await this.#stock.cancelQuery();
  }

  protected undo(): Promise<void> {
    return this.#stock.rollbackTransaction();
  }

  protected giveBack(): void {
    this.#pool.release(this.#client);
  }

  protected discard(): void {
    this.#client.close();
    this.#pool.release(this.#client);
  }
}

/** Borrows a connection. */
export function borrow(pool: MssqlPool): Promise<PooledMssqlClient> {
  return new Promise((resolve, reject) => {
    pool.acquire({}, (error, client) => (error ? reject(error) : resolve(client)));
  });
}

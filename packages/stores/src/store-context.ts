import { DbManagerError, isDbManagerError, type Row } from '@dbmanager/core';
import { type Database, type ExecuteResult, Transaction } from '@dbmanager/database';
import { dialectOf } from './dialect-of.js';
import type { StoreDialect } from './store-dialect.js';
import type { StoreTable } from './store-table.js';
import { checkPrefix } from './table-sql.js';

/** How often a write is repeated that lost to another one. Its statements are few, and begin with the row they change. */
const ATTEMPTS = 5;

/** Options of every operation of a store. */
export interface StoreOptions {
  /** Cancels it on the server, or the wait for a connection: it rejects with `DBM_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
}

/** What a {@link StoreContext} is made of. */
export interface StoreContextSetup {
  readonly connectionName: string;
  /** The provider's `type`. */
  readonly type: string;
  /** Where statements run; asked anew for each operation. */
  place(): Database | Transaction;
  readonly prefix: string;
  /** Milliseconds since 1970. */
  now(): number;
}

/** What the stores of a connection, or of a transaction, have in common: where their statements run, and how they are written. */
export class StoreContext {
  readonly connectionName: string;
  readonly type: string;
  readonly dialect: StoreDialect;
  readonly prefix: string;
  readonly #setup: StoreContextSetup;

  /** Throws `DBM_UNSUPPORTED` for a type that has no stores, `DBM_INVALID_OPTION` for a bad prefix. */
  constructor(setup: StoreContextSetup) {
    const { connectionName, type, prefix } = setup;
    this.connectionName = connectionName;
    this.type = type;
    this.dialect = dialectOf(type, connectionName);
    this.prefix = checkPrefix(prefix, connectionName);
    this.#setup = setup;
  }

  /** The same in a transaction. Throws `DBM_INVALID_OPTION` for what is none, or another connection's. */
  on(tx: Transaction): StoreContext {
    if (!(tx instanceof Transaction) || tx.name !== this.connectionName) {
      throw this.invalid('tx', 'stores are bound to a transaction of their own connection');
    }
    return new StoreContext({ ...this.#setup, place: () => tx });
  }

  /** Milliseconds since 1970, by the clock of this process. */
  now(): number {
    return this.#setup.now();
  }

  /** A table's name with its prefix. */
  name(table: StoreTable): string {
    return this.prefix + table.name;
  }

  /** The rows of a statement about `table`. Rejects with `DBM_STORE_TABLE` when that is not there. */
  query(table: StoreTable, sql: string, params: readonly unknown[], options: StoreOptions = {}): Promise<Row[]> {
    return this.#about(table, this.#setup.place().query(sql, params, options));
  }

  /** The first row of such a statement. */
  async queryOne(
    table: StoreTable,
    sql: string,
    params: readonly unknown[],
    options?: StoreOptions,
  ): Promise<Row | undefined> {
    const [row] = await this.query(table, sql, params, options);
    return row;
  }

  /** Runs a write. Outside a transaction it is run again when it lost to another one. Rejects as {@link query}. */
  execute(
    table: StoreTable,
    sql: string,
    params: readonly unknown[],
    options: StoreOptions = {},
  ): Promise<ExecuteResult> {
    return this.#repeated((place) => this.#about(table, place.execute(sql, params, options)), options);
  }

  /** Runs a write that gives rows, as {@link execute}. */
  executeForRows(
    table: StoreTable,
    sql: string,
    params: readonly unknown[],
    options: StoreOptions = {},
  ): Promise<Row[]> {
    return this.#repeated((place) => this.#about(table, place.query(sql, params, options)), options);
  }

  /**
   * Runs `work` in a transaction, which is repeated when it lost to another one; inside a transaction in a nested one, so that
   * its failure leaves that as it was.
   */
  transaction<T>(work: (context: StoreContext) => Promise<T>, options: StoreOptions = {}): Promise<T> {
    const place = this.#setup.place();
    const run = (tx: Transaction) => work(this.on(tx));
    if (place instanceof Transaction) return place.transaction(run);
    return place.transaction({ retry: ATTEMPTS, signal: options.signal }, run);
  }

  /** A transaction of the caller's is the caller's to repeat. */
  async #repeated<T>(write: (place: Database | Transaction) => Promise<T>, { signal }: StoreOptions): Promise<T> {
    const place = this.#setup.place();
    if (place instanceof Transaction) return write(place);
    try {
      return await write(place);
    } catch (error) {
      if (!lostToAnother(error)) throw error;
      return place.transaction({ retry: ATTEMPTS, signal }, write);
    }
  }

  /** The error of a value that is not allowed. */
  invalid(option: string, message: string): DbManagerError {
    return new DbManagerError('DBM_INVALID_OPTION', message, { connectionName: this.connectionName, option });
  }

  /** Our statements are right: what the database does not know is the table. */
  async #about<T>(table: StoreTable, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!isDbManagerError(error, 'DBM_SYNTAX')) throw error;
      const name = this.name(table);
      const message = `the table ${name} is not there, or not as this version has it; create it with createTables() of the stores, or by their migrations`;
      throw new DbManagerError('DBM_STORE_TABLE', message, {
        connectionName: this.connectionName,
        cause: error,
        table: name,
      });
    }
  }
}

function lostToAnother(error: unknown): boolean {
  return isDbManagerError(error, 'DBM_DEADLOCK') || isDbManagerError(error, 'DBM_SERIALIZATION_FAILURE');
}

import { DbManagerError, type TransactionTarget } from '@dbmanager/core';
import type { SqliteConnection } from './sqlite-connection.js';
import type { SqliteDatabase, SqliteRow, SqliteStatement } from './sqlite-driver.js';

type Values = readonly unknown[];

/** The members of a better-sqlite3 `Statement` that are bound to a transaction. */
type DriverStatement = SqliteStatement & {
  readonly source: string;
  get(...values: unknown[]): unknown;
  run(...values: unknown[]): unknown;
  all(...values: unknown[]): unknown[];
  iterate(...values: unknown[]): IterableIterator<SqliteRow>;
  pluck(on?: boolean): unknown;
  expand(on?: boolean): unknown;
  raw(on?: boolean): unknown;
  columns(): unknown;
  bind(...values: unknown[]): unknown;
};

type DriverTransaction = (work: (...values: unknown[]) => unknown) => (...values: unknown[]) => unknown;

/**
 * A better-sqlite3 `Database` inside a transaction: each statement is checked, and runs at once or is refused when
 * something else of the transaction is under way, as the driver cannot wait. What would change the handle for others
 * (`function`, `loadExtension`, `defaultSafeIntegers` …) is not there; `close` does nothing.
 */
export class TransactionDatabase {
  readonly #tx: TransactionTarget<SqliteConnection>;

  constructor(tx: TransactionTarget<SqliteConnection>) {
    this.#tx = tx;
  }

  get name(): string {
    return this.#database.name;
  }

  get open(): boolean {
    return !this.#tx.ended && this.#database.open;
  }

  get inTransaction(): boolean {
    return !this.#tx.ended && this.#database.inTransaction;
  }

  prepare(sql: string): TransactionStatement {
    this.#tx.check(sql);
    return new TransactionStatement(this.#tx, this.#database.prepare(sql) as DriverStatement);
  }

  exec(sql: string): this {
    this.#tx.check(sql);
    this.#tx.now(() => this.#database.exec(sql));
    return this;
  }

  pragma(source: string, options?: { readonly simple?: boolean }): unknown {
    this.#tx.check(source);
    return this.#tx.now(() => this.#database.pragma(source, options));
  }

  /** As better-sqlite3's: a function that runs `work` in a savepoint. Every variant of it does the same here. */
  transaction(work: (...values: unknown[]) => unknown): (...values: unknown[]) => unknown {
    const database = this.#database as SqliteDatabase & { transaction: DriverTransaction };
    const nested = database.transaction(work);
    const run = (...values: unknown[]) => this.#tx.now(() => nested(...values));
    return Object.assign(run, { default: run, deferred: run, immediate: run, exclusive: run });
  }

  close(): this {
    return this;
  }

  get #database(): SqliteDatabase {
    return this.#tx.connection.database;
  }
}

/** A better-sqlite3 `Statement` inside a transaction. */
class TransactionStatement {
  readonly #tx: TransactionTarget<SqliteConnection>;
  readonly #statement: DriverStatement;

  constructor(tx: TransactionTarget<SqliteConnection>, statement: DriverStatement) {
    this.#tx = tx;
    this.#statement = statement;
  }

  get source(): string {
    return this.#statement.source;
  }

  get reader(): boolean {
    return this.#statement.reader;
  }

  get readonly(): boolean {
    return this.#statement.readonly;
  }

  run(...values: Values): unknown {
    return this.#tx.now(() => this.#statement.run(...values));
  }

  get(...values: Values): unknown {
    return this.#tx.now(() => this.#statement.get(...values));
  }

  all(...values: Values): unknown[] {
    return this.#tx.now(() => this.#statement.all(...values));
  }

  /** An iterator blocks the handle until its end; one that outlives the transaction is refused its next row. */
  *iterate(...values: Values): Generator<unknown> {
    const rows = this.#tx.now(() => this.#statement.iterate(...values));
    for (const row of rows) {
      yield row;
      if (this.#tx.ended) {
        throw new DbManagerError('DBM_LEASE_RELEASED', 'the transaction has ended', { connectionName: this.#tx.name });
      }
    }
  }

  columns(): unknown {
    return this.#statement.columns();
  }

  pluck(on = true): this {
    this.#statement.pluck(on);
    return this;
  }

  expand(on = true): this {
    this.#statement.expand(on);
    return this;
  }

  raw(on = true): this {
    this.#statement.raw(on);
    return this;
  }

  safeIntegers(on = true): this {
    this.#statement.safeIntegers(on);
    return this;
  }

  bind(...values: Values): this {
    this.#statement.bind(...values);
    return this;
  }
}

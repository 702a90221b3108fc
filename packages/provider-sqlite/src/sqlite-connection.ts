import {
  type Statement,
  type StatementObserver,
  type StatementOptions,
  type StatementResult,
  unobserved,
} from '@dbmanager/core';
import { observeHandle } from './observed-handle.js';
import type { SqliteDatabase, SqliteRow, SqliteStatement } from './sqlite-driver.js';
import { bindable, exactInteger, exactIntegers, hasInexactInteger } from './sqlite-values.js';
import { type PreparedStatement, prepare, type StatementCache } from './statement-cache.js';

/** What a connection is made of. */
export interface SqliteConnectionSetup {
  readonly database: SqliteDatabase;
  /** Prepared statements of that handle. */
  readonly statements: StatementCache;
  /** The handle cannot write. */
  readonly readOnly: boolean;
  /** The driver's busy timeout as it is now. */
  readonly busyTimeoutMs: number;
}

/** A connection of the pool: one better-sqlite3 handle. Everything it does is synchronous, as the driver is. */
export class SqliteConnection {
  readonly readOnly: boolean;
  readonly #database: SqliteDatabase;
  readonly #statements: StatementCache;
  readonly #reading = new Set<Iterator<SqliteRow>>();
  #used = false;
  #queryOnly = false;
  #busyTimeoutMs: number;

  constructor({ database, statements, readOnly, busyTimeoutMs }: SqliteConnectionSetup) {
    this.#database = database;
    this.readOnly = readOnly;
    this.#statements = statements;
    this.#busyTimeoutMs = busyTimeoutMs;
  }

  /** The handle itself. */
  get database(): SqliteDatabase {
    this.#used = true;
    return this.#database;
  }

  /** Stands for the handle, for who observes what is sent on it; connections may share one. */
  get handle(): object {
    return this.#database;
  }

  get open(): boolean {
    return this.#database.open;
  }

  get inTransaction(): boolean {
    return this.#database.inTransaction;
  }

  /**
   * True when a borrower left something that the next must not find. Never for a connection that was not lent: a
   * transaction on its handle is then that of another connection which shares it.
   */
  get dirty(): boolean {
    return this.#used && (this.#queryOnly || this.#database.inTransaction);
  }

  /** True when a statement or row iterator is still open, which blocks whoever comes next. */
  get busy(): boolean {
    try {
      unobserved(() => this.#database.exec(''));
      return false;
    } catch {
      return true; // the driver refuses everything but reads until the iterator is closed
    }
  }

  /** Tells of what is sent on the handle by those who are lent it; what it returns ends that. */
  observe(observer: StatementObserver): () => void {
    return observeHandle(this.#database, observer);
  }

  /** Lets the driver wait this long for locks, blocking the event loop. Takes effect for the statements after it. */
  setBusyTimeout(ms: number): void {
    if (ms === this.#busyTimeoutMs) return;
    this.#database.pragma(`busy_timeout = ${Math.round(ms)}`);
    this.#busyTimeoutMs = ms;
  }

  /** True when this statement is known here and changes nothing. */
  canRead(sql: string): boolean {
    try {
      return this.#statements.get(sql).kind === 'query';
    } catch {
      return false; // a temporary table, say, which only the writer has; the writer also gives the better error
    }
  }

  /** Compiles a statement without keeping it. Throws the driver's error for bad SQL. */
  compile(sql: string): void {
    prepare(this.#database, sql);
  }

  /** Runs one statement. Throws the driver's errors. */
  run({ sql, params }: Statement, byPosition = false): StatementResult {
    const prepared = this.#statements.get(sql);
    const values = bindable(params);
    // What only reads leaves nothing, and whether it did is asked for after each statement.
    if (prepared.kind !== 'query') this.#used = true;
    if (prepared.kind === 'command') {
      const { changes, lastInsertRowid } = prepared.statement.run(values);
      return { rows: [], rowsAffected: changes, lastInsertId: exactInteger(lastInsertRowid) };
    }
    if (!byPosition) {
      const rows = allRows(prepared, values);
      return { rows, rowsAffected: rows.length, lastInsertId: undefined };
    }
    // Of arrays the driver's types know nothing.
    const arrays = allRowsByPosition(prepared, values) as unknown as unknown[][];
    return { rows: [], values: arrays, rowsAffected: arrays.length, lastInsertId: undefined };
  }

  /** The rows of one statement, read from the handle as they are asked for. The handle is busy until the iterator ends. */
  *iterate({ sql, params }: Statement, onColumns?: StatementOptions['onColumns']): Generator<SqliteRow, void> {
    this.#used = true;
    const { statement, kind } = prepare(this.#database, sql);
    const values = bindable(params);
    if (kind === 'command') {
      statement.run(values);
      return;
    }
    onColumns?.(statement.columns().map(({ name, type }) => ({ name, type: type ?? undefined })));
    const rows = statement.safeIntegers(true).iterate(values);
    this.#reading.add(rows);
    try {
      for (const row of rows) yield exactIntegers(row);
    } finally {
      this.#reading.delete(rows);
    }
  }

  /** Ends what is still being read: the handle could not be closed, and would keep its locks. */
  endReading(): void {
    for (const rows of this.#reading) rows.return?.();
  }

  /** Begins a transaction; one that may write takes the write lock now, not at its first write, where it could fail. */
  begin(readOnly: boolean): void {
    if (readOnly && !this.readOnly) this.#setQueryOnly(true);
    this.#command(readOnly || this.readOnly ? 'BEGIN' : 'BEGIN IMMEDIATE');
  }

  commit(): void {
    this.#command('COMMIT');
    this.#setQueryOnly(false);
  }

  /** Undoes an open transaction, if there is one, and everything else a borrower may have left. */
  clean(): void {
    if (this.#database.inTransaction) this.#command('ROLLBACK');
    this.#setQueryOnly(false);
  }

  #setQueryOnly(on: boolean): void {
    if (on === this.#queryOnly) return;
    this.#database.pragma(`query_only = ${on ? 1 : 0}`);
    this.#queryOnly = on;
  }

  #command(sql: string): void {
    this.#used = true;
    this.#statements.get(sql).statement.run([]);
  }
}

/**
 * All rows, integers exact. Asking the driver for bigints everywhere would cost a fifth more on large results, so that is
 * done only for statements that change something, and for queries when a value turns out to be too large for a number.
 */
function allRows({ statement, kind }: PreparedStatement, values: readonly unknown[]): SqliteRow[] {
  const rows = statement.all(values);
  if (kind === 'returning') return rows.map(exactIntegers);
  return hasInexactInteger(rows) ? againWithBigints(statement, values) : rows;
}

function allRowsByPosition(prepared: PreparedStatement, values: readonly unknown[]): SqliteRow[] {
  prepared.statement.raw(true);
  try {
    return allRows(prepared, values);
  } finally {
    prepared.statement.raw(false);
  }
}

function againWithBigints(statement: SqliteStatement, values: readonly unknown[]): SqliteRow[] {
  try {
    return statement.safeIntegers(true).all(values).map(exactIntegers);
  } finally {
    statement.safeIntegers(false);
  }
}

import {
  abortedError,
  type BeginOptions,
  type Clock,
  CommitUnknownError,
  DbManagerError,
  type Lease,
  type LeaseSource,
  type Row,
  type SqlSession,
  type Statement,
  type StatementObserver,
  type StatementOptions,
  type StatementResult,
} from '@dbmanager/core';
import { type BusyWait, DRIVER_BUSY_MS, queryTimeout } from './busy-wait.js';
import { sqliteCode, statementError } from './errors.js';
import { failed } from './observed-handle.js';
import { hasParams, noRows, observeWork } from './observed-work.js';
import type { SqliteConnection } from './sqlite-connection.js';
import type { SqliteRow } from './sqlite-driver.js';
import { borrowFor, type SqliteStatements } from './sqlite-statements.js';
import { endOfTransaction, summary } from './statement-routing.js';

/** A stream gives other work its turn after so many milliseconds of reading. */
const STREAM_SLICE_MS = 10;

const DEFAULTS: StatementOptions = {};
const NOTHING_DONE: StatementResult = { rows: [], rowsAffected: 0, lastInsertId: undefined };

/** An open transaction: the connection it is pinned to. */
interface SqliteTransaction {
  readonly lease: Lease<SqliteConnection>;
  /** SQLite has rolled it back by itself, because of an error. What follows must not run outside a transaction. */
  aborted: DbManagerError | undefined;
}

/** What a session needs besides its pool. */
export interface SqliteSessionSetup {
  readonly clock: Clock;
  readonly wait: BusyWait;
  readonly observer?: StatementObserver | undefined;
  readonly statements: SqliteStatements;
}

/**
 * Statements on one writer and many readers. Outside transactions each statement borrows for itself: reads a reader,
 * everything else the writer; BEGIN pins the writer until the transaction ends.
 *
 * A running statement cannot be interrupted, as better-sqlite3 is synchronous: `signal` and `query_timeout` are obeyed
 * while waiting for a connection or a lock, before a statement starts, and between the rows of a stream.
 */
export class SqliteSession implements SqlSession {
  readonly #source: LeaseSource<SqliteConnection>;
  readonly #clock: Clock;
  readonly #wait: BusyWait;
  readonly #observer: StatementObserver | undefined;
  readonly #statements: SqliteStatements;
  #transaction: SqliteTransaction | undefined;
  #released = false;
  #running = 0;
  /** The end of the last statement: statements run in order. */
  #last: Promise<void> = Promise.resolve();
  /** Rows being read inside the transaction; an open one would block whoever gets the connection next. */
  readonly #openRows = new Set<Iterator<SqliteRow>>();

  constructor(source: LeaseSource<SqliteConnection>, { clock, wait, observer, statements }: SqliteSessionSetup) {
    this.#source = source;
    this.#clock = clock;
    this.#wait = wait;
    this.#observer = observer;
    this.#statements = statements;
  }

  get inTransaction(): boolean {
    if (this.#transaction === undefined) return false;
    // One that SQLite has rolled back for a statement sent past this session: others must not go on outside of it.
    const { aborted, lease } = this.#transaction;
    return aborted !== undefined || (!lease.released && lease.connection.inTransaction);
  }

  query(statement: Statement, options: StatementOptions = DEFAULTS): Promise<StatementResult> {
    return this.#inOrder(() => this.#query(statement, options));
  }

  async *stream(statement: Statement, options: StatementOptions = DEFAULTS): AsyncGenerator<Row, void> {
    await this.#last;
    this.#check(options.signal);
    const pinned = this.#pinned();
    const lease = pinned ?? (await this.#borrowFor(statement.sql, options.signal));
    const observation = this.#observer?.begin(statement.sql, hasParams(statement), lease.connection.handle);
    const read = { rows: 0 };
    let failure: unknown;
    try {
      lease.note(summary(statement.sql));
      yield* this.#rows(lease, statement, options, read);
    } catch (error) {
      failure = error;
      if (observation !== undefined) failed(observation, error);
      throw statementError(error, this.#source.name);
    } finally {
      observation?.end(read.rows);
      if (pinned === undefined) lease.release(failure);
    }
  }

  begin({ readOnly = false, signal }: BeginOptions = {}): Promise<void> {
    return this.#inOrder(async () => {
      this.#check(signal);
      if (this.#transaction !== undefined) throw this.#error('DBM_QUERY_FAILED', 'a transaction is open already');
      const lane = readOnly ? 'read' : 'write';
      const lease = this.#unlessReleased(await this.#source.acquire({ lane, signal }));
      try {
        await this.#observed('BEGIN', lease.connection, () =>
          this.#wait.run(() => lease.connection.begin(readOnly), { signal }),
        );
      } catch (error) {
        lease.release(error);
        throw statementError(error, this.#source.name);
      }
      this.#pin(lease);
    });
  }

  commit(): Promise<void> {
    return this.#inOrder(() => this.#commit());
  }

  rollback(): Promise<void> {
    return this.#inOrder(async () => this.#rollback());
  }

  savepoint(name: string): Promise<void> {
    return this.#control(`SAVEPOINT ${quoteIdentifier(name)}`);
  }

  rollbackTo(name: string): Promise<void> {
    return this.#control(`ROLLBACK TO ${quoteIdentifier(name)}`);
  }

  releaseSavepoint(name: string): Promise<void> {
    return this.#control(`RELEASE ${quoteIdentifier(name)}`);
  }

  release(error?: unknown): void {
    this.#released = true;
    this.#unpin(error);
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#running === 0 ? work() : this.#last.then(work);
    this.#running++;
    this.#last = turn.then(this.#done, this.#done);
    return turn;
  }

  readonly #done = (): void => {
    this.#running--;
  };

  async #query(statement: Statement, options: StatementOptions): Promise<StatementResult> {
    this.#check(options.signal);
    if (this.#transaction !== undefined) return this.#queryInTransaction(this.#transaction, statement, options);
    const lease = await this.#borrowFor(statement.sql, options.signal);
    // It was a BEGIN, or a savepoint that acts as one.
    return this.#statements.runLent(lease, this.#source, statement, options, () => {
      if (lease.connection.inTransaction) this.#pin(lease);
      return lease.connection.inTransaction;
    });
  }

  async #queryInTransaction(
    transaction: SqliteTransaction,
    statement: Statement,
    options: StatementOptions,
  ): Promise<StatementResult> {
    if (transaction.aborted !== undefined) return this.#queryAborted(transaction.aborted, statement);
    const { lease } = transaction;
    lease.note(summary(statement.sql));
    try {
      const result = await this.#statements.run(lease.connection, this.#source, statement, options);
      if (!lease.connection.inTransaction) this.#unpin();
      return result;
    } catch (error) {
      const failure = statementError(error, this.#source.name);
      if (!lease.released && !lease.connection.inTransaction) transaction.aborted = failure;
      throw failure;
    }
  }

  /** Only the end of an aborted transaction is accepted, in words or by method. */
  async #queryAborted(cause: DbManagerError, { sql }: Statement): Promise<StatementResult> {
    const end = endOfTransaction(sql);
    if (end === 'rollback') this.#rollback();
    else if (end === 'commit') await this.#commit();
    else throw this.#error('DBM_TRANSACTION_ABORTED', 'SQLite has rolled the transaction back; end it first', cause);
    return NOTHING_DONE;
  }

  async #commit(): Promise<void> {
    const transaction = this.#open();
    if (transaction.aborted !== undefined) {
      this.#unpin();
      throw this.#error('DBM_TRANSACTION_ABORTED', 'SQLite had rolled the transaction back', transaction.aborted);
    }
    const { connection } = transaction.lease;
    try {
      await this.#observed('COMMIT', connection, () => this.#wait.run(() => connection.commit(), DEFAULTS));
      this.#unpin();
    } catch (error) {
      if (connection.inTransaction) throw statementError(error, this.#source.name);
      this.#unpin(error);
      // An error of the disk may come before or after the commit has become durable.
      if (sqliteCode(error)?.startsWith('SQLITE_IOERR')) throw new CommitUnknownError(this.#source.name, error);
      throw this.#error('DBM_TRANSACTION_ABORTED', 'SQLite rolled the transaction back instead', error);
    }
  }

  #rollback(): void {
    if (this.#transaction === undefined) return;
    const { lease } = this.#transaction;
    this.#closeRows();
    try {
      this.#observed('ROLLBACK', lease.connection, () => lease.connection.clean());
      this.#unpin();
    } catch (error) {
      this.#unpin(error);
      throw statementError(error, this.#source.name);
    }
  }

  #control(sql: string): Promise<void> {
    return this.#inOrder(async () => {
      this.#check(undefined);
      await this.#queryInTransaction(this.#open(), { sql }, DEFAULTS);
    });
  }

  async *#rows(
    lease: Lease<SqliteConnection>,
    statement: Statement,
    { signal, timeoutMs = this.#source.config.options.queryTimeoutMs, onColumns }: StatementOptions,
    read: { rows: number },
  ): AsyncGenerator<SqliteRow, void> {
    const { connection } = lease;
    connection.setBusyTimeout(DRIVER_BUSY_MS);
    const start = this.#clock.now();
    let rows: Iterator<SqliteRow> = connection.iterate(statement);
    const firstRow = () => {
      this.#openRows.delete(rows);
      rows = connection.iterate(statement, onColumns);
      // From now on, not when this has been waited for: the transaction may end meanwhile, and could not, nor its handle be closed.
      this.#openRows.add(rows);
      return rows.next();
    };
    try {
      // The first row is read with the waiting for locks; SQLite needs none for those after it.
      const first = await this.#wait.run(firstRow, { signal, timeoutMs });
      let reading = this.#clock.now() - start;
      let slice = reading;
      for (let next = first; !next.done; ) {
        read.rows++;
        yield next.value;
        if (signal?.aborted) throw abortedError(signal, this.#source.name);
        if (lease.released) throw this.#error('DBM_LEASE_RELEASED', 'the session was released while a stream was open');
        if (slice >= STREAM_SLICE_MS) {
          slice = 0;
          await new Promise((resolve) => setImmediate(resolve));
        }
        const before = this.#clock.now();
        next = rows.next();
        const took = this.#clock.now() - before;
        reading += took;
        slice += took;
        if (timeoutMs > 0 && reading > timeoutMs) throw queryTimeout(timeoutMs, this.#source.name);
      }
    } finally {
      this.#openRows.delete(rows);
      rows.return?.();
    }
  }

  #observed<T>(sql: string, { handle }: SqliteConnection, work: () => T | Promise<T>): T | Promise<T> {
    return observeWork({ observer: this.#observer, statement: { sql }, handle }, work, noRows);
  }

  async #borrowFor(sql: string, signal: AbortSignal | undefined): Promise<Lease<SqliteConnection>> {
    return this.#unlessReleased(await borrowFor(this.#source, sql, signal));
  }

  #unlessReleased(lease: Lease<SqliteConnection>): Lease<SqliteConnection> {
    if (!this.#released) return lease;
    lease.release();
    throw this.#sessionReleased();
  }

  #pin(lease: Lease<SqliteConnection>): void {
    if (this.#released) {
      lease.release();
      throw this.#sessionReleased();
    }
    this.#transaction = { lease, aborted: undefined };
  }

  #unpin(error?: unknown): void {
    const lease = this.#transaction?.lease;
    this.#transaction = undefined;
    this.#closeRows();
    lease?.release(error);
  }

  #closeRows(): void {
    for (const rows of this.#openRows) rows.return?.();
    this.#openRows.clear();
  }

  #pinned(): Lease<SqliteConnection> | undefined {
    if (this.#transaction?.aborted !== undefined) {
      throw this.#error('DBM_TRANSACTION_ABORTED', 'SQLite has rolled the transaction back', this.#transaction.aborted);
    }
    return this.#transaction?.lease;
  }

  #open(): SqliteTransaction {
    if (this.#transaction === undefined) throw this.#error('DBM_QUERY_FAILED', 'no transaction is open');
    return this.#transaction;
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#released) throw this.#sessionReleased();
    if (signal?.aborted) throw abortedError(signal, this.#source.name);
  }

  #sessionReleased(): DbManagerError {
    return this.#error('DBM_LEASE_RELEASED', 'the session has been released');
  }

  #error(code: ConstructorParameters<typeof DbManagerError>[0], message: string, cause?: unknown): DbManagerError {
    const connectionName = this.#source.name;
    return new DbManagerError(code, message, cause === undefined ? { connectionName } : { connectionName, cause });
  }
}

/** `name` in double quotes. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

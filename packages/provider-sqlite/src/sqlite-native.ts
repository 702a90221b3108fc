import {
  type AcquireOptions,
  DbManagerError,
  type Lease,
  type LeaseSource,
  type StatementObserver,
} from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Database } from 'better-sqlite3';
import type { BusyWait } from './busy-wait.js';
import { statementError } from './errors.js';
import { noRows, observeWork } from './observed-work.js';
import type { SqliteConnection } from './sqlite-connection.js';

/** Work with a better-sqlite3 handle. It may be asynchronous; the handle is its own until it ends. */
export type SqliteWork<T> = (database: Database) => T | Promise<T>;

/** What to lease. */
export interface SqliteLeaseOptions extends AcquireOptions {
  /** A reader, which does not queue behind writes; it cannot write where the database has readers. Default false. */
  readonly readonly?: boolean | undefined;
}

/**
 * A better-sqlite3 handle, borrowed. Do not close it, and use neither it nor its statements after `release()`: the next
 * borrower has the same object. End row iterators before that.
 */
export interface SqliteLease extends AsyncDisposable {
  /** Throws `DBM_LEASE_RELEASED` once given back. */
  readonly database: Database;
  /** Gives it back; does nothing the second time. An open transaction is rolled back. */
  release(error?: unknown): void;
}

/** What a {@link SqliteNative} is made of. */
export interface SqliteNativeSetup {
  readonly wait: BusyWait;
  readonly busyTimeoutMs: number;
  readonly observer?: StatementObserver | undefined;
}

/**
 * The native handle of a SQLite connection: better-sqlite3 handles from the shared pool, one writer and many readers.
 * Errors of statements are the driver's own. A handle waits for locks of other processes as the driver does, blocking
 * the event loop for up to `busy_timeout`; `transaction` and sessions wait without blocking.
 */
export class SqliteNative implements AsyncDisposable {
  readonly #source: LeaseSource<SqliteConnection>;
  readonly #wait: BusyWait;
  readonly #busyTimeoutMs: number;
  readonly #observer: StatementObserver | undefined;
  #closed = false;

  constructor(source: LeaseSource<SqliteConnection>, setup: SqliteNativeSetup) {
    this.#source = source;
    this.#wait = setup.wait;
    this.#busyTimeoutMs = setup.busyTimeoutMs;
    this.#observer = setup.observer;
  }

  /** Runs `work` on a reader. */
  read<T>(work: SqliteWork<T>, options?: AcquireOptions): Promise<T> {
    return this.#with({ ...options, readonly: true }, ({ connection }) => work(connection.database as Database));
  }

  /** Runs `work` on the writer; nobody else writes meanwhile. */
  write<T>(work: SqliteWork<T>, options?: AcquireOptions): Promise<T> {
    return this.#with(options, ({ connection }) => work(connection.database as Database));
  }

  /** Runs `work` on the writer between BEGIN IMMEDIATE and COMMIT; rolled back when it throws. */
  transaction<T>(work: SqliteWork<T>, options?: AcquireOptions): Promise<T> {
    return this.#with(options, async ({ connection }) => {
      await this.#patiently(connection, 'BEGIN IMMEDIATE', () => connection.begin(false), options?.signal);
      const result = await work(connection.database as Database);
      // A transaction that has gone was rolled back by SQLite, or ended by `work`: there is nothing to report as done.
      if (!connection.inTransaction) {
        throw new DbManagerError('DBM_TRANSACTION_ABORTED', 'the transaction was ended before its commit', {
          connectionName: this.#source.name,
        });
      }
      await this.#patiently(connection, 'COMMIT', () => connection.commit(), undefined);
      return result;
    });
  }

  /** Borrows a handle, for longer work or where a callback does not fit. */
  async lease(options?: SqliteLeaseOptions): Promise<SqliteLease> {
    const lease = await this.#borrow(options);
    return {
      get database() {
        return lease.connection.database as Database;
      },
      release: (error) => this.#giveBack(lease, error),
      [Symbol.asyncDispose]: async () => this.#giveBack(lease),
    };
  }

  /** Only detaches: the pool goes on. Later calls reject with `DBM_CLOSED`. */
  async close(): Promise<void> {
    this.#closed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #with<T>(
    options: SqliteLeaseOptions | undefined,
    work: (lease: Lease<SqliteConnection>) => T | Promise<T>,
  ): Promise<T> {
    const lease = await this.#borrow(options);
    try {
      return await this.#source.holding(() => work(lease));
    } finally {
      this.#giveBack(lease);
    }
  }

  async #borrow(options: SqliteLeaseOptions | undefined): Promise<Lease<SqliteConnection>> {
    if (this.#closed) {
      throw new DbManagerError('DBM_CLOSED', 'the handle has been closed', { connectionName: this.#source.name });
    }
    const lane = options?.readonly === true ? 'read' : 'write';
    const lease = await this.#source.acquire({ ...options, lane });
    lease.connection.setBusyTimeout(this.#busyTimeoutMs);
    return lease;
  }

  #giveBack(lease: Lease<SqliteConnection>, error?: unknown): void {
    if (lease.released) return;
    // An open iterator would block the next borrower, and nobody but its owner can end it.
    if (lease.connection.busy) lease.discard(new Error('a row iterator was left open'));
    else lease.release(error);
  }

  async #patiently(
    { handle }: SqliteConnection,
    sql: string,
    work: () => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const observed = { observer: this.#observer, statement: { sql }, handle };
    try {
      await observeWork(observed, () => this.#wait.run(work, { signal }), noRows);
    } catch (error) {
      throw statementError(error, this.#source.name);
    }
  }
}

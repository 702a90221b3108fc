import type {
  Lease,
  LeaseSource,
  Statement,
  StatementObserver,
  StatementOptions,
  StatementResult,
} from '@dbmanager/core';
import { type BusyWait, DRIVER_BUSY_MS } from './busy-wait.js';
import { statementError } from './errors.js';
import { observeWork } from './observed-work.js';
import type { SqliteConnection } from './sqlite-connection.js';
import { immediateBegin, mayRead } from './statement-routing.js';

type Source = LeaseSource<SqliteConnection>;
type SqliteLease = Lease<SqliteConnection>;

/** Runs statements on the connections of one engine, again while another process holds the lock. */
export class SqliteStatements {
  readonly #wait: BusyWait;
  readonly #observer: StatementObserver | undefined;

  constructor(wait: BusyWait, observer: StatementObserver | undefined) {
    this.#wait = wait;
    this.#observer = observer;
  }

  /** One statement on a connection of its own, which waits for nothing where there is nothing to wait for. */
  runAlone(source: Source, statement: Statement, options: StatementOptions): Promise<StatementResult> {
    const { sql } = statement;
    const lease = lendNow(source, sql, options.signal);
    if (lease !== undefined) return this.runLent(lease, source, statement, options);
    return borrowFor(source, sql, options.signal).then((lent) => this.runLent(lent, source, statement, options));
  }

  /**
   * One statement outside of transactions on a lease, which is given back after it.
   *
   * @param keep is asked, when that has succeeded, whether the lease is kept instead.
   */
  async runLent(
    lease: SqliteLease,
    source: Source,
    statement: Statement,
    options: StatementOptions,
    keep?: (lease: SqliteLease) => boolean,
  ): Promise<StatementResult> {
    const { readOnly } = lease.connection;
    const immediate = readOnly ? statement.sql : immediateBegin(statement.sql);
    try {
      const running = this.run(
        lease.connection,
        source,
        immediate === statement.sql ? statement : { ...statement, sql: immediate },
        options,
      );
      const result = running instanceof Promise ? await running : running;
      if (!keep?.(lease)) lease.release();
      return result;
    } catch (error) {
      lease.release(error);
      throw statementError(error, source.name);
    }
  }

  /** One statement. Throws the driver's errors. */
  run(
    connection: SqliteConnection,
    source: Source,
    statement: Statement,
    { signal, timeoutMs = source.config.options.queryTimeoutMs, byPosition }: StatementOptions,
  ): StatementResult | Promise<StatementResult> {
    connection.setBusyTimeout(DRIVER_BUSY_MS);
    const run = () => this.#wait.run(() => connection.run(statement, byPosition), { signal, timeoutMs });
    return observeWork({ observer: this.#observer, statement, handle: connection.handle }, run, rowsOf);
  }
}

/** Borrows where the statement can run: a reader when it only reads, else the writer. */
export async function borrowFor(source: Source, sql: string, signal: AbortSignal | undefined): Promise<SqliteLease> {
  if (!mayRead(sql)) return source.acquire({ lane: 'write', signal });
  const lease = await source.acquire({ lane: 'read', signal });
  if (fits(lease.connection, sql)) return lease;
  lease.release();
  return source.acquire({ lane: 'write', signal });
}

/** The same where one is idle. Who has given up already is refused by `acquire`. */
function lendNow(source: Source, sql: string, signal: AbortSignal | undefined): SqliteLease | undefined {
  if (signal?.aborted) return undefined;
  if (!mayRead(sql)) return source.tryAcquire?.('write');
  const lease = source.tryAcquire?.('read');
  if (lease === undefined || fits(lease.connection, sql)) return lease;
  lease.release();
  return source.tryAcquire?.('write');
}

/** The connection can write, or has no need to. */
function fits(connection: SqliteConnection, sql: string): boolean {
  return !connection.readOnly || connection.canRead(sql);
}

/** Only what gives no rows tells the key of the last one inserted. */
function rowsOf({ rows, values, lastInsertId }: StatementResult): number | undefined {
  return lastInsertId === undefined ? (values ?? rows).length : undefined;
}

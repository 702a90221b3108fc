import {
  abortedError,
  type BeginOptions,
  type Clock,
  DbManagerError,
  type Lease,
  type LeaseSource,
  type Row,
  type SqlSession,
  type Statement,
  type StatementOptions,
  type StatementResult,
} from '@dbmanager/core';
import type { FakeConnection } from './fake-connection.js';

/** A session that keeps one connection from its first statement to its release. */
export class FakeSession implements SqlSession {
  readonly #source: LeaseSource<FakeConnection>;
  readonly #clock: Clock;
  #lease: Lease<FakeConnection> | undefined;
  #released = false;
  /** The end of the statement before: statements run in order. */
  #previous: Promise<unknown> = Promise.resolve();

  constructor(source: LeaseSource<FakeConnection>, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  get inTransaction(): boolean {
    return this.#lease?.connection.inTransaction ?? false;
  }

  async query(statement: Statement, options: StatementOptions = {}): Promise<StatementResult> {
    const result = await this.#inOrder(options.signal, (connection) => this.#execute(connection, statement, options));
    return options.byPosition ? { ...result, rows: [], values: result.rows.map(Object.values<unknown>) } : result;
  }

  async *stream(statement: Statement, options: StatementOptions = {}): AsyncGenerator<Row, void> {
    const { rows } = await this.query(statement, options);
    for (const row of rows) {
      if (options.signal?.aborted) throw abortedError(options.signal, this.#source.name);
      yield row;
    }
  }

  begin(options?: BeginOptions): Promise<void> {
    return this.#inOrder(undefined, async (connection) => connection.begin(options));
  }

  commit(): Promise<void> {
    return this.#inOrder(undefined, (connection) => connection.commit());
  }

  rollback(): Promise<void> {
    return this.#inOrder(undefined, async (connection) => connection.rollback());
  }

  savepoint(name: string): Promise<void> {
    return this.#inOrder(undefined, async (connection) => connection.savepoint(name));
  }

  rollbackTo(name: string): Promise<void> {
    return this.#inOrder(undefined, async (connection) => connection.rollbackTo(name));
  }

  releaseSavepoint(name: string): Promise<void> {
    return this.#inOrder(undefined, async (connection) => connection.releaseSavepoint(name));
  }

  release(error?: unknown): void {
    this.#released = true;
    this.#lease?.release(error);
    this.#lease = undefined;
  }

  #inOrder<T>(signal: AbortSignal | undefined, work: (connection: FakeConnection) => Promise<T>): Promise<T> {
    const turn = this.#previous.then(async () => {
      const lease = await this.#borrow(signal);
      return work(lease.connection);
    });
    // The next statement waits for this one, however it ends; its own caller hears of the error.
    this.#previous = turn.catch(() => undefined);
    return turn;
  }

  async #borrow(signal: AbortSignal | undefined): Promise<Lease<FakeConnection>> {
    if (this.#released) {
      throw new DbManagerError('DBM_LEASE_RELEASED', 'the session has been released', {
        connectionName: this.#source.name,
      });
    }
    this.#lease ??= await this.#source.acquire({ signal });
    return this.#lease;
  }

  /** Runs a statement under its deadline and the caller's signal. */
  async #execute(
    connection: FakeConnection,
    statement: Statement,
    { signal, timeoutMs = this.#source.config.options.queryTimeoutMs }: StatementOptions,
  ): Promise<StatementResult> {
    const cancel = new AbortController();
    const onAbort = () => cancel.abort(signal?.reason);
    const timer =
      timeoutMs > 0
        ? this.#clock.setTimer(timeoutMs, () => cancel.abort(this.#timeout(timeoutMs)), { keepAlive: true })
        : undefined;
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await connection.execute(statement, cancel.signal);
    } catch (error) {
      if (!cancel.signal.aborted) throw error;
      throw signal?.aborted ? abortedError(signal, this.#source.name) : cancel.signal.reason;
    } finally {
      timer?.cancel();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #timeout(timeoutMs: number): DbManagerError {
    return new DbManagerError('DBM_QUERY_TIMEOUT', `the statement took longer than ${timeoutMs} ms`, {
      connectionName: this.#source.name,
      option: 'query_timeout',
    });
  }
}

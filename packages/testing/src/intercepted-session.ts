import {
  type BeginOptions,
  CommitUnknownError,
  DbManagerError,
  type Row,
  type SqlEngine,
  type SqlSession,
  type Statement,
  type StatementOptions,
  type StatementResult,
} from '@dbmanager/core';
import type { RememberingSource } from '@dbmanager/database';
import type { Interceptor, Verdict } from './interceptor.js';

/** A session of an engine, whose statements an interceptor sees before the database does. */
export class InterceptedSession<C> implements SqlSession {
  readonly #source: RememberingSource<C>;
  readonly #session: SqlSession;
  readonly #interceptor: Interceptor;
  /** Why the connection is lost. */
  #lost: DbManagerError | undefined;
  /** The end of what was asked for before: statements run in order, those that the interceptor holds up too. */
  #previous: Promise<unknown> = Promise.resolve();

  constructor(sql: SqlEngine<C>, source: RememberingSource<C>, interceptor: Interceptor) {
    this.#source = source;
    this.#session = sql.session(source);
    this.#interceptor = interceptor;
  }

  get inTransaction(): boolean {
    return this.#lost === undefined && this.#session.inTransaction;
  }

  query(statement: Statement, options: StatementOptions = {}): Promise<StatementResult> {
    return this.#inOrder(async () => {
      const answer = await this.#ask(statement, options);
      if (answer === undefined) return this.#session.query(statement, options);
      return options.byPosition ? { ...answer, rows: [], values: answer.rows.map(Object.values<unknown>) } : answer;
    });
  }

  async *stream(statement: Statement, options: StatementOptions = {}): AsyncGenerator<Row, void> {
    const answer = await this.#inOrder(() => this.#ask(statement, options));
    if (answer === undefined) yield* this.#session.stream(statement, options);
    else yield* answer.rows;
  }

  begin(options?: BeginOptions): Promise<void> {
    return this.#inOrder(() => this.#session.begin(options));
  }

  commit(): Promise<void> {
    return this.#inOrder(async () => {
      const fault = this.#interceptor.committing?.();
      if (fault === undefined) return this.#session.commit();
      if (fault.applied) await this.#session.commit();
      const { name: connectionName } = this.#source;
      const cause = new DbManagerError('DBM_CONNECTION_LOST', 'lost in COMMIT, as the test asked for', {
        connectionName,
      });
      await this.#lose(cause);
      throw new CommitUnknownError(connectionName, cause);
    });
  }

  rollback(): Promise<void> {
    return this.#inOrder(() => this.#session.rollback());
  }

  savepoint(name: string): Promise<void> {
    return this.#inOrder(() => this.#session.savepoint(name));
  }

  rollbackTo(name: string): Promise<void> {
    return this.#inOrder(() => this.#session.rollbackTo(name));
  }

  releaseSavepoint(name: string): Promise<void> {
    return this.#inOrder(() => this.#session.releaseSavepoint(name));
  }

  release(error?: unknown): void {
    this.#session.release(error);
  }

  /** The interceptor's answer; undefined when the database is to be asked. */
  async #ask(statement: Statement, options: StatementOptions): Promise<StatementResult | undefined> {
    const verdict: Verdict = await this.#interceptor.statement?.(statement, options, this.#source);
    if (verdict === undefined) return undefined;
    if ('lost' in verdict) {
      await this.#lose(verdict.lost, options.signal);
      throw verdict.lost;
    }
    // As any statement it needs a connection, which a session may hold already.
    const lease = this.#source.lease?.released !== false ? await this.#source.acquire(options) : undefined;
    lease?.release();
    return verdict.result;
  }

  /** Gives the session's connection up, one borrowed for it where it has none, as one that died of `error`. */
  async #lose(error: DbManagerError, signal?: AbortSignal): Promise<void> {
    if (this.#source.lease?.released !== false) await this.#source.acquire({ signal });
    const { lease } = this.#source;
    this.#lost = error;
    this.#session.release(error);
    lease?.release(error);
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#previous.then(() => {
      if (this.#lost !== undefined) throw this.#lost;
      return work();
    });
    // The next one waits for this one, however it ends; its own caller hears of the error.
    this.#previous = turn.catch(() => undefined);
    return turn;
  }
}

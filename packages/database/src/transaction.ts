import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Clock,
  DbManagerError,
  type SqlEngine,
  type SqlSession,
  type Statement,
  type StatementResult,
} from '@dbmanager/core';
import type { Deadline } from './deadline.js';
import { Queryable, type QueryOptions } from './queryable.js';

/** What a transaction and those nested in it have in common. */
export interface TransactionContext {
  readonly name: string;
  readonly clock: Clock;
  readonly sql: SqlEngine<unknown>;
  /** In a transaction already; owned by whoever began it. */
  readonly session: SqlSession;
  readonly deadline: Deadline;
}

/** The innermost nested transaction whose callback is running. */
const running = new AsyncLocalStorage<Transaction>();

/**
 * A transaction under way: it ends with the callback it was given to, and every use after that is refused with
 * `DBM_LEASE_RELEASED`. It is never carried on after the database has rolled it back by itself
 * (`DBM_TRANSACTION_ABORTED`).
 */
export class Transaction extends Queryable {
  protected readonly name: string;
  protected readonly clock: Clock;
  readonly #context: TransactionContext;
  readonly #outer: Transaction | undefined;
  readonly #root: Transaction;
  #ended = false;
  /** The end of the last nested transaction that is under way or queued; undefined when there is none. Never rejects. */
  #nested: Promise<void> | undefined;
  /** Of the root: savepoints made, for their names. */
  #savepoints = 0;
  /** Of the root: a savepoint could not be rolled back to, so that a commit would keep what should be undone. */
  #broken: unknown;

  constructor(context: TransactionContext, outer?: Transaction) {
    super();
    this.name = context.name;
    this.clock = context.clock;
    this.#context = context;
    this.#outer = outer;
    this.#root = outer === undefined ? this : outer.#root;
  }

  protected get sql(): SqlEngine<unknown> {
    return this.#context.sql;
  }

  protected async run(statement: Statement, options: QueryOptions | undefined): Promise<StatementResult> {
    const earlier = this.#queueBehind();
    if (earlier !== undefined) await earlier;
    this.#assertUsable();
    return this.#context.session.query(statement, { ...options, signal: this.#signal(options?.signal) });
  }

  /**
   * Runs `work` in a savepoint: released when it resolves, rolled back to when it throws, with its error passed on; the
   * outer transaction can go on after either. Nested transactions of one transaction run one after the other, and
   * statements of the outer one wait for them. Inside `work` use the handle it is given: the outer one is refused there
   * (`DBM_UNSUPPORTED`), as it would wait for itself.
   */
  async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const earlier = this.#queueBehind();
    const done = Promise.withResolvers<void>();
    this.#nested = done.promise;
    try {
      if (earlier !== undefined) await earlier;
      this.#assertUsable();
      return await this.#savepoint(work);
    } finally {
      if (this.#nested === done.promise) this.#nested = undefined;
      done.resolve();
    }
  }

  /**
   * Refuses further use, once what is nested has come to its end.
   * @internal
   */
  async finish(): Promise<void> {
    while (this.#nested !== undefined) await this.#nested;
    this.#ended = true;
  }

  /**
   * Refuses further use at once.
   * @internal
   */
  abandon(): void {
    this.#ended = true;
  }

  /**
   * Throws what stands against a commit.
   * @internal
   */
  assertCommittable(): void {
    const passed = this.#context.deadline.error();
    if (passed !== undefined) throw passed;
    if (this.#broken !== undefined) throw this.#aborted('a savepoint could not be rolled back to', this.#broken);
    this.#assertOpen();
  }

  async #savepoint<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const { session } = this.#context;
    const savepoint = `dbm_${++this.#root.#savepoints}`;
    await session.savepoint(savepoint);
    const nested = new Transaction(this.#context, this);
    try {
      const result = await running.run(nested, () => work(nested));
      await nested.finish();
      this.#assertUsable();
      await session.releaseSavepoint(savepoint);
      return result;
    } catch (error) {
      nested.abandon();
      // Once the root has ended its rollback covers this savepoint, and a statement would run outside any transaction.
      if (!this.#root.#ended) await this.#undo(savepoint);
      throw error;
    }
  }

  async #undo(savepoint: string): Promise<void> {
    try {
      await this.#context.session.rollbackTo(savepoint);
      await this.#context.session.releaseSavepoint(savepoint);
    } catch (error) {
      this.#root.#broken = error;
    }
  }

  /** What must end before the next statement; read at the call, so that calls keep their order. */
  #queueBehind(): Promise<void> | undefined {
    this.#assertUsable();
    if (this.#nested !== undefined && this.#isCalledFromNested()) {
      throw new DbManagerError(
        'DBM_UNSUPPORTED',
        'the outer transaction was used inside a nested one, which it would have to wait for; use the nested handle',
        { connectionName: this.name },
      );
    }
    return this.#nested;
  }

  #isCalledFromNested(): boolean {
    for (let inner = running.getStore(); inner !== undefined; inner = inner.#outer) {
      if (inner.#outer === this && !inner.#ended) return true;
    }
    return false;
  }

  #assertUsable(): void {
    if (this.#ended || this.#root.#ended) {
      throw new DbManagerError('DBM_LEASE_RELEASED', 'the transaction has ended', { connectionName: this.name });
    }
    this.#assertOpen();
  }

  /** Some errors make a database roll back by itself; what follows would then be committed statement by statement. */
  #assertOpen(): void {
    if (!this.#context.session.inTransaction) throw this.#aborted('the database rolled the transaction back');
  }

  #aborted(why: string, cause?: unknown): DbManagerError {
    return new DbManagerError('DBM_TRANSACTION_ABORTED', `${why}; nothing of it was committed`, {
      connectionName: this.name,
      cause,
    });
  }

  #signal(ofStatement: AbortSignal | undefined): AbortSignal | undefined {
    const { signal } = this.#context.deadline;
    if (ofStatement === undefined) return signal;
    return signal === undefined ? ofStatement : AbortSignal.any([signal, ofStatement]);
  }
}

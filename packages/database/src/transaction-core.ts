import {
  abortedError,
  type BeginOptions,
  type BridgeTarget,
  type Clock,
  DbManagerError,
  type Deadline,
  isDbManagerError,
  type Row,
  type SqlEngine,
  type SqlLexis,
  type SqlSession,
  type Statement,
  type StatementOptions,
  type StatementResult,
  sleep,
  type TransactionOutcome,
} from '@dbmanager/core';
import { RememberingSource } from './remembering-source.js';
import { type Bar, Scope } from './scope.js';
import { transactionControl } from './transaction-control.js';
import { TransactionHooks } from './transaction-hooks.js';

/** How long stopping what runs, and ROLLBACK after it, may take before the connection is given up. */
const UNDO_GRACE_MS = 5_000;
/** Longest savepoint name that every engine takes. */
const LONGEST_NAME = 32;
const STREAM_OPEN =
  'a stream is being read in this transaction; read it to its end, or leave it, before the next statement';
const NO_LEXIS: SqlLexis = {};

/** What a {@link TransactionCore} is made of. */
export interface TransactionCoreSetup {
  readonly target: BridgeTarget;
  readonly sql: SqlEngine<unknown>;
  readonly clock: Clock;
  /** The transaction's patience; disposed of by whoever made it. */
  readonly deadline: Deadline;
  /** For messages; undefined is no limit. */
  readonly timeoutMs: number | undefined;
}

/**
 * What all handles of one transaction share: its session, its one lease, and its end, which comes once. Whoever began it
 * calls {@link settle} and {@link commit}, or {@link undo}.
 */
export class TransactionCore {
  readonly root: Scope;
  readonly hooks = new TransactionHooks();
  /** As it was begun. */
  readonly options: BeginOptions;
  readonly target: BridgeTarget;
  readonly sql: SqlEngine<unknown>;
  readonly clock: Clock;
  readonly #setup: TransactionCoreSetup;
  readonly #source: RememberingSource<unknown>;
  readonly #session: SqlSession;
  /** Aborts statements when the transaction is called off; made for the first one that can be told so. */
  #stop: AbortController | undefined;
  #startedAt = 0;
  #savepoints = 0;
  /** Turns under way whose statements nothing stops but a cancel on the server. */
  #foreign = 0;
  /** Why the transaction, or one nested in it, must not be kept, though the database would. */
  readonly #broken = new Map<Scope, DbManagerError>();
  /** The last statement that failed: what the database may have rolled back for. */
  #failure: unknown;
  #committing = false;
  #outcome: TransactionOutcome | undefined;

  private constructor(setup: TransactionCoreSetup, options: BeginOptions) {
    this.options = options;
    this.#setup = setup;
    this.target = setup.target;
    this.sql = setup.sql;
    this.clock = setup.clock;
    this.root = new Scope(setup.target.name);
    this.#source = new RememberingSource(setup.target);
    this.#session = setup.sql.session(this.#source);
  }

  /** Borrows a connection and begins. Rejects with what either failed with; then nothing is held. */
  static async begin(setup: TransactionCoreSetup, options: BeginOptions): Promise<TransactionCore> {
    const core = new TransactionCore(setup, options);
    const { isolation, readOnly, deferrable } = options;
    const { deadline } = setup;
    const signal = deadline.endless ? undefined : deadline.signal;
    try {
      await core.#session.begin({ isolation, readOnly, deferrable, signal });
    } catch (error) {
      core.#session.release(error);
      throw core.#explain(error);
    }
    core.#startedAt = setup.clock.now();
    return core;
  }

  get name(): string {
    return this.target.name;
  }

  get ended(): boolean {
    return this.root.ended;
  }

  // --- statements

  /** Refuses text that would begin, end or leave the transaction. */
  check(sql: string): void {
    const control = transactionControl(sql, this.sql.lexis ?? NO_LEXIS);
    if (control === undefined) return;
    throw new DbManagerError(
      'DBM_UNSUPPORTED',
      `${control} cannot be sent inside a transaction of dbmanager; it ends with its callback, and transaction() nests`,
      { connectionName: this.name },
    );
  }

  async query(scope: Scope, statement: Statement, options?: StatementOptions): Promise<StatementResult> {
    this.check(statement.sql);
    return this.#turn(scope, () => this.#session.query(statement, this.#limited(options)));
  }

  async *stream(scope: Scope, statement: Statement, options?: StatementOptions): AsyncGenerator<Row, void> {
    this.check(statement.sql);
    const started = Promise.withResolvers<void>();
    const done = Promise.withResolvers<void>();
    let reading = true;
    const work = () => {
      started.resolve();
      return done.promise;
    };
    this.#turn(scope, work, { reason: STREAM_OPEN, up: () => reading }).catch(started.reject);
    await started.promise;
    try {
      yield* this.#session.stream(statement, this.#limited(options));
    } catch (error) {
      this.#failure = error;
      throw error;
    } finally {
      reading = false;
      done.resolve();
    }
  }

  /** A turn for what is sent on the connection itself. */
  turn<T>(scope: Scope, work: () => Promise<T>, streaming?: () => boolean): Promise<T> {
    return this.#turn(scope, work, streaming && { reason: STREAM_OPEN, up: streaming }, 1);
  }

  /** Synchronous work on the connection itself. */
  now<T>(scope: Scope, work: () => T): T {
    scope.assertOpen();
    return scope.here().now(() => {
      this.#assertAlive();
      try {
        return work();
      } catch (error) {
        this.#failure = error;
        throw error;
      }
    });
  }

  /** The driver's connection. */
  connection(scope: Scope): unknown {
    scope.assertOpen();
    this.#assertAlive();
    return this.#source.lease?.connection;
  }

  /** The session's own savepoints, for an ORM that has none. */
  async savepoint(scope: Scope, what: 'savepoint' | 'rollbackTo' | 'releaseSavepoint', name: string): Promise<void> {
    try {
      await this.#turn(scope, () => this.#session[what](name));
    } catch (error) {
      if (what === 'rollbackTo') this.#notUndone(error);
      throw error;
    }
  }

  // --- nested transactions

  savepointName(prefix: string): string {
    const number = `_${++this.#savepoints}`;
    return `${prefix.slice(0, LONGEST_NAME - number.length)}${number}`;
  }

  /** Opens a scope for a nested transaction, when its turn has come. */
  async enter(outer: Scope): Promise<Scope> {
    outer.assertOpen();
    this.#assertAlive();
    return outer.here().enter();
  }

  /** Runs `work` in a savepoint of its own: kept when it resolves, undone when it rejects. */
  async nested<T>(outer: Scope, work: (inner: Scope) => Promise<T>): Promise<T> {
    const inner = await this.enter(outer);
    try {
      this.#assertAlive();
      const name = this.savepointName('dbm');
      await this.#session.savepoint(name);
      this.target.transactions?.savepoint();
      return await this.#inSavepoint(name, inner, work);
    } finally {
      inner.leave();
    }
  }

  /** Keeps the transaction, or the nested one whose scope it is, from being kept. */
  breakOff(scope: Scope, why: string, cause: unknown): void {
    if (!this.#broken.has(scope)) this.#broken.set(scope, this.#aborted(why, cause));
  }

  // --- the end

  /** Does what is to be done before COMMIT, waits for all that was asked for, and refuses what comes later. */
  async settle(): Promise<void> {
    await this.root.idle();
    await this.hooks.runBefore();
    await this.root.idle();
    this.root.end();
  }

  /** Commits what is settled, or undoes it and rejects. */
  async commit(): Promise<void> {
    try {
      this.#assertCommittable();
    } catch (error) {
      throw await this.undo(error);
    }
    this.#committing = true;
    try {
      await this.#session.commit();
    } catch (error) {
      const failure = this.#commitFailure(error);
      await this.#rollBack(failure);
      this.#end(isDbManagerError(failure, 'DBM_COMMIT_UNKNOWN') ? 'unknown' : 'failed');
      throw failure;
    }
    this.#session.release();
    this.#end('committed');
    await this.target.writesTold?.();
  }

  /** Stops what runs and rolls back. Resolves to the error to reject with: `error`, or why the transaction was called off. */
  async undo(error: unknown): Promise<unknown> {
    const reason = this.#explain(error);
    // COMMIT under way decides by itself.
    if (this.#outcome !== undefined || this.#committing) return reason;
    this.root.end(reason);
    this.#stop?.abort(reason);
    await this.#rollBack(error);
    this.#end(this.#isLost(reason) ? 'failed' : 'rolled_back');
    return reason;
  }

  async #inSavepoint<T>(name: string, inner: Scope, work: (inner: Scope) => Promise<T>): Promise<T> {
    try {
      const result = await inner.inside(() => work(inner));
      await inner.idle();
      inner.end();
      this.root.assertOpen();
      this.#assertUnbroken(inner);
      this.#assertAlive();
      await this.#session.releaseSavepoint(name);
      return result;
    } catch (error) {
      inner.end();
      // Once the whole has ended its rollback covers this savepoint, and a statement would run outside any transaction.
      if (!this.ended) await this.#rollBackTo(name);
      throw error;
    }
  }

  async #rollBackTo(name: string): Promise<void> {
    try {
      await this.#session.rollbackTo(name);
      this.#failure = undefined;
      // Called off meanwhile: the rollback of the whole has ended it.
      if (!this.ended) await this.#session.releaseSavepoint(name);
    } catch (error) {
      this.#notUndone(error);
    }
  }

  /** What should be undone must not be committed with the rest. */
  #notUndone(cause: unknown): void {
    this.breakOff(this.root, 'a savepoint could not be rolled back to', cause);
  }

  /** @param foreign 1 for work that nothing stops but a cancel on the server. */
  #turn<T>(scope: Scope, work: () => Promise<T>, bar?: Bar, foreign: 0 | 1 = 0): Promise<T> {
    return scope.here().turn(async () => {
      this.#assertAlive();
      this.#foreign += foreign;
      try {
        return await work();
      } catch (error) {
        this.#failure = error;
        throw error;
      } finally {
        this.#foreign -= foreign;
      }
    }, bar);
  }

  #limited(options: StatementOptions | undefined): StatementOptions {
    this.#stop ??= new AbortController();
    const { signal } = this.#stop;
    if (options?.signal === undefined) return { ...options, signal };
    return { ...options, signal: AbortSignal.any([signal, options.signal]) };
  }

  /** Some errors make a database roll back by itself; what follows would then be committed statement by statement. */
  #assertAlive(): void {
    if (!this.#session.inTransaction) throw this.#aborted('the database rolled the transaction back', this.#failure);
  }

  #assertCommittable(): void {
    if (this.#setup.deadline.signal.aborted) throw this.#explain(undefined);
    this.#assertUnbroken(this.root);
    this.#assertAlive();
  }

  #assertUnbroken(scope: Scope): void {
    const broken = this.#broken.get(scope);
    if (broken !== undefined) throw broken;
  }

  /** The error of COMMIT, with the statement whose failure made the database roll back. */
  #commitFailure(error: unknown): unknown {
    if (!isDbManagerError(error, 'DBM_TRANSACTION_ABORTED') || error.cause !== undefined) return error;
    return this.#aborted('a statement of the transaction had failed, so the database rolled it back', this.#failure);
  }

  async #rollBack(error: unknown): Promise<void> {
    try {
      await this.#withinGrace(async () => {
        if (this.#foreign > 0) await this.#cancel();
        if (this.#session.inTransaction) await this.#session.rollback();
      });
      // A write that a read-only transaction refused says nothing of the server.
      this.#session.release(this.options.readOnly === true ? undefined : error);
    } catch (failure) {
      this.#source.lease?.discard(failure);
      this.#session.release(failure);
    }
  }

  /** Stops what an ORM has running on the connection. Nothing that the session runs: that has been told by its signal. */
  async #cancel(): Promise<void> {
    const { lease } = this.#source;
    if (lease === undefined || lease.released) return;
    await this.sql.cancel?.(lease.connection);
  }

  async #withinGrace(work: () => Promise<void>): Promise<void> {
    const over = new AbortController();
    const late = sleep(this.clock, UNDO_GRACE_MS, over.signal, { keepAlive: true }).then(() => {
      throw new DbManagerError('DBM_CONNECTION_LOST', 'it could not be rolled back in time', {
        connectionName: this.name,
      });
    });
    late.catch(() => {}); // when the work is done first
    try {
      await Promise.race([work(), late]);
    } finally {
      over.abort();
    }
  }

  #end(outcome: TransactionOutcome): void {
    this.#outcome = outcome;
    this.target.transactions?.ended(outcome, this.clock.now() - this.#startedAt);
    this.hooks.ended(outcome);
  }

  /** Whether it ended by itself: the database had rolled back, or the connection was lost. */
  #isLost(error: unknown): boolean {
    return isDbManagerError(error, 'DBM_TRANSACTION_ABORTED') || this.target.engine.factory.judge?.(error) === 'fatal';
  }

  /** `error`, unless the transaction was called off: then that. */
  #explain(error: unknown): unknown {
    const { deadline, timeoutMs } = this.#setup;
    if (!deadline.signal.aborted) return error;
    if (!deadline.expired) return abortedError(deadline.signal, this.name);
    const text = `the transaction took longer than ${timeoutMs} ms and was rolled back`;
    return new DbManagerError('DBM_TRANSACTION_TIMEOUT', text, {
      connectionName: this.name,
      option: 'timeout',
      cause: error,
    });
  }

  #aborted(why: string, cause?: unknown): DbManagerError {
    return new DbManagerError('DBM_TRANSACTION_ABORTED', `${why}; nothing of it was committed`, {
      connectionName: this.name,
      cause,
    });
  }
}

import { type Clock, isUnobserved, type StatementObserver, unobserved } from '@dbmanager/core';
import { lostError, numberOf, singleError } from './errors.js';
import { type Job, type JobOptions, type Outcome, promisedJob, requestJob } from './job.js';
import { JobTimer } from './job-timer.js';
import { observedJob, statusOf } from './observed-job.js';
import { quoteIdentifier } from './quote-identifier.js';
import { leavesForGood, setsIsolation } from './statement-text.js';
import { isGone, type ServerMessage, type TediousConnection, type TediousDriver } from './tedious-driver.js';
import { TransactionState } from './transaction-state.js';

/** Rolls back whatever is open, and does nothing where nothing is. */
const ABORT = 'if @@trancount > 0 rollback transaction';
const RESTORE_ISOLATION = 'set transaction isolation level read committed';
const INTERNAL: JobOptions = { timeoutMs: 0 };
const ROLLBACK: Omit<Job, 'deliver'> = {
  kind: 'rollback',
  text: '',
  timeoutMs: 0,
  send: (connection, done) => connection.rollbackTransaction(done as (error: Error | null | undefined) => void),
};

/** Hears of what befalls a connection, as tedious tells of it. */
export interface ConnectionWatcher {
  onConnectionEvent(event: ConnectionEvent, payload: unknown): void;
}

const CONNECTION_EVENTS = [
  'error',
  'end',
  'rollbackTransaction',
  'databaseChange',
  'languageChange',
  'charsetChange',
  'resetConnection',
] as const;

/** An event of tedious' connection that is not of one request alone. */
export type ConnectionEvent = (typeof CONNECTION_EVENTS)[number];

/** What a {@link MssqlConnection} is made of. */
export interface MssqlConnectionSetup {
  readonly driver: TediousDriver;
  readonly connectionName: string;
  readonly clock: Clock;
  /** A connection that has logged in. */
  readonly connection: TediousConnection;
  /** The database that each borrower finds in use; undefined: the one of this moment is not known, and stays. */
  readonly database: string | undefined;
}

/**
 * What the pool holds: a connection of tedious on which requests queue up, as tedious itself refuses a second one, and whose
 * listeners are attached once. Several may send on it; each hears of its own requests only.
 */
export class MssqlConnection {
  /** For reading; what is sent goes through {@link submit}. */
  readonly tedious: TediousConnection;
  readonly transaction: TransactionState;
  readonly #setup: MssqlConnectionSetup;
  readonly #jobs: Job[] = [];
  #current: Job | undefined;
  #timedOut = false;
  #pumping = false;
  #idle: PromiseWithResolvers<void> | undefined;
  readonly #watchers = new Set<ConnectionWatcher>();
  readonly #listeners: readonly (readonly [event: string, listener: (payload: unknown) => void])[];
  #savepoints = 0;
  #database: string | undefined;
  /** Somebody has sent something since the last reset. */
  #used = false;
  /** The reset bit was set, and the server has not told of a reset yet. */
  #resetting = false;
  /** The lease that it is, or was last, lent by. */
  #lease: number | undefined;
  /** Nobody has sent anything since the lease began. */
  #fresh = false;
  /** The isolation level is another than the usual one, though no transaction is open. */
  #isolationLeft = false;
  /** The same for the next borrower: a reset does not restore it on every server. */
  #isolationTouched = false;
  #spoilt = false;
  #observer: StatementObserver | undefined;

  constructor(setup: MssqlConnectionSetup) {
    this.#setup = setup;
    this.tedious = setup.connection;
    this.transaction = new TransactionState(setup.connection, setup.connectionName);
    this.#database = setup.database;
    this.#listeners = [
      ...CONNECTION_EVENTS.map((event) => [event, (payload: unknown) => this.#tell(event, payload)] as const),
      ['infoMessage', (message) => this.#current?.listener?.emit('infoMessage', message)],
      ['errorMessage', (message) => this.#current?.listener?.emit('errorMessage', message as ServerMessage)],
    ];
    for (const [event, listener] of this.#listeners) this.tedious.addListener(event, listener);
  }

  /** Takes the listeners away, for a connection that goes back to whom it belongs. */
  detach(): void {
    for (const [event, listener] of this.#listeners) this.tedious.removeListener(event, listener);
  }

  get isGone(): boolean {
    return isGone(this.tedious);
  }

  /** True when nothing runs and nothing waits. */
  get isIdle(): boolean {
    return this.#current === undefined && this.#jobs.length === 0;
  }

  /** True when the next borrower must not have it: what was done on it lasts through a reset. */
  get isSpoilt(): boolean {
    return this.#spoilt;
  }

  /** Resolves when nothing runs and nothing waits. Never rejects. */
  async untilIdle(): Promise<void> {
    if (this.isIdle) return;
    this.#idle ??= Promise.withResolvers();
    await this.#idle.promise;
  }

  /** Hears of events from now on. */
  watch(watcher: ConnectionWatcher): void {
    this.#watchers.add(watcher);
  }

  /** Ends that. */
  unwatch(watcher: ConnectionWatcher): void {
    this.#watchers.delete(watcher);
  }

  /**
   * To be called when somebody has borrowed it. What the borrower before has left is taken away with the first request: by
   * the reset bit, and by statements for what the bit does not restore on every server.
   *
   * @param lease tells one hand-out of the pool from another: what is locked for the session, say, stays through one of them.
   */
  beginLease(lease: number | undefined): void {
    if (lease === undefined || lease !== this.#lease) {
      if (this.#used) this.#askForReset();
      this.#used = false;
    }
    this.#lease = lease;
    this.#fresh = true;
    this.#isolationLeft ||= this.#isolationTouched;
    this.#isolationTouched = false;
    this.transaction.acknowledge();
  }

  /** A savepoint name that no other on this connection has; of at most 32 characters, as SQL Server has them. */
  savepointName(): string {
    return `dbmanager_${++this.#savepoints}`;
  }

  /** Sends a job when all before it have ended. */
  submit(job: Job): void {
    const observer = isUnobserved() ? undefined : this.#observer;
    this.#jobs.push(observer === undefined ? job : observedJob(job, observer, this));
    this.#pump();
  }

  /**
   * Stops the job that runs, if it is one of that listener's, by an attention; or keeps the first of its jobs that wait from
   * being sent. False when there is none. Without a listener: whatever runs.
   */
  cancel(listener?: Job['listener']): boolean {
    const isOwn = (job: Job) => listener === undefined || job.listener === listener || job.sentFor === listener;
    if (this.#current !== undefined && isOwn(this.#current)) {
      this.#stop(this.#current);
      return true;
    }
    const waiting = listener && this.#jobs.find(isOwn);
    waiting?.cancel?.();
    return waiting?.cancel !== undefined;
  }

  /** Takes the jobs that wait out of the queue, or those of a listener; `error` is delivered to them. */
  withdraw(error: Error, listener?: Job['listener']): void {
    for (const job of [...this.#jobs]) {
      if (listener !== undefined && job.listener !== listener) continue;
      this.#jobs.splice(this.#jobs.indexOf(job), 1);
      deliverLater(job, error);
    }
  }

  /** Runs a text of ours, when all before it have ended. Rejects with the error of tedious. */
  run(sql: string): Promise<void> {
    return promisedJob(this.#batch(sql), (job) => unobserved(() => this.submit(job)), noResult);
  }

  /** Tells of every query that is submitted from now on; what it returns ends that. */
  observe(observer: StatementObserver): () => void {
    this.#observer = observer;
    return () => {
      this.#observer = undefined;
    };
  }

  /** {@link abort} for a user who has asked for it: it is observed. */
  async rollBack(): Promise<void> {
    const observation = this.#observer?.begin('ROLLBACK TRANSACTION', false, this);
    try {
      await this.abort();
      observation?.end();
    } catch (error) {
      observation?.fail(error, statusOf(error));
      throw error;
    }
  }

  /** Rolls back whatever is open. Rejects when that is not known to have been done; the connection is then destroyed. */
  async abort(): Promise<void> {
    try {
      // The server may have ended it and say so only now, by an error: then there is nothing left to roll back.
      if (this.transaction.isOpen) await this.#submitRollback(ROLLBACK).catch(() => undefined);
      if (this.transaction.isOpen || this.transaction.isLost) await this.#submitRollback(this.#batch(ABORT));
      if (!this.transaction.isOpen) return;
    } catch (error) {
      this.destroy();
      throw error;
    }
    this.destroy();
    throw lostError('it could not be rolled back', this.#setup.connectionName);
  }

  /** Ends the connection at once; what is under way on it then fails. */
  destroy(): void {
    this.tedious.close();
  }

  #askForReset(): void {
    this.tedious.resetConnectionOnNextRequest = true;
    this.#resetting = true;
  }

  /** A request that was called off before it was sent to its end is ignored by the server, and the reset bit with it. */
  #resetAgain(error: Error | undefined): void {
    const ignored = error !== undefined && numberOf(error) === 0 && !this.transaction.isOpen;
    if (this.#resetting && ignored) this.#askForReset();
    else this.#resetting = false;
  }

  #submitRollback(job: Omit<Job, 'deliver'>): Promise<void> {
    return promisedJob({ ...job, kind: 'rollback' }, (complete) => unobserved(() => this.submit(complete)), noResult);
  }

  #tell(event: ConnectionEvent, payload: unknown): void {
    if (event === 'rollbackTransaction') this.transaction.rolledBack();
    if (event === 'databaseChange') this.#database = String(payload);
    if (event === 'resetConnection') this.#resetting = false;
    for (const watcher of [...this.#watchers]) watcher.onConnectionEvent(event, payload);
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#current === undefined) {
        const job = this.#jobs.shift();
        if (job === undefined) break;
        this.#start(job);
      }
    } finally {
      this.#pumping = false;
    }
    if (this.isIdle) {
      this.#idle?.resolve();
      this.#idle = undefined;
    }
  }

  #start(job: Job): void {
    const refusal = this.transaction.refusal(job);
    if (refusal !== undefined) {
      deliverLater(job, refusal);
      return;
    }
    const preparation = this.#preparationFor(job);
    this.#fresh = false;
    this.#used = true;
    this.#spoilt ||= leavesForGood(job.text);
    this.#isolationTouched ||= setsIsolation(job.text);
    if (preparation !== '') this.#send(this.#before(job, preparation));
    else this.#send(this.transaction.takesNote(job) ? this.#abortFor(job) : job);
  }

  /** What must run before the first request of a lease, or of a transaction's successor, for it to find what it expects. */
  #preparationFor(job: Job): string {
    const { database } = this.#setup;
    const statements: string[] = [];
    if (this.#fresh && database !== undefined && this.#database !== database) {
      statements.push(`use ${quoteIdentifier(database)}`);
    }
    // A transaction is begun with the level that it is to have.
    if (this.#isolationLeft && job.kind !== 'begin' && !this.transaction.isOpen) statements.push(RESTORE_ISOLATION);
    if (statements.length > 0) this.#isolationLeft = false;
    return statements.join(' ');
  }

  /** Runs `sql`, and then the job itself; fails it when that fails. */
  #before(job: Job, sql: string): Job {
    return {
      ...this.#batch(sql),
      // In its name: its limit holds, and who calls it off calls this off.
      timeoutMs: job.timeoutMs,
      sentFor: job.listener,
      deliver: (outcome) => {
        if (!outcome[0]) {
          this.#jobs.unshift(job);
          return;
        }
        // Neither this job nor one that comes later may find it so.
        this.destroy();
        job.deliver(outcome);
      },
    };
  }

  /** The server has ended the transaction already: what may be open is rolled back, and the job is told that it has done so. */
  #abortFor(job: Job): Job {
    return {
      ...this.#batch(ABORT),
      kind: 'rollback',
      timeoutMs: job.timeoutMs,
      deliver: ([error]) => job.deliver(error ? [error] : [undefined, 0, []]),
    };
  }

  #send(job: Job): void {
    this.#current = job;
    this.#timedOut = false;
    const timer = job.timeoutMs > 0 ? new JobTimer(this.#setup.clock, job, () => this.#expire(job)) : undefined;
    const done = (...outcome: Outcome) => {
      if (this.#current !== job) return;
      this.#current = undefined;
      timer?.end();
      const told = this.#settle(job, outcome);
      try {
        job.deliver(told);
      } finally {
        this.#pump();
      }
    };
    try {
      job.send(this.tedious, done);
    } catch (error) {
      // tedious refuses some arguments by throwing.
      process.nextTick(done, error);
    }
  }

  #settle(job: Job, [error, ...results]: Outcome): Outcome {
    const single = error ? singleError(error) : undefined;
    const noted = this.transaction.takesNote(job);
    const told = this.transaction.settle(job, single);
    this.#resetAgain(single);
    if (noted && told === undefined) this.transaction.acknowledge();
    if (job.kind === 'begin' && single === undefined) this.#begunWith(job.isolation);
    return [told !== undefined && told === single && this.#timedOut ? this.#timeoutError(job) : told, ...results];
  }

  #begunWith(isolation: number | undefined): void {
    if (isolation === undefined) return;
    // It is that of the connection from now on, not of the transaction.
    this.#isolationLeft = isolation !== this.#setup.driver.ISOLATION_LEVEL.READ_COMMITTED;
    this.#isolationTouched ||= this.#isolationLeft;
  }

  #expire(job: Job): void {
    if (this.#current !== job) return;
    this.#timedOut = true;
    this.#stop(job);
  }

  #stop(job: Job): void {
    if (job.cancel === undefined) this.tedious.cancel();
    else job.cancel();
  }

  #timeoutError({ timeoutMs }: Job): Error {
    // In tedious' words: its own limit ends with the first packet of the answer, this one with the last.
    const { RequestError } = this.#setup.driver;
    return new RequestError(`Timeout: Request failed to complete in ${timeoutMs}ms`, 'ETIMEOUT');
  }

  #batch(sql: string): Job {
    const request = new this.#setup.driver.Request(sql, () => {});
    return requestJob('execSqlBatch', request, undefined, INTERNAL);
  }
}

function deliverLater(job: Job, error: Error): void {
  process.nextTick(() => job.deliver([error]));
}

function noResult(): void {}

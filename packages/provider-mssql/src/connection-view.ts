import { EventEmitter } from 'node:events';
import { DbManagerError } from '@dbmanager/core';
import {
  bulkLoadJob,
  type Job,
  type JobKind,
  type JobListener,
  type JobOptions,
  type Outcome,
  type RequestMethod,
  requestJob,
} from './job.js';
import type { ConnectionEvent, ConnectionWatcher, MssqlConnection } from './mssql-connection.js';
import type { TediousBulkLoad, TediousConnection, TediousDriver, TediousRequest } from './tedious-driver.js';

type Callback = (error?: Error | null, ...results: unknown[]) => void;

/** What the views of one owner have in common. */
export interface ConnectionViewSetup {
  readonly driver: TediousDriver;
  readonly connectionName: string;
  /** Limit of a request that has none of its own, in milliseconds; 0 is none. */
  readonly timeoutMs: number;
}

/**
 * A connection as somebody sees it who does not own it: tedious' connection, with its own listeners, its own `cancel()`, and
 * the errors and notices of its own requests only. Requests may be sent at any time: they queue up.
 */
export abstract class ConnectionView extends EventEmitter implements ConnectionWatcher, JobListener {
  readonly #setup: ConnectionViewSetup;
  /** Names of savepoints, as given here and as they are on the server: several views may use the same. */
  readonly #savepoints = new Map<string, string>();
  /** The name that the transaction was begun with. */
  #transactionName = '';

  constructor(setup: ConnectionViewSetup) {
    super();
    this.#setup = setup;
  }

  /** The connection behind it. Throws when it may not be used any more. */
  protected abstract readonly real: MssqlConnection;

  /** False from when it may not be used any more. */
  protected abstract readonly isUsable: boolean;

  /** Sends a job, or delivers why not. */
  protected abstract send(job: Job): void;

  /** Tells the view of something that befalls its connection. */
  onConnectionEvent(event: ConnectionEvent, payload: unknown): void {
    // Unheard it would end the process; the pool has heard of it.
    if (event === 'error' && this.listenerCount('error') === 0) return;
    this.emit(event, payload);
  }

  // --- what tedious shows of itself

  get closed(): boolean {
    return !this.isUsable || this.real.isGone;
  }

  get STATE(): TediousConnection['STATE'] {
    return this.#setup.driver.Connection.prototype.STATE;
  }

  /** Logged in as long as it may be used: that something runs is no hindrance here. */
  get state(): TediousConnection['state'] {
    return this.closed ? this.STATE.FINAL : this.STATE.LOGGED_IN;
  }

  get inTransaction(): boolean {
    return !this.closed && this.real.transaction.isOpen;
  }

  get databaseCollation(): TediousConnection['databaseCollation'] {
    return this.real.tedious.databaseCollation;
  }

  /** How it was connected, without who logged in. */
  get config(): object {
    const { server, options, authentication } = this.real.tedious.config;
    return { server, options, authentication: { type: authentication.type } };
  }

  // --- requests

  execSql(request: TediousRequest): void {
    this.#request('execSql', request);
  }

  execSqlBatch(request: TediousRequest): void {
    this.#request('execSqlBatch', request);
  }

  callProcedure(request: TediousRequest): void {
    this.#request('callProcedure', request);
  }

  prepare(request: TediousRequest): void {
    this.#request('prepare', request);
  }

  unprepare(request: TediousRequest): void {
    this.#request('unprepare', request);
  }

  execute(request: TediousRequest, parameters?: Record<string, unknown>): void {
    this.#request('execute', request, parameters);
  }

  newBulkLoad(...args: Parameters<TediousConnection['newBulkLoad']>): TediousBulkLoad {
    return this.real.tedious.newBulkLoad(...args);
  }

  execBulkLoad(bulkLoad: TediousBulkLoad, rows: Parameters<TediousConnection['execBulkLoad']>[1]): void {
    this.send(bulkLoadJob(bulkLoad, rows, this.#options));
  }

  /** Stops the request of this view that runs, or the first that waits. False when there is none. */
  cancel(): boolean {
    return this.isUsable && this.real.cancel(this);
  }

  // --- transactions

  beginTransaction(callback: Callback, name = '', isolation?: number): void {
    const level = isolation ?? this.#setup.driver.ISOLATION_LEVEL.READ_COMMITTED;
    this.#transactionName = name;
    this.#transactional('begin', callback, (connection, done) => connection.beginTransaction(done, name, level), level);
  }

  commitTransaction(callback: Callback, _name?: string): void {
    this.#transactional('commit', callback, (connection, done) => connection.commitTransaction(done));
  }

  /** Rolls back to the savepoint of that name; without one, or with that of the transaction, the whole. */
  rollbackTransaction(callback: Callback, name = ''): void {
    if (name === '' || (name === this.#transactionName && !this.#savepoints.has(name))) {
      this.#transactional('rollback', callback, (connection, done) => connection.rollbackTransaction(done));
      return;
    }
    const saved = this.#savepoints.get(name) ?? name;
    this.#transactional('rollback to savepoint', callback, (connection, done) =>
      connection.rollbackTransaction(done, saved),
    );
  }

  saveTransaction(callback: Callback, name = ''): void {
    this.#transactional('savepoint', callback, (connection, done) => {
      const saved = this.real.savepointName();
      this.#savepoints.set(name, saved);
      connection.saveTransaction(done, saved);
    });
  }

  /** tedious' own helper, on the methods of this view. */
  transaction(...args: Parameters<TediousConnection['transaction']>): void {
    Reflect.apply(this.#setup.driver.Connection.prototype.transaction, this, args);
  }

  // --- life

  /** It is connected already. */
  connect(callback?: Callback): void {
    process.nextTick(() => {
      callback?.();
      this.emit('connect');
    });
  }

  /** Whoever borrows a connection gets it reset already. */
  reset(callback: Callback): void {
    process.nextTick(callback);
  }

  abstract close(): void;

  /** Says why something is not sent. */
  protected refusal(code: ConstructorParameters<typeof DbManagerError>[0], message: string): DbManagerError {
    return new DbManagerError(code, message, { connectionName: this.#setup.connectionName });
  }

  get #options(): JobOptions {
    return { timeoutMs: this.#setup.timeoutMs, listener: this };
  }

  #request(how: RequestMethod, request: TediousRequest, parameters?: Record<string, unknown>): void {
    this.send(requestJob(how, request, parameters, this.#options));
  }

  #transactional(
    kind: JobKind,
    callback: Callback,
    send: (connection: TediousConnection, done: (...outcome: Outcome) => void) => void,
    isolation?: number,
  ): void {
    // Whether it was done must be known: it is not called off half-way.
    this.send({
      kind,
      text: '',
      isolation,
      timeoutMs: this.#setup.timeoutMs,
      listener: this,
      send: (connection, done) => send(connection, done as Callback),
      deliver: ([error, ...results]) => callback(error ?? undefined, ...results),
    });
  }
}

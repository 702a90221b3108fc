import { exponentialDelay, shorten } from './backoff.js';
import type { Bridge, BridgeTarget, OpenedHandle } from './bridge.js';
import type { ConnectionConfig } from './connection-options.js';
import { Deadline, raceSignal, sleep } from './deadline.js';
import { abortedError, DbManagerError, isDbManagerError, NotSqlDatabaseError } from './errors.js';
import type { EventHub } from './events.js';
import { HandleCache } from './handle-cache.js';
import type { ConnectionHealth, ConnectionState, HealthStatus } from './health/connection-health.js';
import type { Monitored } from './health/health-monitor.js';
import { HealthRecord } from './health/health-record.js';
import { type ReconnectOutcome, Reconnector } from './health/reconnector.js';
import { Lanes } from './lanes.js';
import type { ManagerEvents, PoolEvent } from './manager-events.js';
import type { AcquireOptions, Lease } from './pool/lease.js';
import type { PoolCloseReport } from './pool/pool.js';
import type { PoolEvents } from './pool/pool-events.js';
import type { Engine, Lane, LeaseCounts, ProviderContext } from './provider.js';
import type { StatementProfile, StatementRecorder } from './statement-stats.js';
import type { ConnectionStats } from './stats.js';
import { TransactionCounters } from './transaction-stats.js';
import { unopenedPoolStats } from './unopened-pool-stats.js';

/** What a manager gives each of its connections. */
export interface ManagedConnectionSetup<C = unknown> {
  readonly config: ConnectionConfig;
  /** Loads the driver and prepares the engine; called again after a failed start. */
  openEngine(context: ProviderContext): Promise<Engine<C>>;
  readonly context: ProviderContext;
  readonly events: EventHub<ManagerEvents>;
  /** Keeps account of the statements. Left out: nobody does. */
  readonly recorder?: StatementRecorder | undefined;
}

/** What is open of a database, from the loading of its driver until it is closed. */
interface Opened<C> {
  readonly engine: Engine<C>;
  readonly lanes: Lanes<C>;
  /** Aborted when closing begins: what its pools tell from then on is not of the database. */
  readonly ending: AbortController;
}

/** Legal moves between states; every other is a bug. */
const MOVES: Readonly<Record<ConnectionState, readonly ConnectionState[]>> = {
  registered: ['connecting', 'ready', 'closing'],
  connecting: ['ready', 'failed', 'registered', 'closing'],
  ready: ['degraded', 'registered', 'closing'],
  degraded: ['ready', 'registered', 'closing'],
  failed: ['connecting', 'closing'],
  closing: ['closed'],
  closed: [],
};

/** The share by which jitter shortens the delays between startup retries. */
const STARTUP_JITTER = 0.1;

/** Events of the pools that are passed on to the manager's listeners. */
const FORWARDED = [
  'created',
  'createFailed',
  'destroyed',
  'lost',
  'generation',
  'down',
  'up',
  'leak',
  'leakReturned',
  'dirtyRelease',
  'acquireTimeout',
] as const satisfies readonly (keyof PoolEvents)[];

const NOTHING_HELD: PoolCloseReport = { drained: true, held: [] };

/**
 * One named connection for as long as its manager lives: its engine, its pools, its health. What it hands out (leases,
 * handles of bridges) goes on working across reconnects.
 */
export class ManagedConnection<C = unknown> implements BridgeTarget<C>, Monitored {
  readonly name: string;
  readonly type: string;
  readonly config: ConnectionConfig;
  /** Counts the transactions of this connection. */
  readonly transactions = new TransactionCounters();
  readonly #setup: ManagedConnectionSetup<C>;
  readonly #health: HealthRecord;
  readonly #reconnector: Reconnector;
  readonly #closing = new AbortController();
  readonly #handles: HandleCache;
  #state: ConnectionState = 'registered';
  #opened: Opened<C> | undefined;
  #opening: Promise<Opened<C>> | undefined;
  #checking: Promise<void> | undefined;
  /** Ends the first attempt of an optional connection, while it runs. */
  #connecting: AbortController | undefined;
  #suspended = false;
  #closed: Promise<PoolCloseReport> | undefined;

  constructor(setup: ManagedConnectionSetup<C>) {
    const { config, context } = setup;
    this.name = config.name;
    this.type = config.type;
    this.config = config;
    this.#setup = setup;
    this.#health = new HealthRecord();
    this.#handles = new HandleCache(config.name);
    this.#reconnector = new Reconnector({
      clock: context.clock,
      random: context.random,
      backoff: { baseMs: config.options.retryDelayMs, maxMs: config.options.retryMaxDelayMs },
      // Waits for the pool's own prober when there is one: two backoffs side by side would be twice the connects.
      attempt: (signal) => this.#renew(signal, false),
      onAttempt: (attempt, outcome) => this.#reportReconnect(attempt, outcome),
    });
  }

  // --- what it is

  get tags(): Readonly<Record<string, string>> {
    return this.config.options.tags;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** The prepared engine. Throws `DBM_NOT_CONNECTED` before the manager has loaded the driver. */
  get engine(): Engine<C> {
    if (this.#opened === undefined) throw this.#notOpen();
    return this.#opened.engine;
  }

  /** Aborted when this connection begins to close. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  get counts(): LeaseCounts {
    return (
      this.#opened?.lanes.counts ?? { max: this.config.options.maxOpenConns, open: 0, idle: 0, inUse: 0, pending: 0 }
    );
  }

  /** What is known of its health; asks no database. */
  health(): ConnectionHealth {
    const pool = this.#opened?.lanes.stats();
    return {
      name: this.name,
      type: this.type,
      startup: this.config.options.startup,
      state: this.#state,
      status: this.#status(),
      saturated: pool?.saturated ?? false,
      suspended: this.#suspended,
      ...this.#health.facts(),
    };
  }

  /** A snapshot of its counters; asks no database. */
  stats(): ConnectionStats {
    return {
      name: this.name,
      type: this.type,
      tags: this.tags,
      health: this.health(),
      pool: this.#opened?.lanes.stats() ?? unopenedPoolStats(this.config.options),
      healthChecks: this.#health.durations.snapshot(),
      reconnects: this.#health.reconnects,
      transactions: this.transactions.snapshot(),
      statements: this.#setup.recorder?.stats(),
      metricsEnabled: this.config.options.enableMetrics,
      identity: this.#opened?.engine.identity,
    };
  }

  /** Of the statements seen lately, those that took most time altogether, the worst first; none where nobody keeps account. */
  slowestStatements(limit = 10): readonly StatementProfile[] {
    return this.#setup.recorder?.slowest(limit) ?? [];
  }

  // --- borrowing

  /**
   * Borrows a connection; the caller gives it back. A connection that was never opened is opened now. Rejects with
   * `DBM_ACQUIRE_TIMEOUT`, `DBM_QUEUE_FULL`, `DBM_POOL_DEADLOCK`, `DBM_ABORTED`, `DBM_CLOSED`, or what a connect that
   * waiting cannot mend was refused with.
   */
  acquire(options?: AcquireOptions & { readonly lane?: Lane }): Promise<Lease<C>> {
    const lanes = this.#opened?.lanes;
    return lanes === undefined ? this.#openAndAcquire(options) : lanes.acquire(options);
  }

  tryAcquire(lane?: Lane): Lease<C> | undefined {
    return this.#opened?.lanes.tryAcquire(lane);
  }

  holding<T>(work: () => T): T {
    return this.#opened === undefined ? work() : this.#opened.lanes.holding(work);
  }

  get held(): boolean {
    return this.#opened?.lanes.held ?? false;
  }

  /**
   * The handle a bridge builds on this connection. The same bridge and key give the same handle; asking again with other
   * options throws `DBM_INVALID_OPTION`, a type that the bridge cannot drive `DBM_UNSUPPORTED`, or `DBM_NOT_SQL` when it is
   * known to be no SQL database.
   */
  use<H, O extends object, B>(bridge: Bridge<H, O, B>, options?: O, key = 'default'): H {
    if (!bridge.types.includes(this.type)) {
      if (this.#opened !== undefined && this.#opened.engine.sql === undefined) {
        throw new NotSqlDatabaseError(this.name, bridge.name);
      }
      throw new DbManagerError('DBM_UNSUPPORTED', `${bridge.name} cannot run on a connection of type ${this.type}`, {
        connectionName: this.name,
      });
    }
    if (this.#closing.signal.aborted) throw this.#closedError();
    return this.#handles.get(bridge.name, key, options, () => bridge.open(this, options));
  }

  /** What {@link use} has built for that bridge and key; undefined when it has not. */
  opened(bridgeName: string, key: string): OpenedHandle | undefined {
    return this.#handles.opened(bridgeName, key);
  }

  /** The native handle: behaves as the driver's own pool on the shared one; ending it only detaches. */
  native(): unknown {
    if (this.#closing.signal.aborted) throw this.#closedError();
    const { engine } = this;
    const { native } = engine;
    if (native === undefined) {
      throw new DbManagerError('DBM_UNSUPPORTED', `type ${this.type} has no native handle`, {
        connectionName: this.name,
      });
    }
    return this.#handles.get('native', 'default', undefined, () => native.call(engine, this));
  }

  // --- opening and closing

  /**
   * Does what `startup` says. `required`: opens the first connection, repeating what waiting can mend, within
   * `startup_timeout`; rejects with the last error, and then nothing is open. `optional`: begins to connect in the
   * background. `lazy`: only loads the driver. Does nothing when open.
   */
  async connect(signal?: AbortSignal): Promise<void> {
    if (this.#closing.signal.aborted) throw this.#closedError();
    if (this.#state !== 'registered' && this.#state !== 'failed') return;
    if (this.config.options.startup === 'required') return this.#connectNow(signal);
    try {
      await this.#open();
    } catch (error) {
      this.#health.failure(error as Error);
    }
    if (this.config.options.startup === 'lazy') return;
    this.#move('connecting');
    void this.#connectInBackground();
  }

  /** Closes what is open but not the connection itself: after a failed start, so that a retry begins anew. */
  async disconnect(): Promise<void> {
    this.#connecting?.abort();
    this.#reconnector.stop();
    await this.#release({ drainTimeoutMs: 0 });
    if (this.#state !== 'registered' && this.#state !== 'failed') this.#move('registered');
  }

  /**
   * Refuses new work, drains to `drain_timeout`, then closes by force. Tells who still held a connection. Idempotent;
   * never rejects.
   */
  close(options: { readonly drainTimeoutMs?: number; readonly signal?: AbortSignal } = {}): Promise<PoolCloseReport> {
    this.#closed ??= this.#close(options);
    return this.#closed;
  }

  // --- health

  get checkIntervalMs(): number {
    return this.config.options.healthCheckIntervalMs;
  }

  get checkable(): boolean {
    return this.#state === 'ready' || this.#state === 'degraded';
  }

  /**
   * Asks the database whether it is well, on a way that waits for no pool slot. Concurrent calls share one check; each
   * caller's signal ends only its own wait. Rejects with `DBM_HEALTH_CHECK_FAILED`, `DBM_HEALTH_CHECK_TIMEOUT`,
   * `DBM_ABORTED` or `DBM_CLOSED`.
   */
  healthCheck(signal?: AbortSignal): Promise<void> {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
    return this.#unlessAborted(this.#checking, signal);
  }

  /**
   * Proves a new connection, then retires the old ones; a failure keeps them. Concurrent calls make one new connection.
   * Rejects with what the attempt failed with.
   */
  async reconnect(signal?: AbortSignal): Promise<void> {
    if (this.#closing.signal.aborted) throw this.#closedError();
    const until = this.#until(signal);
    try {
      await this.#renew(until);
      this.#reportReconnect(1, {});
    } catch (error) {
      if (this.#closing.signal.aborted) throw this.#closedError();
      if (!until.aborted) this.#reportReconnect(1, { error: error as Error });
      throw error;
    }
  }

  /** Acquires wait from now on, without timing out, up to `max_pending`; running work goes on. */
  suspend(): void {
    this.#suspended = true;
    this.#opened?.lanes.suspend();
  }

  resume(): void {
    this.#suspended = false;
    this.#opened?.lanes.resume();
  }

  // --- within

  async #connectInBackground(): Promise<void> {
    const ending = new AbortController();
    this.#connecting = ending;
    try {
      await this.#connectFirst(this.#until(ending.signal));
    } catch (error) {
      // Closed, or disconnected because another connection could not start.
      if (ending.signal.aborted || this.#state !== 'connecting') return;
      this.#health.failure(error as Error);
      this.#reconnector.start();
    }
  }

  async #connectNow(signal: AbortSignal | undefined): Promise<void> {
    this.#move('connecting');
    const { clock } = this.#setup.context;
    using deadline = new Deadline(clock, this.config.options.startupTimeoutMs, this.#until(signal));
    try {
      await this.#connectWithRetries(deadline);
    } catch (error) {
      this.#health.failure(error as Error);
      await this.#release({ drainTimeoutMs: 0 });
      if (this.#state === 'connecting') this.#move('failed');
      throw this.#named(error);
    }
  }

  async #openAndAcquire(options: (AcquireOptions & { readonly lane?: Lane }) | undefined): Promise<Lease<C>> {
    if (this.#state === 'failed') throw this.#notOpen();
    const { lanes } = await this.#unlessAborted(this.#open(), options?.signal);
    return lanes.acquire(options);
  }

  #open(): Promise<Opened<C>> {
    if (this.#closing.signal.aborted) return Promise.reject(this.#closedError());
    if (this.#opened !== undefined) return Promise.resolve(this.#opened);
    this.#opening ??= this.#openEngine().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #openEngine(): Promise<Opened<C>> {
    const { context } = this.#setup;
    const engine = await this.#setup.openEngine(context);
    const lanes = new Lanes(engine, this.config, context);
    if (this.#closing.signal.aborted) {
      await engine.close?.();
      throw this.#closedError();
    }
    if (this.#suspended) lanes.suspend();
    const opened: Opened<C> = { engine, lanes, ending: new AbortController() };
    this.#opened = opened;
    this.#follow(opened);
    for (const event of FORWARDED) {
      lanes.on(event, (payload) => {
        if (this.#setup.events.has('pool')) {
          this.#setup.events.emit('pool', { connection: this.name, event, payload } as {
            connection: string;
          } & PoolEvent);
        }
      });
    }
    return opened;
  }

  /** Takes what its pools tell for the state of the database, until it is closed. */
  #follow({ lanes, ending: { signal } }: Opened<C>): void {
    const unlessEnding = (listener: () => void) => {
      if (!signal.aborted) listener();
    };
    lanes.on('created', () => unlessEnding(() => this.#answered()));
    lanes.on('up', () => unlessEnding(() => this.#answered()));
    lanes.on('down', ({ error }) => unlessEnding(() => this.#failing(error)));
    lanes.on('lost', () => unlessEnding(() => this.#suspect()));
  }

  async #connectWithRetries(deadline: Deadline): Promise<void> {
    const { clock, random } = this.#setup.context;
    const { retryAttempts, retryDelayMs, retryMaxDelayMs, startupTimeoutMs } = this.config.options;
    let last: unknown;
    for (let attempt = 1; ; attempt++) {
      try {
        return await deadline.race(this.#connectFirst(deadline.signal));
      } catch (error) {
        if (deadline.signal.aborted) throw this.#startupEnded(deadline, last ?? error, startupTimeoutMs);
        if (!isDbManagerError(error) || !error.retryable || attempt > retryAttempts) throw error;
        last = error;
      }
      const delayMs = exponentialDelay(attempt, { baseMs: retryDelayMs, maxMs: retryMaxDelayMs });
      try {
        await sleep(clock, shorten(delayMs, STARTUP_JITTER, random), deadline.signal, { keepAlive: true });
      } catch {
        throw this.#startupEnded(deadline, last, startupTimeoutMs);
      }
    }
  }

  /**
   * One attempt to connect for the first time, which is the first check as well: it asks the database, and unlike one
   * that came after it does not take the only idle connection from the first caller.
   */
  async #connectFirst(signal: AbortSignal): Promise<void> {
    const { clock } = this.#setup.context;
    // Loading the driver says nothing of the database.
    await this.#open();
    const startedAt = clock.now();
    await this.#renew(signal);
    this.#health.checked(clock.now() - startedAt);
    this.#setup.events.emit('health', this.health());
  }

  #startupEnded(deadline: Deadline, cause: unknown, timeoutMs: number): DbManagerError {
    if (!deadline.expired) return abortedError(deadline.signal, this.name);
    const detail = isDbManagerError(cause) ? `: ${cause.detail}` : '';
    return new DbManagerError('DBM_STARTUP_TIMEOUT', `not up within startup_timeout (${timeoutMs} ms)${detail}`, {
      connectionName: this.name,
      option: 'startup_timeout',
      cause,
    });
  }

  /** @param immediate does not wait for the backoff that the pool is in. */
  async #renew(signal: AbortSignal, immediate = true): Promise<void> {
    const { lanes } = await this.#open();
    await lanes.renew({ signal, immediate });
  }

  async #check(): Promise<void> {
    const { clock } = this.#setup.context;
    const { healthCheckTimeoutMs } = this.config.options;
    const startedAt = clock.now();
    using deadline = new Deadline(clock, healthCheckTimeoutMs, this.#closing.signal);
    let ending: AbortSignal | undefined;
    try {
      const opened = await this.#open();
      ending = opened.ending.signal;
      await this.#probe(opened, AbortSignal.any([deadline.signal, ending]));
      this.#health.checked(clock.now() - startedAt);
      this.#answered();
    } catch (error) {
      // Closed because another connection could not start: this says nothing of the database.
      if (ending?.aborted === true) throw this.#notOpen();
      this.#health.checked(clock.now() - startedAt);
      // A server that is full has answered: busy is not down.
      if (isDbManagerError(error, 'DBM_TOO_MANY_CONNECTIONS')) return this.#answered();
      const failure = this.#checkError(error, deadline.expired, healthCheckTimeoutMs);
      if (!this.#closing.signal.aborted) {
        this.#health.failure(failure);
        this.#failing(failure);
      }
      throw failure;
    } finally {
      this.#setup.events.emit('health', this.health());
    }
  }

  /** @param signal ends it, also when the engine does not heed it. */
  #probe({ engine, lanes }: Opened<C>, signal: AbortSignal): Promise<void> {
    return raceSignal(engine.probe?.(signal) ?? lanes.probe(signal), signal);
  }

  #checkError(error: unknown, expired: boolean, timeoutMs: number): DbManagerError {
    if (isDbManagerError(error, 'DBM_CLOSED')) return error;
    if (expired) {
      return new DbManagerError('DBM_HEALTH_CHECK_TIMEOUT', `no answer within health_check_timeout (${timeoutMs} ms)`, {
        connectionName: this.name,
        option: 'health_check_timeout',
        cause: error,
      });
    }
    const reason = error instanceof DbManagerError ? error.detail : String(error);
    return new DbManagerError('DBM_HEALTH_CHECK_FAILED', `health check failed: ${reason}`, {
      connectionName: this.name,
      cause: error,
    });
  }

  /** A connection died: find out at once what else did, rather than at the next interval. */
  #suspect(): void {
    // What the check finds is recorded by the check.
    if (this.checkable && this.checkIntervalMs > 0) this.healthCheck().catch(() => undefined);
  }

  /** The database has answered. */
  #answered(): void {
    this.#health.success();
    if (this.#state === 'registered' || this.#state === 'connecting' || this.#state === 'degraded') this.#move('ready');
    this.#reconnector.recovered();
  }

  /** The database fails to answer. */
  #failing(error: Error): void {
    if (isDbManagerError(error, 'DBM_TOO_MANY_CONNECTIONS')) return;
    this.#health.down(error);
    if (this.#state === 'ready') this.#move('degraded');
    if (this.#state === 'degraded' && this.config.options.enableAutoReconnect) this.#reconnector.start();
  }

  #reportReconnect(attempt: number, outcome: ReconnectOutcome): void {
    const result = outcome.error === undefined ? 'success' : 'failure';
    this.#health.reconnected(result);
    if (outcome.error !== undefined) this.#health.failure(outcome.error);
    this.#setup.events.emit('reconnect', { connection: this.name, attempt, result, ...outcome });
  }

  #status(): HealthStatus {
    switch (this.#state) {
      case 'ready':
        return 'healthy';
      case 'degraded':
        return 'unhealthy';
      case 'registered':
      case 'connecting':
        return this.#health.facts().error === undefined ? 'unknown' : 'disconnected';
      default:
        return 'disconnected';
    }
  }

  #move(to: ConnectionState): void {
    const from = this.#state;
    if (!MOVES[from].includes(to)) throw new Error(`connection "${this.name}" cannot go from ${from} to ${to}`);
    this.#state = to;
    this.#setup.events.emit('state', { connection: this.name, from, to });
  }

  /** The outcome of `work`, which goes on when this caller gives up: `DBM_ABORTED` for it alone. */
  async #unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    try {
      return await raceSignal(work, signal);
    } catch (error) {
      throw signal?.aborted === true && error === signal.reason ? abortedError(signal, this.name) : error;
    }
  }

  /** A signal that aborts with the caller's or when this connection closes. */
  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
  }

  async #close(options: { readonly drainTimeoutMs?: number; readonly signal?: AbortSignal }): Promise<PoolCloseReport> {
    this.#move('closing');
    this.#closing.abort(this.#closedError());
    this.#reconnector.stop();
    const report = await this.#release(options);
    this.#handles.clear();
    this.#move('closed');
    return report;
  }

  /** Closes the lanes and the engine, also those that are being opened. */
  async #release(options: {
    readonly drainTimeoutMs?: number;
    readonly signal?: AbortSignal;
  }): Promise<PoolCloseReport> {
    // What it rejects with has been reported to whoever asked for it.
    await this.#opening?.catch(() => undefined);
    const opened = this.#opened;
    if (opened === undefined) return NOTHING_HELD;
    opened.ending.abort();
    // It ends now, so that who asks after this is not given its outcome.
    await this.#checking?.catch(() => undefined);
    const report = await opened.lanes.close(options);
    if (this.#opened === opened && !this.#closing.signal.aborted) this.#opened = undefined;
    await opened.engine.close?.();
    return report;
  }

  /** The error with this connection's name on it, also when a provider or the engine's driver left it out. */
  #named(error: unknown): DbManagerError {
    const known = error instanceof DbManagerError;
    if (known && error.connectionName !== undefined) return error;
    return new DbManagerError(
      known ? error.code : 'DBM_CONNECT_FAILED',
      error instanceof Error ? error.message : String(error),
      {
        connectionName: this.name,
        cause: error,
        ...(known ? { option: error.option, retryable: error.retryable } : {}),
      },
    );
  }

  #closedError(): DbManagerError {
    return new DbManagerError('DBM_CLOSED', 'closed', { connectionName: this.name });
  }

  #notOpen(): DbManagerError {
    if (this.#closing.signal.aborted) return this.#closedError();
    const { error } = this.#health.facts();
    return new DbManagerError('DBM_NOT_CONNECTED', 'not connected; await connect() of the manager first', {
      connectionName: this.name,
      ...(error === undefined ? {} : { cause: error }),
    });
  }
}

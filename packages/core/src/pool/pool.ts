import { type Clock, systemClock } from '../clock.js';
import { raceSignal } from '../deadline.js';
import { abortedError } from '../errors.js';
import { EventHub, type EventSource } from '../events.js';
import { type Logger, silentLogger } from '../logger.js';
import type { LeaseCounts } from '../provider.js';
import type { Random } from '../random.js';
import { BoundedCall } from './bounded-call.js';
import type { ConnectionFactory, ErrorVerdict } from './connection-factory.js';
import type { ConnectionPool } from './connection-pool.js';
import { type ConnectOrder, Connector } from './connector.js';
import { DeadlockGuard } from './deadlock-guard.js';
import { closeEntry } from './entry-closer.js';
import { Housekeeper } from './housekeeper.js';
import { IdleStack } from './idle-stack.js';
import { borrowOf, LeakDetector } from './leak-detector.js';
import type { AcquireOptions, Lease } from './lease.js';
import { PoolCounters } from './pool-counters.js';
import type { PoolEntry } from './pool-entry.js';
import {
  acquireTimeout,
  asError,
  connectionUnresponsive,
  invalidTimeout,
  poolClosed,
  poolDeadlock,
  queueFull,
} from './pool-errors.js';
import type { Borrow, PoolEvents } from './pool-events.js';
import { type LeaseDesk, PoolLease } from './pool-lease.js';
import type { PoolOptions } from './pool-options.js';
import type { CloseReason, PoolStats } from './pool-stats.js';
import { SharedCall } from './shared-call.js';
import { type Waiter, WaiterQueue } from './waiter-queue.js';

/** How long cleaning a connection that was given back dirty may take. */
const CLEAN_LIMIT_MS = 1_000;
/**
 * A validation cut short by its caller says nothing of the connection, unless it had no answer for this long: then it
 * counts as a death. It is the shortest `acquire_timeout`, so that a caller whose whole time went into one validation
 * spares the next caller the same.
 */
const SUSPECT_AFTER_MS = 250;

/** What a pool is made of. */
export interface PoolSetup<C> {
  /** Name of the connection, for errors and logs. */
  readonly name: string;
  readonly factory: ConnectionFactory<C>;
  readonly options: PoolOptions;
  /** Default: the machine's monotonic clock. */
  readonly clock?: Clock;
  /** Jitter of backoff and ages. Default `Math.random`. */
  readonly random?: Random;
  /** Default: silent. */
  readonly logger?: Logger;
}

/** Options of a renewal. */
export interface RenewOptions<C> {
  /** What makes connections from now on; default: what makes them already. */
  readonly factory?: ConnectionFactory<C> | undefined;
  /** Why the old connections are closed. Default `reload`. */
  readonly reason?: CloseReason | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Does not wait for a pending backoff. Default false. */
  readonly immediate?: boolean | undefined;
}

/** Options of a close. */
export interface PoolCloseOptions {
  /** How long to wait for connections in use, in milliseconds. Default `drain_timeout`. */
  readonly drainTimeoutMs?: number | undefined;
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
}

/** How a close went. */
export interface PoolCloseReport {
  /** Every connection was given back in time. */
  readonly drained: boolean;
  /** Who still held one when time was up. */
  readonly held: readonly Borrow[];
}

/** Why a check was called off; says nothing of the connection. */
class Withdrawn extends Error {
  readonly reason: CloseReason;

  constructor(reason: CloseReason) {
    super(`the check was called off (${reason})`);
    this.reason = reason;
  }
}

/** A look at one connection, and what follows from it. */
interface Check {
  readonly limitMs: number;
  readonly keepAlive?: boolean;
  readonly run: (signal: AbortSignal) => Promise<void>;
  readonly timeoutError: () => Error;
  /** It is fine, and still wanted. */
  readonly passed: (now: number) => void;
  /** It failed the check, and is of the present generation. */
  readonly failed: (error: Error) => void;
}

/** A renewal under way. */
interface Renewal<C> {
  readonly call: SharedCall<void>;
  readonly factory: ConnectionFactory<C> | undefined;
  readonly order: ConnectOrder<C>;
}

/**
 * A pool of connections of one kind, which it knows only by their factory. Callers get one in order of arrival; what is
 * idle, dead, dirty or too old is the pool's business. It lives as long as its name: a reconnect starts a new
 * *generation* under the same object, and with it may come another factory.
 *
 * Every connection is in `#entries` from its arrival to its end, and there in exactly one of these places: idle (in
 * `#idle`), out on a lease (`entry.lease`), or under a check (`entry.check`: validation, ping, cleaning). Connections
 * being closed have left and no longer count against `max_open_conns`.
 *
 * ```ts
 * await using lease = await pool.acquire({ signal });
 * await lease.connection.query('select 1');
 * ```
 */
export class Pool<C> implements ConnectionPool<C> {
  readonly name: string;
  readonly #options: PoolOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #events: EventHub<PoolEvents>;
  readonly #counters = new PoolCounters();
  readonly #guard = new DeadlockGuard();
  readonly #leaks: LeakDetector;
  readonly #waiters: WaiterQueue<Lease<C>>;
  readonly #connector: Connector<C>;
  readonly #housekeeper: Housekeeper<C>;
  readonly #desk: LeaseDesk<C>;
  /** Every open connection. */
  readonly #entries = new Set<PoolEntry<C>>();
  readonly #idle = new IdleStack<C>();
  /** Those being validated for a waiter, the longest first. */
  readonly #validating = new Set<PoolEntry<C>>();
  /** Checks and closes under way, for `close` to wait for. */
  readonly #chores = new Set<Promise<void>>();
  /** How long a connection may be idle before it is validated; negative for always. */
  readonly #freshMs: number;
  #inUse = 0;
  #lastLeaseId = 0;
  #generation = 1;
  /** Why the generation before this one was ended. */
  #flushReason: CloseReason = 'flush';
  /** Neither suspended nor closing: hands out connections. */
  #serving = true;
  #suspended = false;
  #renewal: Renewal<C> | undefined;
  #closed = false;
  #closing: Promise<PoolCloseReport> | undefined;
  #endDrain: (() => void) | undefined;

  /** Opens nothing and starts no timer. */
  constructor({
    name,
    factory,
    options,
    clock = systemClock,
    random = Math.random,
    logger = silentLogger,
  }: PoolSetup<C>) {
    this.name = name;
    this.#options = options;
    this.#clock = clock;
    this.#logger = logger;
    this.#freshMs = options.validateAfterMs === 0 ? -1 : options.validateAfterMs;
    this.#events = new EventHub((error) => logger.error({ pool: name, err: error }, 'a listener of the pool threw'));
    this.#desk = {
      name,
      giveBack: (entry, error) => this.#giveBack(entry, error),
      discard: (entry, reason) => this.#discard(entry, reason),
    };
    this.#leaks = new LeakDetector(options.leakDetectionMs);
    this.#waiters = new WaiterQueue(clock, {
      expired: (waiter, now) => this.#expired(waiter, now),
      aborted: (waiter, signal) => this.#leave(waiter, this.#clock.now(), abortedError(signal, name)),
      shrunk: () => this.#dropSurplus(),
    });
    this.#connector = new Connector({
      name,
      factory,
      options,
      clock,
      random,
      host: {
        demand: () => this.#demand(),
        connected: (entry) => this.#place(entry),
        stray: (entry) => this.#turnAway(entry, this.#closed ? 'close' : 'idle'),
        lost: (entry, error) => this.#lost(entry, error),
        createFailed: (error, attempt, nextDelayMs) => this.#createFailed(error, attempt, nextDelayMs),
        down: (error) => this.#events.emit('down', { error }),
        up: () => this.#events.emit('up', {}),
      },
    });
    this.#housekeeper = new Housekeeper({
      clock,
      options,
      leaks: this.#leaks,
      host: {
        idle: this.#idle,
        entries: this.#entries,
        retire: (entry, reason) => this.#retireIdle(entry, reason),
        ping: (entry) => this.#ping(entry),
        leaked: (entry, now) => this.#leaked(entry, now),
      },
    });
  }

  /** What happens to the pool and its connections. */
  get events(): EventSource<PoolEvents> {
    return this.#events;
  }

  /** The cheap counts that facades show. */
  get counts(): LeaseCounts {
    return {
      max: this.#options.maxOpenConns,
      open: this.#entries.size,
      idle: this.#entries.size - this.#inUse,
      inUse: this.#inUse,
      pending: this.#waiters.size,
    };
  }

  /**
   * Borrows a connection: the idle one used last, else whatever comes first, in order of arrival. The caller owns the
   * lease and must release it.
   *
   * Rejects with `DBM_ACQUIRE_TIMEOUT` after `timeoutMs` of queueing, connecting and validating (time spent suspended
   * does not count); `DBM_ABORTED`, `DBM_CLOSED`, `DBM_QUEUE_FULL` or `DBM_POOL_DEADLOCK`; or with the error of the
   * last connect, when it is not retryable and the pool has no connection left.
   */
  acquire(options?: AcquireOptions): Promise<Lease<C>> {
    const signal = options?.signal;
    if (signal?.aborted === true) return Promise.reject(abortedError(signal, this.name));
    const lease = this.#lendIdle(this.acquire);
    return lease === undefined ? this.#wait(options) : Promise.resolve(lease);
  }

  /** Borrows an idle connection that needs no validation; undefined when there is none, or others wait for one. */
  tryAcquire(): Lease<C> | undefined {
    return this.#lendIdle(this.tryAcquire);
  }

  /**
   * Runs `work` marked as holding a connection of this pool: an acquire from inside it that would have to wait for
   * somebody's release fails at once with `DBM_POOL_DEADLOCK`. The mark ends with `work`, with its promise if it gives one.
   */
  holding<T>(work: () => T): T {
    return this.#guard.holding(work);
  }

  /** Whether the code that runs now is so marked. */
  get held(): boolean {
    return this.#guard.held;
  }

  /** A snapshot; asks no database. */
  stats(): PoolStats {
    const { counts } = this;
    return {
      ...counts,
      maxIdle: this.#options.maxIdleConns,
      connecting: this.#connector.connecting,
      suspended: this.#suspended,
      saturated: counts.inUse >= counts.max && counts.pending > 0,
      down: this.#connector.down,
      generation: this.#generation,
      oldestBorrowMs: this.#oldestBorrowMs(),
      ...this.#counters.snapshot(),
    };
  }

  /** Who holds a connection now, the longest borrow first. */
  borrows(): Borrow[] {
    const now = this.#clock.now();
    const borrows: Borrow[] = [];
    for (const entry of this.#entries)
      if (entry.lease !== undefined) borrows.push(borrowOf(entry, entry.lease.id, now));
    return borrows.sort((a, b) => b.heldMs - a.heldMs);
  }

  /** Starts a new generation: idle connections are closed now, used ones when they are given back. */
  flush(reason: CloseReason): void {
    if (this.#closed) return;
    this.#startGeneration(reason);
    this.#serve();
  }

  /**
   * Makes a new connection and, once that has proved good, starts a new generation with it in place. Until then work
   * goes on on the old one; if the connect fails the old one stays and the call rejects with the reason. One at a time:
   * concurrent callers share the same renewal, except that one with another factory is done after it.
   */
  async renew(options: RenewOptions<C> = {}): Promise<void> {
    const { factory, signal, immediate = false } = options;
    if (this.#closed) throw poolClosed(this.name);
    if (signal?.aborted === true) throw abortedError(signal, this.name);
    const current = this.#renewal;
    if (current !== undefined && factory !== undefined && factory !== current.factory) {
      await raceSignal(current.call.settled, signal).catch(() => {});
      return this.renew(options);
    }
    if (current !== undefined && immediate) this.#connector.hasten(current.order);
    const renewal = current ?? this.#startRenewal(options);
    return renewal.call.join(signal);
  }

  /**
   * Asks whether the database is well, whether the pool is full or not: validates the connection that was idle for
   * longest or, where there is none or it is dead, makes a new one, which is kept if there is room for it. Rejects with
   * the reason; `DBM_ABORTED` when `signal` ends it.
   */
  async probe(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw abortedError(signal, this.name);
    if (this.#closed) throw poolClosed(this.name);
    const entry = this.#connector.factory.validate === undefined ? undefined : this.#idle.shift();
    if (entry !== undefined && (await this.#probeIdle(entry, signal))) return;
    if (signal.aborted) throw abortedError(signal, this.name);
    await this.#connector.order({ immediate: true, made: (fresh) => this.#place(fresh) }, signal);
  }

  /** Lets acquires queue without timing out, at most `max_pending` of them. Work under way goes on. */
  suspend(): void {
    if (this.#closed) return;
    this.#suspended = true;
    this.#serving = false;
    this.#waiters.pause();
  }

  /** Ends a suspension; deadlines run on with what was left of them. */
  resume(): void {
    if (this.#closed) return;
    this.#suspended = false;
    this.#serving = true;
    this.#waiters.resume();
    this.#serve();
  }

  /**
   * Refuses new work, rejects waiters, cancels connects, waits for connections in use and then closes what is left: those
   * still held are taken from their holders. Resolves when nothing is open any more; never rejects. Later calls share
   * the result of the first.
   */
  close({ drainTimeoutMs = this.#options.drainTimeoutMs, signal }: PoolCloseOptions = {}): Promise<PoolCloseReport> {
    this.#closing ??= this.#shutDown(drainTimeoutMs, signal);
    return this.#closing;
  }

  /** Closes without waiting for connections in use; cuts short the waiting of a `close` under way. */
  destroy(): Promise<PoolCloseReport> {
    const closing = this.close({ drainTimeoutMs: 0 });
    this.#endDrain?.();
    return closing;
  }

  // Handing out.

  /** @param entryPoint what the borrower called, for leak reports. */
  #lendIdle(entryPoint: (...args: never[]) => unknown): Lease<C> | undefined {
    const entry = this.#serving && this.#waiters.size === 0 ? this.#idle.newest : undefined;
    if (entry === undefined) return undefined;
    const now = this.#clock.now();
    if (now >= entry.freshUntil) return undefined;
    this.#idle.pop();
    return this.#lend(entry, now, this.#leaks.capture(entryPoint));
  }

  #wait(options: AcquireOptions | undefined): Promise<Lease<C>> {
    const now = this.#clock.now();
    const timeoutMs = options?.timeoutMs ?? this.#options.acquireTimeoutMs;
    const refusal = this.#refusal(now, timeoutMs);
    if (refusal !== undefined) return Promise.reject(refusal);
    this.#counters.waitCount++;
    const lease = this.#waiters.add(now, timeoutMs, options?.signal, this.#leaks.capture(this.acquire));
    this.#serve(now);
    return lease;
  }

  /** Why a caller may not even queue. */
  #refusal(now: number, timeoutMs: number): Error | undefined {
    if (this.#closed) return poolClosed(this.name);
    if (!(timeoutMs >= 0)) return invalidTimeout(this.name, timeoutMs);
    if (this.#waiters.size >= this.#options.maxPending) return queueFull(this.name, this.#options.maxPending);
    if (this.#suspended) return undefined;
    // Everything that is not in use is spoken for: only a release can serve this caller.
    const full = this.#inUse + this.#waiters.size >= this.#options.maxOpenConns;
    if (full && this.#guard.held) return poolDeadlock(this.name, this.#options.maxOpenConns);
    return this.#futility(now);
  }

  /** Why waiting is of no use: no connection is left that could be given back, and none can be made. */
  #futility(now: number): Error | undefined {
    return this.#entries.size === 0 ? this.#connector.refusal(now) : undefined;
  }

  /** Sees to it that every waiter has a connection coming: a fresh idle one now, else one to validate, else a new one. */
  #serve(now = this.#clock.now()): void {
    if (!this.#serving || this.#inUse >= this.#options.maxOpenConns) return;
    const futility = this.#futility(now);
    if (futility !== undefined) this.#rejectAll(futility);
    while (this.#waiters.size > this.#validating.size) {
      const entry = this.#idle.pop();
      if (entry === undefined) break;
      if (now < entry.freshUntil) this.#serveFirst(entry, now);
      else this.#validateForWaiter(entry);
    }
    this.#connector.pump();
  }

  /** How many connects there is use and room for, those under way included. */
  #demand(): number {
    if (!this.#serving) return 0;
    return Math.min(this.#waiters.size - this.#validating.size, this.#options.maxOpenConns - this.#entries.size);
  }

  /** Gives a usable connection that is in no place to the first waiter; false when there is none. */
  #serveFirst(entry: PoolEntry<C>, now: number): boolean {
    const waiter = this.#serving ? this.#waiters.shift() : undefined;
    if (waiter === undefined) return false;
    const waitedMs = now - waiter.since;
    this.#counters.waitDurationMs += waitedMs;
    this.#counters.waitTime.observe(waitedMs);
    waiter.resolve(this.#lend(entry, now, waiter.stack));
    return true;
  }

  #lend(entry: PoolEntry<C>, now: number, stack: string | undefined): Lease<C> {
    const lease = new PoolLease(++this.#lastLeaseId, entry, this.#desk);
    entry.lease = lease;
    entry.borrowedAt = now;
    this.#inUse++;
    this.#counters.acquired++;
    if (stack !== undefined) {
      entry.borrowStack = stack;
      this.#housekeeper.lent(entry);
    }
    return lease;
  }

  #expired(waiter: Waiter<Lease<C>>, now: number): void {
    const waitedMs = now - waiter.since;
    const situation = {
      ...this.counts,
      connecting: this.#connector.connecting,
      oldestBorrowMs: this.#oldestBorrowMs(),
    };
    const error = acquireTimeout(this.name, waitedMs, situation, this.#connector.lastError);
    this.#counters.acquireTimeouts++;
    this.#leave(waiter, now, error);
    this.#events.emit('acquireTimeout', { waitedMs, error });
  }

  /** Rejects a waiter that has been taken out of the queue. */
  #leave(waiter: Waiter<Lease<C>>, now: number, error: Error): void {
    this.#counters.waitDurationMs += now - waiter.since;
    waiter.reject(error);
  }

  #rejectAll(error: Error): void {
    const now = this.#clock.now();
    for (const waiter of this.#waiters.drain()) this.#leave(waiter, now, error);
  }

  /** Calls off what was under way for waiters who have left. */
  #dropSurplus(): void {
    for (const entry of this.#validating) {
      if (this.#validating.size <= this.#waiters.size) break;
      this.#validating.delete(entry);
      this.#callOff(entry);
    }
    const wanted = this.#waiters.size - this.#validating.size;
    this.#connector.cancelBeyond(wanted + Math.max(0, this.#options.maxIdleConns - this.#idle.size));
    this.#connector.pump();
  }

  // Giving back.

  #giveBack(entry: PoolEntry<C>, error: unknown): void {
    const now = this.#clock.now();
    this.#endBorrow(entry, now);
    if (error !== undefined && error !== null && this.#condemned(entry, error)) return;
    const stale = this.#staleness(entry, now);
    if (stale !== undefined) this.#retire(entry, stale);
    else if (this.#isDirty(entry)) this.#clean(entry);
    else this.#shelveUsed(entry, now);
  }

  #discard(entry: PoolEntry<C>, reason: unknown): void {
    this.#endBorrow(entry, this.#clock.now());
    if (reason instanceof Error) {
      // It may say more than that this connection is of no use any more.
      if (this.#condemned(entry, reason)) return;
      this.#announceLoss(entry, reason, true);
    }
    this.#retire(entry, 'error');
  }

  #endBorrow(entry: PoolEntry<C>, now: number): void {
    if (entry.leakReported) this.#leakReturned(entry, now);
    entry.lease = undefined;
    entry.borrowStack = undefined;
    entry.lastStatement = undefined;
    this.#inUse--;
    this.#counters.useTime.observe(now - entry.borrowedAt);
  }

  /** Asks the factory about an error of the borrower; true when that was the end of the connection. */
  #condemned(entry: PoolEntry<C>, error: unknown): boolean {
    const verdict = this.#judge(entry, error);
    if (verdict === 'harmless') return false;
    const current = entry.generation === this.#generation;
    this.#announceLoss(entry, asError(error), true);
    this.#destroy(entry, verdict === 'failover' ? 'failover' : 'error');
    // Only the first of its generation to notice: the next may have been made by the new primary.
    if (verdict === 'failover' && current) this.#startGeneration('failover');
    this.#serve();
    return true;
  }

  #judge(entry: PoolEntry<C>, error: unknown): ErrorVerdict {
    try {
      return entry.factory.judge?.(error) ?? 'harmless';
    } catch (thrown) {
      this.#logger.warn({ pool: this.name, err: thrown }, 'judging an error failed; the connection is closed');
      return 'fatal';
    }
  }

  /** Why a connection that was fine may not be used again, if so. */
  #staleness(entry: PoolEntry<C>, now: number): CloseReason | undefined {
    if (entry.deathError !== undefined) return 'error';
    if (this.#closed) return 'close';
    if (entry.generation !== this.#generation) return this.#flushReason;
    return now >= entry.expiresAt ? 'lifetime' : undefined;
  }

  #isDirty(entry: PoolEntry<C>): boolean {
    try {
      return entry.factory.isDirty?.(entry.connection) ?? false;
    } catch (thrown) {
      this.#logger.warn({ pool: this.name, err: thrown }, 'looking for open work failed; taken as dirty');
      return true;
    }
  }

  #clean(entry: PoolEntry<C>): void {
    this.#counters.dirtyReleases++;
    const { factory } = entry;
    const outcome = this.#check(entry, {
      limitMs: CLEAN_LIMIT_MS,
      run: async (signal) => {
        if (factory.clean === undefined) throw new Error('the factory cannot clean');
        await factory.clean(entry.connection, signal);
      },
      timeoutError: () => connectionUnresponsive(this.name, 'cleaning', CLEAN_LIMIT_MS),
      passed: (now) => this.#shelveUsed(entry, now),
      failed: (error) => {
        this.#logger.warn({ pool: this.name, err: error }, 'a connection given back dirty could not be cleaned');
        this.#retire(entry, 'dirty');
      },
    });
    void outcome.then((cleaned) => this.#events.emit('dirtyRelease', { connectionId: entry.id, cleaned }));
  }

  /** Keeps a connection that was in use just now. */
  #shelveUsed(entry: PoolEntry<C>, now: number): void {
    entry.idleSince = now;
    this.#shelve(entry, now);
  }

  /** Keeps a connection that is in no place and has proved alive: for the first waiter, or as idle if there is room. */
  #shelve(entry: PoolEntry<C>, now: number): void {
    entry.provenAt = now;
    const freshUntil = entry.factory.validate === undefined ? Number.POSITIVE_INFINITY : now + this.#freshMs;
    entry.freshUntil = Math.min(freshUntil, entry.expiresAt);
    if (this.#serveFirst(entry, now)) return;
    if (this.#idle.size < this.#options.maxIdleConns) {
      this.#idle.put(entry);
      this.#housekeeper.idled(entry);
    } else {
      this.#destroy(entry, 'idle');
    }
  }

  // Arriving.

  /** Takes in a new connection if there is room for it. */
  #place(entry: PoolEntry<C>): void {
    const room = this.#options.maxOpenConns - this.#entries.size - this.#connector.demanded;
    if (this.#closed) this.#turnAway(entry, 'close');
    else if (entry.factory !== this.#connector.factory) this.#turnAway(entry, 'reload');
    else if (room <= 0) this.#turnAway(entry, 'idle');
    else {
      this.#announce(entry);
      this.#entries.add(entry);
      this.#shelve(entry, entry.createdAt);
    }
  }

  /** Closes a new connection that there is no use for. */
  #turnAway(entry: PoolEntry<C>, reason: CloseReason): void {
    this.#announce(entry);
    this.#destroy(entry, entry.deathError === undefined ? reason : 'error');
  }

  #announce(entry: PoolEntry<C>): void {
    entry.generation = this.#generation;
    this.#counters.created++;
    this.#counters.createTime.observe(entry.connectMs);
    this.#events.emit('created', { connectionId: entry.id, generation: entry.generation, durationMs: entry.connectMs });
  }

  #createFailed(error: Error, attempt: number, nextDelayMs: number | undefined): void {
    this.#counters.createFailures++;
    this.#events.emit('createFailed', { error, attempt, nextDelayMs });
    this.#serve();
  }

  #startRenewal({ factory, reason = 'reload', immediate }: RenewOptions<C>): Renewal<C> {
    const order: ConnectOrder<C> = {
      factory,
      immediate,
      made: (entry) => {
        this.#connector.adopt(entry.factory);
        this.#startGeneration(reason);
        this.#place(entry);
        this.#serve();
      },
    };
    const prove = (signal: AbortSignal) =>
      this.#connector.order(order, signal).finally(() => {
        this.#renewal = undefined;
      });
    const renewal = { call: new SharedCall(this.name, prove), factory, order };
    this.#renewal = renewal;
    return renewal;
  }

  // Checking and dying.

  /**
   * Has the factory look after a connection that is in no place, so that nobody can get it meanwhile, and then does
   * what the outcome asks. Resolves after that, with whether the connection passed.
   */
  #check(entry: PoolEntry<C>, check: Check): Promise<boolean> {
    const call = new BoundedCall<void>({ clock: this.#clock, ...check });
    entry.check = call;
    const over = (error: Error | undefined): boolean => {
      entry.check = undefined;
      this.#validating.delete(entry);
      const now = this.#clock.now();
      const stale = error instanceof Withdrawn ? error.reason : this.#staleness(entry, now);
      if (entry.deathError !== undefined) this.#died(entry, entry.deathError);
      else if (stale !== undefined) this.#retire(entry, stale);
      else if (error !== undefined) check.failed(error);
      else check.passed(now);
      return error === undefined && stale === undefined;
    };
    const outcome = call.result.then(
      () => over(undefined),
      (thrown) => over(asError(thrown)),
    );
    this.#chore(outcome);
    return outcome;
  }

  /** Asks the database whether a connection lives; the death of one that nobody used ends its generation. */
  #validate(entry: PoolEntry<C>, { keepAlive = true } = {}): Promise<boolean> {
    const { validationTimeoutMs: limitMs } = this.#options;
    return this.#check(entry, {
      limitMs,
      keepAlive,
      run: async (signal) => entry.factory.validate?.(entry.connection, signal),
      timeoutError: () => connectionUnresponsive(this.name, 'a validation', limitMs, 'validation_timeout'),
      passed: (now) => this.#shelve(entry, now),
      failed: (error) => this.#died(entry, error),
    });
  }

  #validateForWaiter(entry: PoolEntry<C>): void {
    this.#validating.add(entry);
    void this.#validate(entry);
  }

  #ping(entry: PoolEntry<C>): void {
    this.#idle.remove(entry);
    void this.#validate(entry, { keepAlive: false });
  }

  async #probeIdle(entry: PoolEntry<C>, signal: AbortSignal): Promise<boolean> {
    const onAbort = () => this.#callOff(entry);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await this.#validate(entry);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Ends a validation nobody waits for any more, and with it the connection, of which nothing is known now. */
  #callOff(entry: PoolEntry<C>): void {
    if (entry.check === undefined) return;
    const ranMs = this.#clock.now() - entry.check.startedAt;
    const suspect = ranMs >= SUSPECT_AFTER_MS;
    entry.check.abandon(
      suspect ? connectionUnresponsive(this.name, 'a validation', ranMs, 'acquire_timeout') : new Withdrawn('error'),
    );
  }

  /** The driver says that a connection is gone. */
  #lost(entry: PoolEntry<C>, error: Error): void {
    if (!this.#entries.has(entry) || entry.deathError !== undefined) return;
    entry.deathError = error;
    if (entry.lease !== undefined) this.#announceLoss(entry, error, true);
    else if (entry.check !== undefined) entry.check.abandon(error);
    else if (this.#idle.remove(entry)) this.#died(entry, error);
  }

  /** The end of a connection that nobody used: others of its generation are probably dead too. */
  #died(entry: PoolEntry<C>, error: Error): void {
    const current = entry.generation === this.#generation;
    this.#announceLoss(entry, error, false);
    this.#destroy(entry, 'error');
    if (current) this.#startGeneration('flush');
    this.#serve();
  }

  #announceLoss(entry: PoolEntry<C>, error: Error, inUse: boolean): void {
    this.#events.emit('lost', { connectionId: entry.id, error, inUse });
  }

  #startGeneration(reason: CloseReason): void {
    this.#generation++;
    this.#flushReason = reason;
    for (const entry of this.#idle.drain()) this.#destroy(entry, reason);
    for (const entry of this.#entries) entry.check?.abandon(new Withdrawn(reason));
    // After a death a connect under way is as good as any; after a move it may lead to the wrong server.
    if (reason !== 'flush') this.#connector.cancelBeyond(0);
    this.#events.emit('generation', { generation: this.#generation, reason });
  }

  // Upkeep.

  #leaked(entry: PoolEntry<C>, now: number): void {
    if (entry.lease === undefined) return;
    entry.leakReported = true;
    this.#counters.leaks++;
    const borrow = borrowOf(entry, entry.lease.id, now);
    this.#logger.warn({ pool: this.name, ...borrow }, 'a connection has been held for longer than leak_detection');
    this.#events.emit('leak', borrow);
  }

  #leakReturned(entry: PoolEntry<C>, now: number): void {
    entry.leakReported = false;
    if (entry.lease !== undefined) this.#events.emit('leakReturned', borrowOf(entry, entry.lease.id, now));
  }

  #oldestBorrowMs(): number {
    const now = this.#clock.now();
    let since = now;
    for (const entry of this.#entries) if (entry.lease !== undefined) since = Math.min(since, entry.borrowedAt);
    return now - since;
  }

  // Closing.

  #retireIdle(entry: PoolEntry<C>, reason: CloseReason): void {
    if (this.#idle.remove(entry)) this.#destroy(entry, reason);
  }

  /** Closes a connection that is in no place, and uses the room it leaves. */
  #retire(entry: PoolEntry<C>, reason: CloseReason): void {
    this.#destroy(entry, reason);
    this.#serve();
  }

  /** The one way out of the pool. */
  #destroy(entry: PoolEntry<C>, reason: CloseReason): void {
    this.#entries.delete(entry);
    this.#counters.closedBy[reason]++;
    const politely = reason !== 'error' && reason !== 'leak';
    this.#chore(
      closeEntry(entry, this.#clock, politely).then((problem) => {
        if (problem !== undefined) this.#logger.warn({ pool: this.name, err: problem }, 'closing a connection failed');
        this.#counters.destroyed++;
        this.#events.emit('destroyed', {
          connectionId: entry.id,
          reason,
          ageMs: this.#clock.now() - entry.createdAt,
        });
      }),
    );
    if (this.#inUse === 0) this.#endDrain?.();
  }

  /** Remembers work that never rejects until it has ended, so that a close can wait for it. */
  #chore(work: Promise<unknown>): void {
    const chore: Promise<void> = work.then(() => {
      this.#chores.delete(chore);
    });
    this.#chores.add(chore);
  }

  async #shutDown(drainTimeoutMs: number, signal: AbortSignal | undefined): Promise<PoolCloseReport> {
    this.#closed = true;
    this.#serving = false;
    this.#housekeeper.stop();
    this.#rejectAll(poolClosed(this.name));
    const connectsEnded = this.#connector.close();
    for (const entry of this.#idle.drain()) this.#destroy(entry, 'close');
    for (const entry of this.#entries) entry.check?.abandon(new Withdrawn('close'));
    await this.#drain(drainTimeoutMs, signal);
    const held = this.borrows();
    for (const entry of [...this.#entries]) if (entry.lease !== undefined) this.#takeBack(entry, entry.lease);
    await connectsEnded;
    while (this.#chores.size > 0) await Promise.all(this.#chores);
    return { drained: held.length === 0, held };
  }

  /** Resolves when nothing is in use, at the limit, on the signal or on `destroy`, whatever comes first. */
  #drain(limitMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#inUse === 0 || limitMs <= 0 || signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        this.#endDrain = undefined;
        timer.cancel();
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = this.#clock.setTimer(limitMs, end, { keepAlive: true });
      signal?.addEventListener('abort', end, { once: true });
      this.#endDrain = end;
    });
  }

  #takeBack(entry: PoolEntry<C>, lease: PoolLease<C>): void {
    lease.revoke();
    this.#endBorrow(entry, this.#clock.now());
    this.#destroy(entry, 'leak');
  }
}

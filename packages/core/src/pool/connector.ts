import { fullJitterDelay, shorten } from '../backoff.js';
import type { Clock } from '../clock.js';
import { abortedError, DbManagerError } from '../errors.js';
import type { Random } from '../random.js';
import { Alarm } from './alarm.js';
import { BoundedCall, settlesWithin } from './bounded-call.js';
import type { ConnectionFactory } from './connection-factory.js';
import { PoolEntry } from './pool-entry.js';
import { asError, connectTimeout, poolClosed } from './pool-errors.js';
import type { PoolOptions } from './pool-options.js';

/** Share of `conn_max_lifetime` that is taken off at random, so that connections made together do not end together. */
const LIFETIME_JITTER = 0.025;
/** Share of `keepalive` that is taken off at random. */
const KEEPALIVE_JITTER = 0.1;
/** How long a connect that was given up still counts as under way if it does not end. */
const CANCEL_GRACE_MS = 1_000;

/** A connect beside the pool's demand, for a proof or a probe. */
export interface ConnectOrder<C> {
  /** Another factory than the connector's own: its failure says nothing of the present one, so it waits for no backoff. */
  readonly factory?: ConnectionFactory<C> | undefined;
  /** Does not wait for the backoff. */
  readonly immediate?: boolean | undefined;
  /** Takes the connection, at once. */
  made(entry: PoolEntry<C>): void;
}

/** What a {@link Connector} asks of its pool and tells it. */
export interface ConnectorHost<C> {
  /** How many connects the pool has use and room for now, those under way included. */
  demand(): number;
  /** A connection for the pool's demand. */
  connected(entry: PoolEntry<C>): void;
  /** A connection that came after it was given up: close it. */
  stray(entry: PoolEntry<C>): void;
  /** A connection died by itself. */
  lost(entry: PoolEntry<C>, error: Error): void;
  /** @param nextDelayMs undefined when the failure starts no backoff. */
  createFailed(error: Error, attempt: number, nextDelayMs: number | undefined): void;
  down(error: Error): void;
  up(): void;
}

/** What a {@link Connector} is made of. */
export interface ConnectorSetup<C> {
  readonly name: string;
  readonly factory: ConnectionFactory<C>;
  readonly options: PoolOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly host: ConnectorHost<C>;
}

/** An order that has not been filled. */
interface Ticket<C> {
  readonly order: ConnectOrder<C>;
  immediate: boolean;
  resolve(): void;
  reject(error: Error): void;
}

/** One connect under way. */
interface Flight<C> {
  readonly call: BoundedCall<C>;
  /** Undefined for one that the pool's demand asked for. */
  readonly ticket: Ticket<C> | undefined;
  readonly factory: ConnectionFactory<C>;
  /** Started while down: its failure is a step of the backoff. */
  readonly proves: boolean;
}

/**
 * Makes connections, never more than the database can bear: at most `max_connecting` at a time; after a failure a single
 * one, spaced by exponential backoff with full jitter, until one succeeds; then 1, 2, 4 … again (storm control as in the
 * MongoDB CMAP specification). It connects only while somebody wants a connection.
 */
export class Connector<C> {
  readonly #setup: ConnectorSetup<C>;
  readonly #flights = new Set<Flight<C>>();
  /** Those that were given up and may still hold a socket. */
  readonly #ending = new Set<Promise<void>>();
  /** Orders that have not been begun. */
  readonly #tickets: Ticket<C>[] = [];
  readonly #retry: Alarm;
  #factory: ConnectionFactory<C>;
  #limit: number;
  #down = false;
  #failures = 0;
  #nextAttemptAt = 0;
  #lastError: Error | undefined;
  #lastId = 0;
  #closed = false;

  constructor(setup: ConnectorSetup<C>) {
    this.#setup = setup;
    this.#factory = setup.factory;
    this.#limit = setup.options.maxConnecting;
    this.#retry = new Alarm(setup.clock, () => this.#retryNow(), { keepAlive: true });
  }

  get factory(): ConnectionFactory<C> {
    return this.#factory;
  }

  /** Connects under way, for the pool and beside it. */
  get connecting(): number {
    return this.#flights.size;
  }

  get down(): boolean {
    return this.#down;
  }

  /** The failure that began or prolonged the present downtime. */
  get lastError(): Error | undefined {
    return this.#lastError;
  }

  /** Connects under way for the pool itself. */
  get demanded(): number {
    let count = 0;
    for (const flight of this.#flights) if (flight.ticket === undefined) count++;
    return count;
  }

  /** Why waiting for a connect is of no use now: the last failure, if waiting cannot mend it and it is recent. */
  refusal(now: number): Error | undefined {
    return this.#down && now < this.#nextAttemptAt && isFinal(this.#lastError) ? this.#lastError : undefined;
  }

  /** Starts what may be started. To be called when demand may have grown, or has gone. */
  pump(): void {
    while (!this.#closed && this.#flights.size + this.#ending.size < (this.#down ? 1 : this.#limit)) {
      const ticket = this.#tickets[0];
      if (ticket === undefined && this.demanded >= this.#setup.host.demand()) {
        this.#retry.cancel();
        return;
      }
      if (this.#down && ticket?.immediate !== true && this.#setup.clock.now() < this.#nextAttemptAt) {
        this.#retry.by(this.#nextAttemptAt);
        return;
      }
      this.#tickets.shift();
      this.#start(ticket);
    }
  }

  /**
   * Makes a connection beside the pool's demand. Resolves once `order.made` has taken it; rejects with the error of the
   * one attempt, or with `DBM_ABORTED` when `signal` ends it.
   */
  order(order: ConnectOrder<C>, signal: AbortSignal): Promise<void> {
    const { name } = this.#setup;
    if (this.#closed) return Promise.reject(poolClosed(name));
    if (signal.aborted) return Promise.reject(abortedError(signal, name));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const ticket: Ticket<C> = { order, immediate: order.immediate ?? false, resolve, reject };
    const onAbort = () => {
      reject(abortedError(signal, name));
      this.#cancelTicket(ticket);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (order.factory !== undefined && order.factory !== this.#factory) this.#start(ticket);
    else this.#enqueue(ticket);
    return promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  /** The order waits for no backoff any more. */
  hasten(order: ConnectOrder<C>): void {
    const place = this.#tickets.findIndex((ticket) => ticket.order === order);
    const [ticket] = place < 0 ? [] : this.#tickets.splice(place, 1);
    if (ticket === undefined) return;
    ticket.immediate = true;
    this.#enqueue(ticket);
  }

  /** Cancels the youngest connects for the pool beyond `keep`; demand has shrunk, or they lead to the wrong server. */
  cancelBeyond(keep: number): void {
    const demanded = [...this.#flights].filter(({ ticket }) => ticket === undefined);
    for (const flight of demanded.slice(Math.max(0, keep))) this.#cancel(flight);
  }

  /** Goes on with `factory`, which has just proved good; connects under way with another one are cancelled. */
  adopt(factory: ConnectionFactory<C>): void {
    if (factory === this.#factory) return;
    this.#factory = factory;
    this.cancelBeyond(0);
    this.#succeeded();
  }

  /** Cancels everything. Resolves when all connects have ended, or after a grace when some do not. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#retry.cancel();
    const error = poolClosed(this.#setup.name);
    for (const ticket of this.#tickets.splice(0)) ticket.reject(error);
    for (const flight of [...this.#flights]) {
      this.#cancel(flight);
      flight.ticket?.reject(error);
    }
    await Promise.all(this.#ending);
  }

  #retryNow(): number {
    this.pump();
    return Number.POSITIVE_INFINITY;
  }

  #enqueue(ticket: Ticket<C>): void {
    if (ticket.immediate) this.#tickets.unshift(ticket);
    else this.#tickets.push(ticket);
    this.pump();
  }

  #start(ticket: Ticket<C> | undefined): void {
    const { clock, name, options } = this.#setup;
    const factory = ticket?.order.factory ?? this.#factory;
    const cord = new LifeCord<C>(this.#setup.host);
    const call = new BoundedCall<C>({
      clock,
      limitMs: options.connectTimeoutMs,
      run: async (signal) => factory.create({ signal, lost: (error) => cord.cut(error) }),
      timeoutError: () => connectTimeout(name, options.connectTimeoutMs),
      late: (connection) => this.#setup.host.stray(this.#birth(connection, factory, cord, call.startedAt)),
    });
    const flight: Flight<C> = { call, ticket, factory, proves: this.#down };
    this.#flights.add(flight);
    call.result.then(
      (connection) => {
        // Cancelled or closed between its success and this callback.
        if (!this.#flights.delete(flight)) {
          this.#setup.host.stray(this.#birth(connection, factory, cord, call.startedAt));
        } else {
          this.#landed(flight, this.#birth(connection, factory, cord, call.startedAt));
        }
        this.pump();
      },
      (thrown) => {
        if (!this.#flights.delete(flight)) return;
        this.#letEnd(call);
        this.#crashed(flight, asError(thrown));
      },
    );
  }

  #birth(connection: C, factory: ConnectionFactory<C>, cord: LifeCord<C>, startedAt: number): PoolEntry<C> {
    const { clock, options, random } = this.#setup;
    const createdAt = clock.now();
    const entry = new PoolEntry({
      id: ++this.#lastId,
      connection,
      factory,
      createdAt,
      connectMs: createdAt - startedAt,
      expiresAt:
        options.connMaxLifetimeMs === 0
          ? Number.POSITIVE_INFINITY
          : createdAt + shorten(options.connMaxLifetimeMs, LIFETIME_JITTER, random),
      keepaliveMs:
        options.keepaliveMs === 0 || factory.validate === undefined
          ? Number.POSITIVE_INFINITY
          : shorten(options.keepaliveMs, KEEPALIVE_JITTER, random),
    });
    cord.tie(entry);
    return entry;
  }

  #landed(flight: Flight<C>, entry: PoolEntry<C>): void {
    if (entry.deathError !== undefined) {
      // It died between its making and now: as good as a failed connect.
      this.#setup.host.stray(entry);
      this.#crashed(flight, entry.deathError);
      return;
    }
    if (flight.factory === this.#factory) this.#succeeded();
    if (flight.ticket === undefined) {
      this.#setup.host.connected(entry);
    } else {
      flight.ticket.order.made(entry);
      flight.ticket.resolve();
    }
  }

  #succeeded(): void {
    // One more for each success doubles it with each wave, as in TCP's slow start.
    this.#limit = this.#down ? 1 : Math.min(this.#limit + 1, this.#setup.options.maxConnecting);
    if (!this.#down) return;
    this.#down = false;
    this.#failures = 0;
    this.#lastError = undefined;
    this.#retry.cancel();
    this.#setup.host.up();
  }

  #crashed(flight: Flight<C>, error: Error): void {
    if (flight.factory !== this.#factory) {
      this.#setup.host.createFailed(error, 1, undefined);
      flight.ticket?.reject(error);
      return;
    }
    const goesDown = !this.#down;
    // Connects that were under way when the first failed fail for the same reason: one step of the backoff, not several.
    if (goesDown || flight.proves) this.#backOff();
    this.#down = true;
    this.#lastError = error;
    this.#setup.host.createFailed(error, this.#failures, Math.max(0, this.#nextAttemptAt - this.#setup.clock.now()));
    if (goesDown) this.#setup.host.down(error);
    flight.ticket?.reject(error);
  }

  #backOff(): void {
    const { options, random, clock } = this.#setup;
    this.#failures++;
    const limits = { baseMs: options.retryDelayMs, maxMs: options.retryMaxDelayMs };
    this.#nextAttemptAt = clock.now() + fullJitterDelay(this.#failures, limits, random);
  }

  #cancelTicket(ticket: Ticket<C>): void {
    const place = this.#tickets.indexOf(ticket);
    if (place >= 0) this.#tickets.splice(place, 1);
    for (const flight of this.#flights) if (flight.ticket === ticket) this.#cancel(flight);
    this.pump();
  }

  #cancel(flight: Flight<C>): void {
    this.#flights.delete(flight);
    flight.call.abandon(new Error('the connect is not needed any more'));
    this.#letEnd(flight.call);
  }

  /** Keeps the place of a connect at the gate until it has let go of its socket. */
  #letEnd(call: BoundedCall<C>): void {
    const ending: Promise<void> = settlesWithin(this.#setup.clock, call.settled, CANCEL_GRACE_MS).then(() => {
      this.#ending.delete(ending);
      this.pump();
    });
    this.#ending.add(ending);
  }
}

/** Carries the death of a connection to the pool, also when it comes before the pool knows the connection. */
class LifeCord<C> {
  readonly #host: ConnectorHost<C>;
  #entry: PoolEntry<C> | undefined;
  #error: Error | undefined;

  constructor(host: ConnectorHost<C>) {
    this.#host = host;
  }

  cut(error: Error): void {
    if (this.#entry === undefined) this.#error ??= error;
    else this.#host.lost(this.#entry, error);
  }

  tie(entry: PoolEntry<C>): void {
    this.#entry = entry;
    entry.deathError = this.#error;
  }
}

/** Whether waiting cannot mend a failed connect. An error of somebody else's factory that does not say is worth a retry. */
function isFinal(error: unknown): boolean {
  return error instanceof DbManagerError && !error.retryable;
}

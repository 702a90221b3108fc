import type { Clock } from '../clock.js';
import { Alarm } from './alarm.js';

/** Deadlines closer together than this end with one timer. */
const DEADLINE_GAP_MS = 10;

/** One caller in the queue. */
export class Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
  /** When it began to wait, by the clock. */
  readonly since: number;
  /** In the queue's own time, which stands still while it is paused. */
  readonly deadline: number;
  readonly stack: string | undefined;
  previous: Waiter<T> | undefined;
  next: Waiter<T> | undefined;
  /** Stops listening to the caller's signal. */
  unlisten: (() => void) | undefined;

  constructor(
    resolve: (value: T) => void,
    reject: (error: Error) => void,
    since: number,
    deadline: number,
    stack: string | undefined,
  ) {
    this.resolve = resolve;
    this.reject = reject;
    this.since = since;
    this.deadline = deadline;
    this.stack = stack;
  }
}

/** Told when a waiter leaves the queue without a connection. It has been taken out; reject it. */
export interface WaiterQueueOwner<T> {
  expired(waiter: Waiter<T>, now: number): void;
  aborted(waiter: Waiter<T>, signal: AbortSignal): void;
  /** After any number of waiters have expired together, or one was aborted. */
  shrunk(): void;
}

/**
 * Callers in order of arrival: a doubly linked list, so that any of them leaves at once, and one timer for all of
 * their deadlines.
 */
export class WaiterQueue<T> {
  readonly #clock: Clock;
  readonly #owner: WaiterQueueOwner<T>;
  readonly #deadlines: Alarm;
  #head: Waiter<T> | undefined;
  #tail: Waiter<T> | undefined;
  #size = 0;
  #pausedAt: number | undefined;
  #pausedMs = 0;
  #emptied: NodeJS.Immediate | undefined;

  constructor(clock: Clock, owner: WaiterQueueOwner<T>) {
    this.#clock = clock;
    this.#owner = owner;
    this.#deadlines = new Alarm(clock, (now) => this.#expire(now), { keepAlive: true, minGapMs: DEADLINE_GAP_MS });
  }

  get size(): number {
    return this.#size;
  }

  /** Queues a caller for at most `timeoutMs` of unpaused time. The signal must not be aborted yet. */
  add(now: number, timeoutMs: number, signal: AbortSignal | undefined, stack: string | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const deadline = (this.#pausedAt ?? now) - this.#pausedMs + timeoutMs;
      const waiter = new Waiter(resolve, reject, now, deadline, stack);
      this.#append(waiter);
      if (signal !== undefined) this.#listen(waiter, signal);
      if (this.#pausedAt === undefined) this.#deadlines.by(deadline + this.#pausedMs);
    });
  }

  /** Takes out the one who has waited longest. */
  shift(): Waiter<T> | undefined {
    const waiter = this.#head;
    if (waiter !== undefined) this.#remove(waiter);
    return waiter;
  }

  /** Takes out everybody, in order, and leaves no timer. */
  drain(): Waiter<T>[] {
    const waiters: Waiter<T>[] = [];
    for (let waiter = this.shift(); waiter !== undefined; waiter = this.shift()) waiters.push(waiter);
    this.#deadlines.cancel();
    return waiters;
  }

  /** Stops the clock of every deadline; what was left of each is left at `resume`. */
  pause(): void {
    if (this.#pausedAt !== undefined) return;
    this.#pausedAt = this.#clock.now();
    this.#deadlines.cancel();
  }

  resume(): void {
    if (this.#pausedAt === undefined) return;
    this.#pausedMs += this.#clock.now() - this.#pausedAt;
    this.#pausedAt = undefined;
    this.#deadlines.by(this.#earliest());
  }

  #append(waiter: Waiter<T>): void {
    const tail = this.#tail;
    waiter.previous = tail;
    if (tail === undefined) this.#head = waiter;
    else tail.next = waiter;
    this.#tail = waiter;
    this.#size++;
  }

  #remove(waiter: Waiter<T>): void {
    const { previous, next } = waiter;
    if (previous === undefined) this.#head = next;
    else previous.next = next;
    if (next === undefined) this.#tail = previous;
    else next.previous = previous;
    waiter.previous = undefined;
    waiter.next = undefined;
    this.#size--;
    waiter.unlisten?.();
    // The timer is left alone: that it wakes once for nobody is cheaper than moving it at every hand-out. An empty queue,
    // however, must not keep a process alive; a queue that is empty now and then is looked at once a turn of the loop.
    if (this.#size === 0) this.#emptied ??= setImmediate(this.#afterEmptied);
  }

  readonly #afterEmptied = () => {
    this.#emptied = undefined;
    if (this.#size === 0) this.#deadlines.cancel();
  };

  #listen(waiter: Waiter<T>, signal: AbortSignal): void {
    const onAbort = () => {
      this.#remove(waiter);
      this.#owner.aborted(waiter, signal);
      this.#owner.shrunk();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    waiter.unlisten = () => signal.removeEventListener('abort', onAbort);
  }

  /** A walk of the whole queue: deadlines are not in order of arrival, and at most one walk every few milliseconds. */
  #expire(now: number): number {
    const time = now - this.#pausedMs;
    let expired = 0;
    for (let waiter = this.#head; waiter !== undefined; ) {
      const { next } = waiter;
      if (waiter.deadline <= time) {
        this.#remove(waiter);
        this.#owner.expired(waiter, now);
        expired++;
      }
      waiter = next;
    }
    if (expired > 0) this.#owner.shrunk();
    return this.#pausedAt === undefined ? this.#earliest() : Number.POSITIVE_INFINITY;
  }

  /** By the clock. */
  #earliest(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (let waiter = this.#head; waiter !== undefined; waiter = waiter.next) {
      if (waiter.deadline < earliest) earliest = waiter.deadline;
    }
    return earliest + this.#pausedMs;
  }
}

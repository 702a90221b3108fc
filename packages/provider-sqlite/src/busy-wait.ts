import {
  abortedError,
  type Clock,
  DbManagerError,
  exponentialDelay,
  type ProviderContext,
  type Random,
  sleep,
  spread,
} from '@dbmanager/core';
import { isBusy } from './errors.js';

/**
 * How long the driver itself waits for a lock, blocking the event loop: enough for the short locks SQLite takes inside
 * one commit, and no more.
 */
export const DRIVER_BUSY_MS = 5;

const BACKOFF = { baseMs: 2, maxMs: 50 };
const NEVER = new AbortController().signal;

/** Limits of one wait. */
export interface BusyWaitOptions {
  readonly signal?: AbortSignal | undefined;
  /** How much time the statement has left, in milliseconds; 0 is no limit. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Waits for locks that other processes hold: up to `busy_timeout`, with backoff, and without blocking the event loop, as
 * the driver's own waiting would.
 */
export class BusyWait {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limitMs: number;
  readonly #connectionName: string;

  constructor({ clock, random }: ProviderContext, limitMs: number, connectionName: string) {
    this.#clock = clock;
    this.#random = random;
    this.#limitMs = limitMs;
    this.#connectionName = connectionName;
  }

  /** Does `work`, again while it is refused as busy. Not a promise when it succeeds at once. Throws what `work` throws last. */
  run<T>(work: () => T, options: BusyWaitOptions): T | Promise<T> {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error)) throw error;
      return this.#repeat(work, error, options);
    }
  }

  async #repeat<T>(work: () => T, first: unknown, { signal = NEVER, timeoutMs = 0 }: BusyWaitOptions): Promise<T> {
    const start = this.#clock.now();
    const timesOut = timeoutMs > 0 && timeoutMs < this.#limitMs;
    const limit = timesOut ? timeoutMs : this.#limitMs;
    let last = first;
    for (let attempt = 1; ; attempt++) {
      const left = limit - (this.#clock.now() - start);
      if (left <= 0) throw timesOut ? queryTimeout(timeoutMs, this.#connectionName, last) : last;
      const delay = spread(exponentialDelay(attempt, BACKOFF), 0.5, this.#random);
      await sleep(this.#clock, Math.min(delay, left), signal, { keepAlive: true }).catch(() => {
        throw abortedError(signal, this.#connectionName);
      });
      try {
        return work();
      } catch (error) {
        if (!isBusy(error)) throw error;
        last = error;
      }
    }
  }
}

/** The `DBM_QUERY_TIMEOUT` error. */
export function queryTimeout(timeoutMs: number, connectionName: string, cause?: unknown): DbManagerError {
  return new DbManagerError('DBM_QUERY_TIMEOUT', `the statement took longer than ${timeoutMs} ms`, {
    connectionName,
    option: 'query_timeout',
    ...(cause === undefined ? {} : { cause }),
  });
}

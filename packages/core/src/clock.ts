import { performance } from 'node:perf_hooks';

/** A pending timer. */
export interface Timer {
  /** Stops the timer; does nothing once it has fired. */
  cancel(): void;
}

/** Where everything that waits or ages gets its time, so that policies can be tested on a fake clock. */
export interface Clock {
  /** Monotonic milliseconds from an arbitrary origin. */
  now(): number;
  /**
   * Calls `callback` once, `delayMs` from now. A timer keeps the process alive only with `keepAlive: true`, which is for
   * timers somebody is awaiting; upkeep (health checks, ageing) must let an otherwise finished process exit.
   */
  setTimer(delayMs: number, callback: () => void, options?: { readonly keepAlive?: boolean }): Timer;
}

/** Longest delay `setTimeout` takes before it wraps round to 1 ms. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** The machine's monotonic clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer(delayMs, callback, options) {
    const timeout = setTimeout(callback, Math.min(Math.max(0, delayMs), MAX_DELAY_MS));
    if (options?.keepAlive !== true) timeout.unref();
    return { cancel: () => clearTimeout(timeout) };
  },
};

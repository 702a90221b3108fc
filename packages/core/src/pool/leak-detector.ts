import type { PoolEntry } from './pool-entry.js';
import type { Borrow } from './pool-events.js';

/** Finds connections that are held for too long, and remembers who borrowed them. */
export class LeakDetector {
  readonly #limitMs: number;

  /** @param limitMs `leak_detection`; 0 is off, and then nothing is captured. */
  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** The stack of whoever called `entryPoint`; undefined while off, for a stack costs as much as ten acquires. */
  capture(entryPoint: (...args: never[]) => unknown): string | undefined {
    if (this.#limitMs === 0) return undefined;
    const holder: { stack?: string } = {};
    Error.captureStackTrace(holder, entryPoint);
    // The first line names the error that this is not.
    return holder.stack?.slice(holder.stack.indexOf('\n') + 1);
  }

  /** When the present borrow of `entry` becomes a leak; `Infinity` for never, or when it has been reported. */
  dueAt(entry: PoolEntry<unknown>): number {
    return this.#limitMs === 0 || entry.lease === undefined || entry.leakReported
      ? Number.POSITIVE_INFINITY
      : entry.borrowedAt + this.#limitMs;
  }
}

/** Who holds `entry`, which must be out on a lease. */
export function borrowOf(entry: PoolEntry<unknown>, leaseId: number, now: number): Borrow {
  return {
    leaseId,
    connectionId: entry.id,
    heldMs: now - entry.borrowedAt,
    stack: entry.borrowStack,
    lastStatement: entry.lastStatement,
  };
}

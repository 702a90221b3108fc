import type { CloseReason } from './pool-stats.js';

/** Who still held a connection, or held it for too long. */
export interface Borrow {
  readonly leaseId: number;
  readonly connectionId: number;
  readonly heldMs: number;
  /** Where it was acquired; only while `leak_detection` is on. */
  readonly stack: string | undefined;
  readonly lastStatement: string | undefined;
}

/**
 * What a pool tells. Ids only grow, so a log of these events shows the life of every connection. A listener that throws
 * disturbs nobody else.
 */
export interface PoolEvents {
  created: { readonly connectionId: number; readonly generation: number; readonly durationMs: number };
  createFailed: { readonly error: Error; readonly attempt: number; readonly nextDelayMs: number | undefined };
  destroyed: { readonly connectionId: number; readonly reason: CloseReason; readonly ageMs: number };
  /** A connection left the pool for good because of this error. */
  lost: { readonly connectionId: number; readonly error: Error; readonly inUse: boolean };
  generation: { readonly generation: number; readonly reason: CloseReason };
  /** The pool cannot connect; it probes until it can. */
  down: { readonly error: Error };
  up: Record<never, never>;
  leak: Borrow;
  /** A lease that was reported as a leak has been given back. */
  leakReturned: Borrow;
  dirtyRelease: { readonly connectionId: number; readonly cleaned: boolean };
  acquireTimeout: { readonly waitedMs: number; readonly error: Error };
}

import type { EventSource } from '../events.js';
import type { LeaseCounts } from '../provider.js';
import type { AcquireOptions, Lease } from './lease.js';
import type { PoolCloseOptions, PoolCloseReport, RenewOptions } from './pool.js';
import type { Borrow, PoolEvents } from './pool-events.js';
import type { CloseReason, PoolStats } from './pool-stats.js';

/**
 * A pool as a manager runs it: {@link Pool}, or one that a driver keeps itself, made to look like it (`Engine.pool`). What
 * each member promises is said there.
 */
export interface ConnectionPool<C = unknown> {
  readonly events: EventSource<PoolEvents>;
  readonly counts: LeaseCounts;
  acquire(options?: AcquireOptions): Promise<Lease<C>>;
  /** Left out: no connection is ever to be had at once. */
  tryAcquire?(): Lease<C> | undefined;
  holding<T>(work: () => T): T;
  /** Left out: not known. */
  readonly held?: boolean;
  stats(): PoolStats;
  /** Who holds a connection now, the longest borrow first. */
  borrows(): Borrow[];
  /** Starts a new generation: idle connections are closed now, used ones when they are given back. */
  flush(reason: CloseReason): void;
  /** Proves that the database can be connected to; rejects with the reason, and then everything is as it was. */
  renew(options: Omit<RenewOptions<C>, 'factory'>): Promise<void>;
  /** Asks whether the database is well, without waiting for a full pool. */
  probe(signal: AbortSignal): Promise<void>;
  suspend(): void;
  resume(): void;
  /** Refuses new work, drains, closes what is left. Resolves when nothing is open any more; never rejects. */
  close(options?: PoolCloseOptions): Promise<PoolCloseReport>;
}

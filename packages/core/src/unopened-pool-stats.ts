import { Histogram } from './pool/histogram.js';
import type { PoolOptions } from './pool/pool-options.js';
import { CLOSE_REASONS, type CloseReason, type PoolStats } from './pool/pool-stats.js';

/** The statistics of a pool that is not made yet because nothing has asked for it. */
export function unopenedPoolStats({ maxOpenConns, maxIdleConns }: PoolOptions): PoolStats {
  const none = new Histogram().snapshot();
  return {
    max: maxOpenConns,
    maxIdle: Math.min(maxIdleConns, maxOpenConns),
    open: 0,
    idle: 0,
    inUse: 0,
    connecting: 0,
    pending: 0,
    suspended: false,
    saturated: false,
    down: false,
    generation: 0,
    oldestBorrowMs: 0,
    acquired: 0,
    waitCount: 0,
    waitDurationMs: 0,
    acquireTimeouts: 0,
    created: 0,
    createFailures: 0,
    destroyed: 0,
    closedBy: Object.fromEntries(CLOSE_REASONS.map((reason) => [reason, 0])) as Record<CloseReason, number>,
    leaks: 0,
    dirtyReleases: 0,
    createTime: none,
    waitTime: none,
    useTime: none,
  };
}

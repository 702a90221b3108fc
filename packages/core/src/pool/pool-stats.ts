/** Why a connection was closed. */
export const CLOSE_REASONS = [
  /** Idle for too long, or one more than `max_idle_conns`. */
  'idle',
  /** Older than `conn_max_lifetime`. */
  'lifetime',
  /** Failed, failed its validation, or was discarded by the borrower. */
  'error',
  /** Of an older generation: a death was seen, or the pool was flushed. */
  'flush',
  /** Given back dirty and not to be cleaned in time. */
  'dirty',
  /** Of an older generation because the primary moved. */
  'failover',
  /** Of an older generation because host or credentials changed, or a reconnect was asked for. */
  'reload',
  /** Still held when a close ran out of time. */
  'leak',
  /** The pool was closed. */
  'close',
] as const;

/** Why a connection was closed. */
export type CloseReason = (typeof CLOSE_REASONS)[number];

/** Upper bounds of the duration histograms, in seconds: the OpenTelemetry database conventions. */
export const DURATION_BUCKETS_S = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10] as const;

/** A histogram as Prometheus has it, except that `counts` are per bucket, not cumulative. */
export interface DurationHistogram {
  /** One per bound of {@link DURATION_BUCKETS_S}, and one more for what is above. */
  readonly counts: readonly number[];
  readonly count: number;
  readonly sumSeconds: number;
}

/** A snapshot of a pool. Counters only grow for as long as the pool's name lives, across reconnects. */
export interface PoolStats {
  // What is so now.
  readonly max: number;
  readonly maxIdle: number;
  /** Usable connections: idle and in use. */
  readonly open: number;
  readonly idle: number;
  readonly inUse: number;
  /** Connects under way. */
  readonly connecting: number;
  /** Callers waiting. */
  readonly pending: number;
  readonly suspended: boolean;
  /** True when every connection is in use and callers wait: busy, which is not down. */
  readonly saturated: boolean;
  /** True while connects fail and the pool probes with backoff. */
  readonly down: boolean;
  readonly generation: number;
  /** Age of the longest-held lease in milliseconds, 0 without one. */
  readonly oldestBorrowMs: number;
  // Counters.
  readonly acquired: number;
  /** Acquires that had to wait. */
  readonly waitCount: number;
  /** All time spent waiting, in milliseconds; those still waiting are counted when they end. */
  readonly waitDurationMs: number;
  readonly acquireTimeouts: number;
  readonly created: number;
  readonly createFailures: number;
  readonly destroyed: number;
  readonly closedBy: Readonly<Record<CloseReason, number>>;
  readonly leaks: number;
  readonly dirtyReleases: number;
  // Distributions.
  readonly createTime: DurationHistogram;
  readonly waitTime: DurationHistogram;
  readonly useTime: DurationHistogram;
}

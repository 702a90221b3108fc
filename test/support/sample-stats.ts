import {
  Buckets,
  type CacheStats,
  CLOSE_REASONS,
  type CloseReason,
  type ConnectionHealth,
  type ConnectionStats,
  DURATION_BUCKETS_S,
  type DurationHistogram,
  type ManagerStats,
  type PoolStats,
  ROW_BUCKETS,
  type StatementStats,
  TransactionCounters,
  type TransactionStats,
} from '@dbmanager/core';

/** What differs from a healthy, idle SQLite connection that has just been opened. */
export interface SampleConnection {
  readonly type?: string;
  readonly health?: Partial<ConnectionHealth>;
  readonly pool?: Partial<PoolStats>;
  readonly healthChecks?: DurationHistogram;
  readonly reconnects?: ConnectionStats['reconnects'];
  readonly transactions?: TransactionStats;
  readonly statements?: StatementStats;
  readonly cache?: CacheStats;
  readonly metricsEnabled?: boolean;
}

/** Hand-made statistics of a manager, for tests and benchmarks of what reads them. */
export function sampleStats(connections: Readonly<Record<string, SampleConnection>>): ManagerStats {
  const all = Object.entries(connections).map(([name, sample]) => sampleConnection(name, sample));
  const healthyCount = all.filter(({ health }) => health.status === 'healthy').length;
  return {
    totalConnections: all.length,
    healthyCount,
    unhealthyCount: all.length - healthyCount,
    connections: Object.fromEntries(all.map((connection) => [connection.name, connection])),
  };
}

/** A histogram of these durations, in seconds. */
export function sampleDurations(...seconds: number[]): DurationHistogram {
  const counts = [...DURATION_BUCKETS_S, Number.POSITIVE_INFINITY].map(() => 0);
  for (const value of seconds) {
    const bucket = DURATION_BUCKETS_S.findIndex((bound) => value <= bound);
    const index = bucket === -1 ? DURATION_BUCKETS_S.length : bucket;
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return { counts, count: seconds.length, sumSeconds: seconds.reduce((sum, value) => sum + value, 0) };
}

/** Statements of one kind, one of each of these durations in seconds, which gave that many rows each. */
export function sampleStatements(
  operation: string,
  collection: string,
  rows: number,
  ...seconds: number[]
): StatementStats {
  const given = new Buckets(ROW_BUCKETS);
  for (const _ of seconds) given.observe(rows);
  const duration = sampleDurations(...seconds);
  return { series: [{ operation, collection, duration, rows: given.snapshot(), errors: 0 }] };
}

/** Connections closed by reason; 0 for those not given. */
export function sampleClosedBy(given: Partial<Record<CloseReason, number>> = {}): Record<CloseReason, number> {
  return Object.fromEntries(CLOSE_REASONS.map((reason) => [reason, given[reason] ?? 0])) as Record<CloseReason, number>;
}

function sampleConnection(name: string, sample: SampleConnection): ConnectionStats {
  const { type = 'sqlite' } = sample;
  return {
    name,
    type,
    tags: {},
    health: {
      name,
      type,
      startup: 'required',
      state: 'ready',
      status: 'healthy',
      saturated: false,
      suspended: false,
      checkedAt: new Date('2025-01-02T03:04:05.000Z'),
      lastSuccessAt: new Date('2025-01-02T03:04:05.000Z'),
      latencyMs: 1.5,
      consecutiveFailures: 0,
      error: undefined,
      ...sample.health,
    },
    pool: {
      max: 25,
      maxIdle: 5,
      open: 1,
      idle: 1,
      inUse: 0,
      connecting: 0,
      pending: 0,
      suspended: false,
      saturated: false,
      down: false,
      generation: 1,
      oldestBorrowMs: 0,
      acquired: 0,
      waitCount: 0,
      waitDurationMs: 0,
      acquireTimeouts: 0,
      created: 1,
      createFailures: 0,
      destroyed: 0,
      closedBy: sampleClosedBy(),
      leaks: 0,
      dirtyReleases: 0,
      createTime: sampleDurations(),
      waitTime: sampleDurations(),
      useTime: sampleDurations(),
      ...sample.pool,
    },
    healthChecks: sample.healthChecks ?? sampleDurations(),
    transactions: sample.transactions ?? new TransactionCounters().snapshot(),
    statements: sample.statements,
    cache: sample.cache,
    reconnects: sample.reconnects ?? { success: 0, failure: 0 },
    metricsEnabled: sample.metricsEnabled ?? true,
    identity: undefined,
  };
}

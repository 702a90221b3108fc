import type { ConnectionHealth } from './health/connection-health.js';
import type { DurationHistogram, PoolStats } from './pool/pool-stats.js';
import type { EngineIdentity } from './provider.js';
import type { StatementStats } from './statement-stats.js';
import type { TransactionStats } from './transaction-stats.js';

/** What has become of the reads that asked for a kept result. Counts only grow. */
export interface CacheStats {
  /** Answered with a kept result. */
  readonly hits: number;
  /** Answered by the database, also those that shared one execution. */
  readonly misses: number;
  /** Results given up for want of room. */
  readonly evictions: number;
  /** Times that what keeps them failed or took too long; the database answered instead. */
  readonly errors: number;
  /** Results kept in this process, and their size as it is reckoned; undefined where they are kept elsewhere. */
  readonly held: { readonly entries: number; readonly bytes: number } | undefined;
}

/** A snapshot of one connection. Reading it asks no database. */
export interface ConnectionStats {
  readonly name: string;
  readonly type: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly health: ConnectionHealth;
  /** All lanes together. */
  readonly pool: PoolStats;
  readonly healthChecks: DurationHistogram;
  /** Reconnects by result; they only grow. */
  readonly reconnects: { readonly success: number; readonly failure: number };
  readonly transactions: TransactionStats;
  /** Undefined where nobody keeps account of statements. */
  readonly statements?: StatementStats | undefined;
  /** Undefined where no results are kept. */
  readonly cache?: CacheStats | undefined;
  /** `enable_metrics`. */
  readonly metricsEnabled: boolean;
  /** Undefined until the driver is loaded. */
  readonly identity: EngineIdentity | undefined;
}

/** A snapshot of a manager. */
export interface ManagerStats {
  readonly totalConnections: number;
  readonly healthyCount: number;
  readonly unhealthyCount: number;
  /** By name, in the order of the configuration. */
  readonly connections: Readonly<Record<string, ConnectionStats>>;
}

import type { DurationHistogram } from './pool/pool-stats.js';
import type { ObserveStatements } from './statement-observer.js';

/** Upper bounds of the histogram of returned rows: the OpenTelemetry database conventions. */
export const ROW_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000] as const;

/** A histogram of {@link ROW_BUCKETS}; `counts` are per bucket, and one more for what is above. */
export interface RowHistogram {
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum: number;
}

/** Statements of one operation on one collection; all counts only grow. */
export interface StatementSeries {
  /** `SELECT`; `OTHER` for what is not known. */
  readonly operation: string;
  /** The table or collection; empty where the statement names none or several, or there are too many to tell apart. */
  readonly collection: string;
  /** Of all, failed ones too; waiting for a connection is not in it. */
  readonly duration: DurationHistogram;
  /** Of those that give rows. */
  readonly rows: RowHistogram;
  readonly errors: number;
}

/** Counts of the statements of one connection. */
export interface StatementStats {
  /** Bounded, whatever is sent. */
  readonly series: readonly StatementSeries[];
}

/** What is known of statements that differ in their values alone. */
export interface StatementProfile {
  /** Without literals, values or comments. */
  readonly text: string;
  readonly operation: string;
  readonly collection: string;
  readonly count: number;
  readonly errors: number;
  readonly totalMs: number;
  readonly maxMs: number;
}

/** Keeps account of the statements of one connection, for as long as that lives. */
export interface StatementRecorder {
  /** See `ProviderContext.observe`; called again when the engine is opened again. */
  readonly observe: ObserveStatements;
  stats(): StatementStats;
  /** Of the statements seen lately, those that took most time altogether, the worst first. */
  slowest(limit: number): readonly StatementProfile[];
  /** Runs `work`, all attempts at a transaction, so that what is traced of it belongs together. Left out: nothing is traced. */
  transaction?<T>(work: () => Promise<T>): Promise<T>;
}

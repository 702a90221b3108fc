import { Histogram } from './pool/histogram.js';
import type { DurationHistogram } from './pool/pool-stats.js';
import type { TransactionConflict } from './sql.js';
import type { TransactionOutcome } from './transaction-target.js';

/** Every outcome a transaction may have. */
export const TRANSACTION_OUTCOMES = [
  'committed',
  'rolled_back',
  'failed',
  'unknown',
] as const satisfies readonly TransactionOutcome[];

/** Why a transaction may be repeated. */
export const TRANSACTION_CONFLICTS = [
  'serialization_failure',
  'deadlock',
] as const satisfies readonly TransactionConflict[];

/** Counts of the transactions of one connection; they only grow. */
export interface TransactionStats {
  /** Attempts, by how they ended. */
  readonly outcomes: Readonly<Record<TransactionOutcome, number>>;
  /** Of each attempt, from BEGIN to its end; waiting for a connection is not in it. */
  readonly duration: DurationHistogram;
  /** Attempts repeated, by reason. */
  readonly retries: Readonly<Record<TransactionConflict, number>>;
  /** Nested transactions begun through dbmanager's own handles. */
  readonly savepoints: number;
}

/** Where transactions are counted. */
export interface TransactionRecorder {
  ended(outcome: TransactionOutcome, durationMs: number): void;
  retried(reason: TransactionConflict): void;
  savepoint(): void;
}

/** Counts the transactions of one connection. */
export class TransactionCounters implements TransactionRecorder {
  readonly #outcomes: Record<TransactionOutcome, number> = { committed: 0, rolled_back: 0, failed: 0, unknown: 0 };
  readonly #retries: Record<TransactionConflict, number> = { serialization_failure: 0, deadlock: 0 };
  readonly #duration = new Histogram();
  #savepoints = 0;

  ended(outcome: TransactionOutcome, durationMs: number): void {
    this.#outcomes[outcome]++;
    this.#duration.observe(durationMs);
  }

  retried(reason: TransactionConflict): void {
    this.#retries[reason]++;
  }

  savepoint(): void {
    this.#savepoints++;
  }

  snapshot(): TransactionStats {
    return {
      outcomes: { ...this.#outcomes },
      duration: this.#duration.snapshot(),
      retries: { ...this.#retries },
      savepoints: this.#savepoints,
    };
  }
}

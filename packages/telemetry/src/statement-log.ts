import type { Logger } from '@dbmanager/core';
import { guarded } from './guarded.js';
import type { StatementShape } from './statement-shape.js';

/** What became of a statement, for the log. */
export interface StatementOutcome {
  readonly durationMs: number;
  readonly rows: number | undefined;
  /** Undefined for one that succeeded. */
  readonly errorType: string | undefined;
}

/**
 * Writes a record for each statement that fails or is slow, one for one that is both. Neither values nor literals are in it, nor
 * what the database says of an error, which may repeat them: its code is.
 */
export class StatementLog {
  readonly #logger: Logger;
  readonly #connection: string;
  readonly #thresholdMs: number;

  /** @param thresholdMs 0: none is slow. */
  constructor(logger: Logger, connection: string, thresholdMs: number) {
    this.#logger = logger;
    this.#connection = connection;
    this.#thresholdMs = thresholdMs === 0 ? Number.POSITIVE_INFINITY : thresholdMs;
  }

  ended(shape: StatementShape, { durationMs, rows, errorType }: StatementOutcome): void {
    const slow = durationMs >= this.#thresholdMs;
    if (errorType === undefined && !slow) return;
    guarded(() => this.#write(shape, { durationMs, rows, errorType }, slow));
  }

  #write(shape: StatementShape, { durationMs, rows, errorType }: StatementOutcome, slow: boolean): void {
    const record = {
      connection: this.#connection,
      operation: shape.operation,
      ...(shape.collection !== '' && { collection: shape.collection }),
      statement: shape.masked,
      durationMs: Math.round(durationMs * 1_000) / 1_000,
      ...(slow && { thresholdMs: this.#thresholdMs }),
    };
    if (errorType === undefined)
      this.#logger.warn({ ...record, ...(rows !== undefined && { rows }) }, 'slow statement');
    else this.#logger.warn({ ...record, errorType }, 'statement failed');
  }
}

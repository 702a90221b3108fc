import { type Clock, isDbManagerError, type TransactionOutcome, type TransactionRecorder } from '@dbmanager/core';

/** Tells how one attempt at a transaction ended, and how long it took. */
export class AttemptRecording {
  readonly #recorder: TransactionRecorder | undefined;
  readonly #clock: Clock;
  readonly #startedAt: number;
  /** To be set when the work is done and the commit begins. */
  committing = false;

  constructor(recorder: TransactionRecorder | undefined, clock: Clock) {
    this.#recorder = recorder;
    this.#clock = clock;
    this.#startedAt = clock.now();
  }

  failed(error: unknown): void {
    if (isDbManagerError(error, 'DBM_COMMIT_UNKNOWN')) this.ended('unknown');
    else this.ended(this.committing ? 'failed' : 'rolled_back');
  }

  ended(outcome: TransactionOutcome): void {
    this.#recorder?.ended(outcome, this.#clock.now() - this.#startedAt);
  }
}

import { type BackoffOptions, fullJitterDelay } from '../backoff.js';
import type { Clock } from '../clock.js';
import { sleep } from '../deadline.js';
import type { Random } from '../random.js';

/** What a reconnector needs. */
export interface ReconnectorSetup {
  readonly clock: Clock;
  readonly random: Random;
  readonly backoff: BackoffOptions;
  /** One attempt. */
  attempt(signal: AbortSignal): Promise<void>;
  /** Told how each attempt ended. */
  onAttempt(attempt: number, outcome: ReconnectOutcome): void;
}

/** How one attempt ended; without an error, well. */
export interface ReconnectOutcome {
  readonly error?: Error;
  readonly nextDelayMs?: number;
}

interface Run {
  readonly stopping: AbortController;
  /** While it waits for the next attempt, which that is. */
  sleepingBefore: number | undefined;
}

/** Repeats an attempt with exponential backoff and full jitter until it succeeds or is stopped; one run at a time. */
export class Reconnector {
  readonly #setup: ReconnectorSetup;
  #run: Run | undefined;

  constructor(setup: ReconnectorSetup) {
    this.#setup = setup;
  }

  /** Begins a run; does nothing while one is under way. */
  start(): void {
    if (this.#run !== undefined) return;
    const run: Run = { stopping: new AbortController(), sleepingBefore: undefined };
    this.#run = run;
    void this.#repeat(run).finally(() => {
      if (this.#run === run) this.#run = undefined;
    });
  }

  /** Ends the run, cancelling an attempt under way. */
  stop(): void {
    this.#run?.stopping.abort();
    this.#run = undefined;
  }

  /** The database was reached on another way: a run that sleeps ends as successful; one that attempts finishes by itself. */
  recovered(): void {
    const attempt = this.#run?.sleepingBefore;
    if (attempt === undefined) return;
    this.stop();
    this.#setup.onAttempt(attempt, {});
  }

  async #repeat(run: Run): Promise<void> {
    const { clock, random, backoff, onAttempt } = this.#setup;
    const { signal } = run.stopping;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await this.#setup.attempt(signal);
        return onAttempt(attempt, {});
      } catch (error) {
        if (signal.aborted) return;
        const nextDelayMs = fullJitterDelay(attempt, backoff, random);
        onAttempt(attempt, { error: error as Error, nextDelayMs });
        run.sleepingBefore = attempt + 1;
        // Upkeep: it keeps no process alive. It rejects only by being stopped, which ends the loop.
        await sleep(clock, nextDelayMs, signal).catch(() => undefined);
        run.sleepingBefore = undefined;
      }
    }
  }
}

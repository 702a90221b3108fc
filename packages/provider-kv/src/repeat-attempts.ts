import { type Clock, type DbManagerError, exponentialDelay, type Random, shorten, sleep } from '@dbmanager/core';

/** A conflict means that another has committed, so that the next attempt may follow soon. */
const RETRY_BACKOFF = { baseMs: 1, maxMs: 100 };
const NEVER = new AbortController().signal;

/** How one attempt at a transaction ended: with a result, or because another had written what it read. */
export type AttemptOutcome<R> = { readonly result: R } | { readonly conflict: DbManagerError };

/** How attempts are repeated. */
export interface RepeatSetup {
  /** Further attempts. */
  readonly retries: number;
  readonly signal: AbortSignal | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** Told of each further attempt. */
  readonly onRetry: () => void;
}

/** Makes attempts, at short random delays, until one is in conflict with nobody. Rejects with the last conflict. */
export async function repeatAttempts<R>(setup: RepeatSetup, attempt: () => Promise<AttemptOutcome<R>>): Promise<R> {
  const { retries, clock, random, signal = NEVER, onRetry } = setup;
  for (let made = 1; ; made++) {
    const outcome = await attempt();
    if ('result' in outcome) return outcome.result;
    if (made > retries) throw outcome.conflict;
    onRetry();
    await sleep(clock, shorten(exponentialDelay(made, RETRY_BACKOFF), 1, random), signal, { keepAlive: true });
  }
}

import { type Clock, exponentialDelay, type Random, sleep, spread } from '@dbmanager/core';
import { MigrationError } from './migration-error.js';

/**
 * Asked again and again rather than waited for on the server: a session that waits there has a transaction open, for whose
 * end `CREATE INDEX CONCURRENTLY` of the other process would wait.
 */
const POLLING = { baseMs: 50, maxMs: 1_000 };

/** How a lock is waited for. */
export interface LockPolling {
  readonly clock: Clock;
  readonly random: Random;
  readonly connectionName: string;
  readonly timeoutMs: number;
}

/**
 * Resolves when `attempt` has got it. Rejects with `DBM_MIGRATION_LOCKED` when another process holds it for too long, with
 * `DBM_ABORTED`.
 */
export async function pollLock(
  polling: LockPolling,
  signal: AbortSignal,
  attempt: () => Promise<boolean>,
): Promise<void> {
  const { clock, random, timeoutMs } = polling;
  const start = clock.now();
  for (let tries = 1; !(await attempt()); tries++) {
    const left = timeoutMs - (clock.now() - start);
    if (left <= 0) throw lockedError(polling);
    const delay = spread(exponentialDelay(tries, POLLING), 0.2, random);
    await sleep(clock, Math.min(delay, left), signal, { keepAlive: true });
  }
}

/** The error of whoever has waited for too long. */
export function lockedError(
  { timeoutMs, connectionName }: Pick<LockPolling, 'timeoutMs' | 'connectionName'>,
  cause?: unknown,
): MigrationError {
  const place = { connectionName, option: 'migrations_lock_timeout' };
  const message = `another process is still migrating after ${timeoutMs} ms`;
  return new MigrationError('DBM_MIGRATION_LOCKED', message, cause === undefined ? place : { ...place, cause });
}

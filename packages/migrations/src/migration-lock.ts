import {
  type Clock,
  exponentialDelay,
  type Random,
  type SqlSession,
  type Statement,
  sleep,
  spread,
} from '@dbmanager/core';
import { MigrationError } from './migration-error.js';

/**
 * Asked again and again rather than waited for on the server: a session that waits there has a transaction open, for whose
 * end `CREATE INDEX CONCURRENTLY` of the other process would wait.
 */
const POLLING = { baseMs: 50, maxMs: 1_000 };

/** How a {@link MigrationLock} waits. */
export interface MigrationLockSetup {
  readonly clock: Clock;
  readonly random: Random;
  readonly connectionName: string;
  readonly timeoutMs: number;
}

/** Keeps other processes from migrating, for as long as the session, or the transaction, lives that holds it. */
export class MigrationLock {
  readonly #attempt: Statement;
  readonly #setup: MigrationLockSetup;

  /** @param attempt tries to take it without waiting: gives a row whose `locked` is true or 1 when it was got. */
  constructor(attempt: Statement, setup: MigrationLockSetup) {
    this.#attempt = attempt;
    this.#setup = setup;
  }

  /** Rejects with `DBM_MIGRATION_LOCKED` when another process holds it for too long, with `DBM_ABORTED`. */
  async take(session: SqlSession, signal: AbortSignal): Promise<void> {
    const { clock, random, timeoutMs } = this.#setup;
    const start = clock.now();
    for (let attempt = 1; !(await this.#try(session, signal)); attempt++) {
      const left = timeoutMs - (clock.now() - start);
      if (left <= 0) throw lockedError(this.#setup);
      const delay = spread(exponentialDelay(attempt, POLLING), 0.2, random);
      await sleep(clock, Math.min(delay, left), signal, { keepAlive: true });
    }
  }

  async #try(session: SqlSession, signal: AbortSignal): Promise<boolean> {
    const { rows } = await session.query(this.#attempt, { signal });
    const locked = rows[0]?.locked;
    return locked === true || Number(locked) === 1;
  }
}

/** The error of whoever has waited for too long. */
export function lockedError(
  { timeoutMs, connectionName }: Pick<MigrationLockSetup, 'timeoutMs' | 'connectionName'>,
  cause?: unknown,
): MigrationError {
  const place = { connectionName, option: 'migrations_lock_timeout' };
  const message = `another process is still migrating after ${timeoutMs} ms`;
  return new MigrationError('DBM_MIGRATION_LOCKED', message, cause === undefined ? place : { ...place, cause });
}

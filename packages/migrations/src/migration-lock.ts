import {
  type Clock,
  exponentialDelay,
  type Random,
  type SqlSession,
  type SqlSessionLock,
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

/** Keeps other processes from migrating, for as long as the connection lives that holds it. */
export class MigrationLock {
  readonly #lock: SqlSessionLock;
  readonly #name: string;
  readonly #setup: MigrationLockSetup;

  constructor(lock: SqlSessionLock, name: string, setup: MigrationLockSetup) {
    this.#lock = lock;
    this.#name = name;
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

  async give(session: SqlSession): Promise<void> {
    await session.query(this.#lock.give(this.#name));
  }

  async #try(session: SqlSession, signal: AbortSignal): Promise<boolean> {
    const { rows } = await session.query(this.#lock.take(this.#name), { signal });
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

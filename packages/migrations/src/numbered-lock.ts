import { crc32 } from 'node:zlib';
import type { SqlSession, SqlSessionLock, SqlStepLock } from '@dbmanager/core';
import { type LockPolling, pollLock } from './lock-polling.js';

/** Of golang-migrate's `GenerateAdvisoryLockId`, which took it from Rails. */
const SALT = 1_486_364_155;

/**
 * Keeps other processes from migrating, and golang-migrate, for as long as the session, or the transaction, lives that holds
 * it.
 */
export class NumberedLock<L extends SqlSessionLock | SqlStepLock> {
  readonly #lock: L;
  readonly #table: readonly string[];
  readonly #polling: LockPolling;
  #id: number | undefined;

  /** @param table the table of versions, that keeps apart those who do not mind each other. */
  constructor(lock: L, table: readonly string[], polling: LockPolling) {
    this.#lock = lock;
    this.#table = table;
    this.#polling = polling;
  }

  /** Rejects with `DBM_MIGRATION_LOCKED` when another process holds it for too long, with `DBM_ABORTED`. */
  async take(session: SqlSession, signal: AbortSignal): Promise<void> {
    const attempt = this.#lock.take(await this.#number(session));
    await pollLock(this.#polling, signal, async () => {
      const { rows } = await session.query(attempt, { signal });
      const locked = rows[0]?.locked;
      return locked === true || Number(locked) === 1;
    });
  }

  /** Gives back what a session holds. */
  async give(this: NumberedLock<SqlSessionLock>, session: SqlSession): Promise<void> {
    await session.query(this.#lock.give(await this.#number(session)));
  }

  async #number(session: SqlSession): Promise<number> {
    this.#id ??= lockNumber(Object.values((await session.query(this.#lock.scope(this.#table))).rows[0] ?? {}));
    return this.#id;
  }
}

/** golang-migrate's number of these names. */
export function lockNumber(names: readonly unknown[]): number {
  return Math.imul(crc32(names.join('\0')), SALT) >>> 0;
}

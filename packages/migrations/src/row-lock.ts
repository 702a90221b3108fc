import type { BridgeTarget, SqlEngine, SqlSession } from '@dbmanager/core';
import { type LockPolling, pollLock } from './lock-polling.js';
import type { VersionTable } from './version-table.js';

/** What a {@link RowLock} is made of. */
export interface RowLockSetup {
  /** Where the second connection is borrowed. */
  readonly target: BridgeTarget;
  readonly sql: SqlEngine<unknown>;
  /** The one beside which the row has a table of its own. */
  readonly table: VersionTable;
  readonly polling: LockPolling;
}

/**
 * Keeps other processes from migrating by a row that a transaction holds, on a connection of its own: with that it goes, however
 * the process ends.
 */
export class RowLock {
  readonly #setup: RowLockSetup;

  constructor(setup: RowLockSetup) {
    this.#setup = setup;
  }

  /**
   * Runs `work` with others kept out. Rejects with `DBM_MIGRATION_LOCKED` when another process holds the row for too long, with
   * `DBM_ABORTED`, or when there is no second connection to be had.
   */
  async holding<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const { target, sql, table, polling } = this.#setup;
    const session = sql.session(target);
    try {
      await table.createLock(session);
      await pollLock(polling, signal, () => this.#try(session, signal));
      return await work();
    } finally {
      // What ends the connection gives the row back too.
      await this.#end(session).then(
        () => session.release(),
        (error: unknown) => session.release(error),
      );
    }
  }

  /** Leaves a transaction open when it was got. Each try is a transaction of its own, which sees what was committed before. */
  async #try(session: SqlSession, signal: AbortSignal): Promise<boolean> {
    const { sql, table } = this.#setup;
    try {
      await session.begin({ signal });
      const { rows } = await session.query({ sql: `select id from ${table.lock} where id = 1 for update skip locked` });
      if (rows.length > 0) {
        // A lock alone may be lost when the database moves the row to another node; what is written is not.
        await session.query({ sql: `update ${table.lock} set taken = taken + 1 where id = 1` });
        return true;
      }
    } catch (error) {
      // Whoever held it has let go of it this moment.
      if (sql.conflict?.(error) === undefined) throw error;
    }
    await this.#end(session);
    return false;
  }

  async #end(session: SqlSession): Promise<void> {
    if (session.inTransaction) await session.rollback();
  }
}

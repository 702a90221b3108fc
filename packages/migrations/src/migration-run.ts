import {
  abortedError,
  type Bridge,
  type Clock,
  isDbManagerError,
  type Logger,
  type SqlEngine,
  type SqlMigrations,
  type SqlSession,
  type SqlStepLock,
} from '@dbmanager/core';
import type { Database, Transaction } from '@dbmanager/database';
import { lockedError } from './lock-polling.js';
import type { MigrationDirection, MigrationProgress, MigrationStep } from './migration.js';
import { MigrationError } from './migration-error.js';
import type { CurrentVersion } from './migration-history.js';
import type { RouteStep } from './migration-route.js';
import { type PreparedScript, prepareScript, StatementFailure } from './migration-script.js';
import type { NumberedLock } from './numbered-lock.js';
import type { PinnedTarget } from './pinned-target.js';
import type { VersionTable } from './version-table.js';

/** A step that was taken. */
export interface AppliedMigration {
  readonly version: bigint;
  readonly description: string;
  readonly direction: MigrationDirection;
  readonly durationMs: number;
}

/** What a {@link MigrationRun} is made of. */
export interface MigrationRunSetup {
  /** The one connection of the run. */
  readonly target: PinnedTarget;
  readonly sql: SqlEngine<unknown>;
  readonly engine: SqlMigrations;
  readonly table: VersionTable;
  /** On that connection. */
  readonly database: Database;
  /** On that connection, outside transactions. */
  readonly session: SqlSession;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Taken in each transaction, where the session of the run cannot hold one. */
  readonly stepLock: NumberedLock<SqlStepLock> | undefined;
  readonly lockTimeoutMs: number;
  readonly onProgress: ((progress: MigrationProgress) => void) | undefined;
}

/** What says nothing about a migration itself: with these a step has not failed but ended, and its transaction with it. */
const NOT_ITS_FAULT = [
  'DBM_ABORTED',
  'DBM_CONNECTION_LOST',
  'DBM_COMMIT_UNKNOWN',
  'DBM_MIGRATION_DIRTY',
  'DBM_MIGRATION_LOCKED',
] as const;

/** Another process has taken the step meanwhile. */
class Moved extends Error {}

/** Takes steps, one at a time, each whole or marked as broken. */
export class MigrationRun {
  readonly #setup: MigrationRunSetup;
  readonly #rawSession: Bridge<never, object, SqlSession>;

  constructor(setup: MigrationRunSetup) {
    this.#setup = setup;
    this.#rawSession = {
      name: 'migrations',
      types: [setup.target.type],
      open: () => {
        throw new TypeError('bound to transactions only');
      },
      bind: ({ session }) => session,
    };
  }

  /** Runs statements of our own in a transaction, with others kept out. */
  inTransaction<T>(work: (session: SqlSession) => Promise<T>): Promise<T> {
    return this.#setup.database.transaction(async (tx) => work(await this.#enter(tx)));
  }

  /** The session of a transaction that has just begun. */
  async #enter(tx: Transaction): Promise<SqlSession> {
    const { stepLock, signal } = this.#setup;
    const session = tx.use(this.#rawSession);
    await stepLock?.take(session, signal);
    return session;
  }

  /**
   * Takes a step; undefined when another process has moved on meanwhile. Rejects with `DBM_MIGRATION_FAILED` when it failed,
   * and has then marked the version as dirty; with `DBM_ABORTED` when it was interrupted.
   */
  async take(step: RouteStep): Promise<AppliedMigration | undefined> {
    const { sql, engine, clock, logger, target } = this.#setup;
    const script = prepareScript(step.script, sql, engine);
    const startedAt = clock.now();
    try {
      if (script.transaction) await this.#takeWhole(step, script, startedAt);
      else await this.#takeByStatement(step, script, startedAt);
    } catch (error) {
      if (error instanceof Moved) return undefined;
      throw error;
    }
    const { migration, direction } = step;
    const { version, description } = migration;
    const applied = { version, description, direction, durationMs: clock.now() - startedAt };
    logger.info({ connection: target.name, ...applied, version: String(version) }, 'migration applied');
    return applied;
  }

  /** In one transaction, again while others keep it from being begun or kept. */
  async #takeWhole(step: RouteStep, script: PreparedScript, startedAt: number): Promise<void> {
    const { clock, lockTimeoutMs, sql, target, signal } = this.#setup;
    for (;;) {
      try {
        return await this.#takeOnce(step, script, startedAt);
      } catch (error) {
        const cause = causeOf(error);
        if (cause instanceof Moved || this.#endedOtherwise(cause)) throw cause;
        if (sql.conflict?.(cause) === undefined) throw await this.#failed(step, error, true);
        if (signal.aborted) throw abortedError(signal, target.name);
        if (clock.now() - startedAt >= lockTimeoutMs) {
          throw lockedError({ timeoutMs: lockTimeoutMs, connectionName: target.name }, cause);
        }
      }
    }
  }

  async #takeOnce(step: RouteStep, script: PreparedScript, startedAt: number): Promise<void> {
    const { database, signal } = this.#setup;
    await database.transaction({ signal }, async (tx) => {
      const session = await this.#enter(tx);
      await this.#assertStill(session, step.from);
      await script.run(session, this.#stepOf(step, tx, tx, startedAt));
      await this.#finish(session, step, startedAt);
    });
  }

  /** Marked as dirty from before the first statement to after the last, so that nothing half-done goes unseen. */
  async #takeByStatement(step: RouteStep, script: PreparedScript, startedAt: number): Promise<void> {
    const { table, session, database } = this.#setup;
    await this.inTransaction(async (bound) => {
      await this.#assertStill(bound, step.from);
      await table.write(bound, { version: step.to, dirty: true });
    });
    try {
      await script.run(session, this.#stepOf(step, database, undefined, startedAt));
    } catch (error) {
      await this.#endTransactionLeftOpen();
      const cause = causeOf(error);
      if (this.#endedOtherwise(cause)) throw cause;
      throw await this.#failed(step, error, false);
    }
    await this.inTransaction((bound) => this.#finish(bound, step, startedAt));
  }

  async #finish(session: SqlSession, step: RouteStep, startedAt: number): Promise<void> {
    const { table, clock } = this.#setup;
    const { migration, direction, to } = step;
    await table.write(session, { version: to, dirty: false });
    if (direction === 'up') await table.record(session, migration, clock.now() - startedAt);
    else await table.forget(session, migration.version);
  }

  async #assertStill(session: SqlSession, from: bigint | undefined): Promise<void> {
    const current = await this.#setup.table.read(session);
    assertClean(current, this.#setup.target.name);
    if (current.version !== from) throw new Moved();
  }

  #stepOf(
    { migration, direction }: RouteStep,
    db: Database | Transaction,
    transaction: Transaction | undefined,
    startedAt: number,
  ): MigrationStep {
    const { signal, clock, logger, onProgress, target } = this.#setup;
    const { version, description } = migration;
    return {
      db,
      transaction,
      signal,
      async progress(done, total) {
        try {
          onProgress?.({ version, description, direction, done, total, elapsedMs: clock.now() - startedAt });
        } catch (err) {
          // Who only looks on leaves no database dirty.
          logger.error({ connection: target.name, err }, 'onProgress of a migration threw');
        }
        await new Promise((resolve) => setImmediate(resolve));
        if (signal.aborted) throw abortedError(signal, target.name);
      },
    };
  }

  #endedOtherwise(error: unknown): boolean {
    return this.#setup.signal.aborted || NOT_ITS_FAULT.some((code) => isDbManagerError(error, code));
  }

  /** A file with a BEGIN of its own failed before its COMMIT. */
  async #endTransactionLeftOpen(): Promise<void> {
    const { session, target } = this.#setup;
    try {
      if (session.inTransaction) await session.rollback();
    } catch (error) {
      target.discard(error);
    }
  }

  /** The error of a step that failed. What was rolled back is marked as dirty now; what was not, is. */
  async #failed(step: RouteStep, failure: unknown, rolledBack: boolean): Promise<MigrationError> {
    const { migration, direction, from, to, script } = step;
    const { version, description } = migration;
    if (rolledBack) await this.#markDirty(to);
    const cause = causeOf(failure);
    const line = failure instanceof StatementFailure ? failure.line : undefined;
    const file = script.kind === 'sql' ? script.file : undefined;
    const where = file === undefined ? '' : ` (${file}${line === undefined || line === 1 ? '' : `:${line}`})`;
    const what = cause instanceof Error ? `: ${isDbManagerError(cause) ? cause.detail : cause.message}` : '';
    const state = rolledBack
      ? `; it was rolled back: once mended, \`migrate force ${from ?? 'none'}\``
      : '; what it did before that stays done: mend the schema, then `migrate force` with the version that it has';
    return new MigrationError(
      'DBM_MIGRATION_FAILED',
      `migration ${version} ${description} failed on its way ${direction}${where}${what}${state}`,
      { connectionName: this.#setup.target.name, cause, version, direction, file, line },
    );
  }

  async #markDirty(version: bigint | undefined): Promise<void> {
    const { table, logger, target } = this.#setup;
    try {
      await this.inTransaction((session) => table.write(session, { version, dirty: true }));
    } catch (error) {
      // The step was rolled back, so the version that stands is true.
      logger.warn({ connection: target.name, version: String(version), error }, 'failed migration not marked dirty');
    }
  }
}

/** What a step failed with, whichever statement it was. */
function causeOf(failure: unknown): unknown {
  return failure instanceof StatementFailure ? failure.cause : failure;
}

/** Throws `DBM_MIGRATION_DIRTY` when a step has failed, or is under way elsewhere. */
export function assertClean({ version, dirty }: CurrentVersion, connectionName: string): void {
  if (!dirty) return;
  throw new MigrationError(
    'DBM_MIGRATION_DIRTY',
    `a migration to version ${version ?? 'none'} failed or was broken off; nothing was done`,
    { connectionName, version },
  );
}

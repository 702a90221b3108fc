import {
  type BridgeTarget,
  type Clock,
  DbManagerError,
  KnownOptions,
  type Logger,
  NotSqlDatabaseError,
  type Random,
  type SqlEngine,
  type SqlMigrations,
  type SqlSessionLock,
  type SqlStepLock,
  silentLogger,
  systemClock,
} from '@dbmanager/core';
import { createDatabase } from '@dbmanager/database';
import { type CreatedMigration, createMigration } from './create-migration.js';
import type { LockPolling } from './lock-polling.js';
import type { CodeMigration, MigrationDirection, MigrationProgress } from './migration.js';
import { MigrationError } from './migration-error.js';
import { loadMigrations } from './migration-folder.js';
import {
  type CurrentVersion,
  compareWithHistory,
  type MigrationEntry,
  type MigrationProblem,
  type MigrationRecord,
  problemsOf,
} from './migration-history.js';
import { MigrationRoute, type RouteStep } from './migration-route.js';
import { type AppliedMigration, assertClean, MigrationRun } from './migration-run.js';
import { prepareScript } from './migration-script.js';
import { NumberedLock } from './numbered-lock.js';
import { PinnedTarget } from './pinned-target.js';
import { RowLock } from './row-lock.js';
import { VersionTable } from './version-table.js';

export type { AppliedMigration } from './migration-run.js';

const DEFAULT_TABLE = 'schema_migrations';
const DEFAULT_LOCK_TIMEOUT_MS = 60_000;
const TABLE_NAME = /^[^.\s]+(?:\.[^.\s]+)?$/;

/** What {@link Migrations} are made of, besides their connection. */
export interface MigrationsOptions {
  /** The folder: golang-migrate's files, and modules with code. May be left out where `migrations` is given. */
  readonly path?: string | undefined;
  /** Migrations in code, ordered among those of the folder. */
  readonly migrations?: readonly CodeMigration[] | undefined;
  /** golang-migrate's table, with a schema and a dot before it or without. Default: `schema_migrations`. */
  readonly table?: string | undefined;
  /** How long to wait for another process that migrates, in milliseconds. Default: 60,000. */
  readonly lockTimeoutMs?: number | undefined;
  /** Default: the machine's. */
  readonly clock?: Clock | undefined;
  /** Default: `Math.random`. */
  readonly random?: Random | undefined;
  /** Told of each step. Default: logs nothing. */
  readonly logger?: Logger | undefined;
}

/** Options of a run. */
export interface RunOptions {
  /**
   * Interrupts: what runs is stopped, and rejects with `DBM_ABORTED`. A step in a transaction is rolled back, and may be taken
   * again; one without stays dirty.
   */
  readonly signal?: AbortSignal | undefined;
  /** Called after each statement of a file, and whenever code reports its progress. */
  readonly onProgress?: ((progress: MigrationProgress) => void) | undefined;
}

/** Options of a run of so many steps. */
export interface StepsOptions extends RunOptions {
  /** A whole number from 1. */
  readonly steps?: number | undefined;
}

const MIGRATIONS_OPTIONS = new KnownOptions<MigrationsOptions>('migrations()', {
  path: true,
  migrations: true,
  table: true,
  lockTimeoutMs: true,
  clock: true,
  random: true,
  logger: true,
});
const RUN_OPTIONS = new KnownOptions<RunOptions>('this run of migrations', { signal: true, onProgress: true });
const STEPS_OPTIONS = new KnownOptions<StepsOptions>('up() and down()', {
  signal: true,
  onProgress: true,
  steps: true,
});

/** Where a database stands. */
export interface MigrationsStatus extends CurrentVersion {
  /** Every migration that there is or was, in order. */
  readonly migrations: readonly MigrationEntry[];
}

/** A step that would be taken. */
export interface PlannedMigration {
  readonly version: bigint;
  readonly description: string;
  readonly direction: MigrationDirection;
  /** Undefined for code. */
  readonly file: string | undefined;
  /** Whether it is one transaction; else what it did before a failure stays done. */
  readonly transaction: boolean;
  /** How many statements it has, or batches where those are what is sent; undefined for code. */
  readonly statements: number | undefined;
}

/** The connection of one call. */
interface Desk {
  readonly target: PinnedTarget;
  readonly run: MigrationRun;
  readonly table: VersionTable;
  readonly sql: SqlEngine<unknown>;
  readonly engine: SqlMigrations;
  readonly session: ReturnType<SqlEngine<unknown>['session']>;
}

/** Where a run is to end. */
type Goal = (route: MigrationRoute, current: bigint | undefined) => bigint | undefined;

/**
 * Migrations of one named connection, in golang-migrate's files and table. Every call takes one connection of the pool for as
 * long as it lasts; what changes anything takes a lock that keeps other processes out and dies with its owner.
 *
 * Every method rejects with `DBM_NOT_SQL`, with `DBM_UNSUPPORTED` on an engine that says nothing of migrations,
 * with `DBM_INVALID_OPTION` when neither a folder nor migrations in code are given, `DBM_MIGRATION_SOURCE` when the migrations
 * are wrong, `DBM_MIGRATION_TABLE` when the table is another tool's, or what waiting for a connection is refused with.
 *
 * ```ts
 * const migrations = mgr.get('primary').migrations();
 * await migrations.up();
 * ```
 */
export class Migrations {
  readonly #target: BridgeTarget;
  readonly #options: MigrationsOptions;
  readonly #table: string;
  readonly #clock: Clock;
  readonly #random: Random;

  /** Throws `DBM_INVALID_OPTION` for what cannot be meant: a table name that is none, an option that there is not. */
  constructor(target: BridgeTarget, options: MigrationsOptions = {}) {
    MIGRATIONS_OPTIONS.check(options, target.name);
    const { table = DEFAULT_TABLE, clock = systemClock, random = Math.random } = options;
    const { path, migrations, lockTimeoutMs = DEFAULT_LOCK_TIMEOUT_MS } = options;
    this.#target = target;
    if (typeof table !== 'string' || !TABLE_NAME.test(table)) {
      throw this.#invalid('migrations_table', `"${table}" is no name of a table`);
    }
    if (path !== undefined && typeof path !== 'string') throw this.#invalid('migrations_path', 'a folder is a text');
    if (migrations !== undefined && !Array.isArray(migrations)) {
      throw this.#invalid('migrations', 'migrations in code are an array');
    }
    if (typeof lockTimeoutMs !== 'number' || !(lockTimeoutMs >= 0)) {
      throw this.#invalid('migrations_lock_timeout', 'lockTimeoutMs is a time in milliseconds, 0 or more');
    }
    this.#options = options;
    this.#table = table;
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Applies what is pending, or the next `steps` of it. Rejects with `DBM_MIGRATION_DIRTY` or `DBM_MIGRATION_DRIFT` before
   * anything is done, with `DBM_MIGRATION_FAILED` when a step fails: those before it stay applied.
   */
  async up(options: StepsOptions = {}): Promise<AppliedMigration[]> {
    this.#checkSteps(options);
    const { steps } = options;
    return this.#run(options, 'up', (route, current) => {
      if (steps === undefined) return route.last;
      return endOf(route.steps(current, route.last, 'up').slice(0, steps), current);
    });
  }

  /** Takes back the last `steps` that were applied, one unless said. Rejects as {@link up}, but edited files do not matter. */
  async down(options: StepsOptions = {}): Promise<AppliedMigration[]> {
    this.#checkSteps(options);
    const { steps = 1 } = options;
    return this.#run(options, 'down', (route, current) =>
      endOf(route.steps(current, undefined, 'down').slice(0, steps), current),
    );
  }

  /** Goes up or down to a version; null is before the first. Rejects as {@link up}. */
  async goto(version: number | bigint | null, options: RunOptions = {}): Promise<AppliedMigration[]> {
    this.#check(RUN_OPTIONS, options);
    const goal = toVersion(version);
    return this.#run(options, undefined, (route) => {
      route.assertKnown(goal);
      return goal;
    });
  }

  /** What {@link goto} that version would do, or {@link up} when none is given. Changes nothing. */
  async plan(version?: number | bigint): Promise<PlannedMigration[]> {
    const route = await this.#route();
    return this.#atDesk({}, async ({ table, session, sql, engine }) => {
      const { version: current } = await table.readIfThere(session);
      const goal = version === undefined ? route.last : toVersion(version);
      route.assertKnown(goal);
      const direction = version === undefined ? 'up' : route.direction(current, goal);
      return route.steps(current, goal, direction).map((step) => planned(step, sql, engine));
    });
  }

  /** What has been applied and what has not. Changes nothing. */
  async status(): Promise<MigrationsStatus> {
    const { migrations } = await this.#route();
    return this.#atDesk({}, async ({ table, session }) => {
      const current = await table.readIfThere(session);
      const records = await table.recordsIfThere(session);
      return { ...current, migrations: compareWithHistory(migrations, current, records) };
    });
  }

  /** What is not as it should be: edited, missing, late. Changes nothing. */
  async verify(): Promise<MigrationProblem[]> {
    return problemsOf((await this.status()).migrations);
  }

  /**
   * Says that the database is at this version, clean, with all up to it as they are now; null is before the first. Runs
   * none of them. For use once a dirty database has been mended by hand.
   */
  async force(version: number | bigint | null, options: RunOptions = {}): Promise<void> {
    this.#check(RUN_OPTIONS, options);
    const route = await this.#route();
    const forced = toVersion(version);
    route.assertKnown(forced);
    await this.#locked(options, async ({ run, table }) => {
      await run.inTransaction(async (session) => {
        const records = await table.records(session);
        await table.write(session, { version: forced, dirty: false });
        for (const recorded of records.keys()) {
          if (!isApplied(recorded, forced) || !route.has(recorded)) await table.forget(session, recorded);
        }
        for (const migration of route.migrations) {
          if (!isApplied(migration.version, forced)) break;
          const { checksum } = records.get(migration.version) ?? {};
          if (checksum !== (migration.checksum ?? '')) await table.record(session, migration, 0);
        }
      });
    });
  }

  /** Writes the two empty files of a new migration into the folder: {@link createMigration}. Asks no database. */
  async create(title: string): Promise<CreatedMigration> {
    const { path } = this.#options;
    if (path === undefined) throw this.#noFolder();
    return createMigration(path, title);
  }

  #noFolder(): DbManagerError {
    return this.#invalid('migrations_path', 'no folder of migrations is named; set migrations_path');
  }

  async #run(options: RunOptions, fixed: MigrationDirection | undefined, goalOf: Goal): Promise<AppliedMigration[]> {
    const route = await this.#route();
    return this.#locked(options, async ({ run, table, session }) => {
      const current = await table.read(session);
      assertClean(current, this.#target.name);
      const records = await this.#adopt(route, current, table, run);
      const goal = goalOf(route, current.version);
      const direction = fixed ?? route.direction(current.version, goal);
      if (direction === 'up') this.#assertNoDrift(compareWithHistory(route.migrations, current, records));
      // All of them, so that a way which cannot be gone is not begun.
      route.steps(current.version, goal, direction);
      return this.#walk(run, table, session, (from) => route.next(from, goal, direction));
    });
  }

  /** Step by step, each from where the database then stands: another process may have gone on meanwhile. */
  async #walk(
    run: MigrationRun,
    table: VersionTable,
    session: Desk['session'],
    nextFrom: (version: bigint | undefined) => RouteStep | undefined,
  ): Promise<AppliedMigration[]> {
    const applied: AppliedMigration[] = [];
    let known: { readonly version: bigint | undefined } | undefined;
    for (;;) {
      known ??= await table.read(session);
      const step = nextFrom(known.version);
      if (step === undefined) return applied;
      const done = await run.take(step);
      known = done === undefined ? undefined : { version: step.to };
      if (done !== undefined) applied.push(done);
    }
  }

  /** Takes into the history what another tool has applied since, and out of it what that has taken back. */
  async #adopt(
    route: MigrationRoute,
    { version: current }: CurrentVersion,
    table: VersionTable,
    run: MigrationRun,
  ): Promise<ReadonlyMap<bigint, MigrationRecord>> {
    return run.inTransaction(async (session) => {
      const records = await table.records(session);
      const stale = [...records.keys()].filter((version) => !isApplied(version, current));
      const kept = [...records.keys()].filter((version) => isApplied(version, current));
      const last = kept.reduce((max, version) => (version > max ? version : max), -1n);
      const found = route.migrations.filter(({ version }) => version > last && isApplied(version, current));
      for (const version of stale) await table.forget(session, version);
      for (const migration of found) await table.record(session, migration, 0);
      return stale.length + found.length === 0 ? records : table.records(session);
    });
  }

  #assertNoDrift(entries: readonly MigrationEntry[]): void {
    const problems = problemsOf(entries);
    if (problems.length === 0) return;
    const list = problems.map(({ version, description, state }) => `${version} ${description} is ${state}`).join(', ');
    throw new MigrationError('DBM_MIGRATION_DRIFT', `the migrations are not those that were applied: ${list}`, {
      connectionName: this.#target.name,
      version: problems[0]?.version,
    });
  }

  /** Before anything is done: `up(1)`, or `up({ step: 1 })`, would apply all there is. */
  #checkSteps(options: StepsOptions): void {
    this.#check(STEPS_OPTIONS, options);
    const { steps } = options;
    if (steps === undefined || (Number.isSafeInteger(steps) && steps > 0)) return;
    throw this.#invalid('steps', `${steps} is no number of steps; it must be 1 or more`);
  }

  #check(known: KnownOptions<RunOptions>, options: RunOptions): void {
    known.check(options, this.#target.name);
    const { onProgress } = options;
    if (onProgress === undefined || typeof onProgress === 'function') return;
    throw this.#invalid('onProgress', 'onProgress is a function');
  }

  #invalid(option: string, message: string): DbManagerError {
    return new DbManagerError('DBM_INVALID_OPTION', message, { connectionName: this.#target.name, option });
  }

  async #route(): Promise<MigrationRoute> {
    const { path, migrations: code = [] } = this.#options;
    const connectionName = this.#target.name;
    return new MigrationRoute(await loadMigrations({ connectionName, path, code }), connectionName);
  }

  /** With the tables there, and others kept out. */
  #locked<T>(options: RunOptions, work: (desk: Desk) => Promise<T>): Promise<T> {
    const { signal = new AbortController().signal } = options;
    return this.#atDesk(options, async (desk) => {
      const { engine, session, table, run } = desk;
      const { lock } = engine;
      const prepared = async () => {
        await table.create(session);
        return work(desk);
      };
      switch (lock?.held) {
        case 'by-session':
          return this.#holding(lock, desk, signal, prepared);
        case 'by-row':
          return this.#rowLock(desk).holding(signal, prepared);
        default:
          await run.inTransaction((bound) => table.create(bound));
          return work(desk);
      }
    });
  }

  async #holding<T>(
    lock: SqlSessionLock,
    { session, target }: Desk,
    signal: AbortSignal,
    work: () => Promise<T>,
  ): Promise<T> {
    const held = this.#numbered(lock);
    await held.take(session, signal);
    try {
      return await work();
    } finally {
      // Closed, the connection gives it back too.
      await held.give(session).catch((error: unknown) => target.discard(error));
    }
  }

  async #atDesk<T>({ signal, onProgress }: RunOptions, work: (desk: Desk) => Promise<T>): Promise<T> {
    const target = await PinnedTarget.borrow(this.#target, signal);
    try {
      const { sql, engine } = this.#capabilities();
      const { path, migrations } = this.#options;
      if (path === undefined && migrations === undefined) throw this.#noFolder();
      const session = sql.session(target);
      const table = new VersionTable(sql, engine, target.name, this.#table);
      const run = new MigrationRun({
        target,
        sql,
        engine,
        table,
        session,
        onProgress,
        database: createDatabase(target, { clock: this.#clock, random: this.#random }),
        clock: this.#clock,
        logger: this.#options.logger ?? silentLogger,
        signal: signal ?? new AbortController().signal,
        stepLock: engine.lock?.held === 'by-step' ? this.#numbered(engine.lock) : undefined,
        lockTimeoutMs: this.#polling.timeoutMs,
      });
      const result = await target.holding(() => work({ target, run, table, sql, engine, session }));
      session.release();
      target.release();
      return result;
    } catch (error) {
      target.release(error);
      throw error;
    }
  }

  #capabilities(): { readonly sql: SqlEngine<unknown>; readonly engine: SqlMigrations } {
    const { name, type, engine } = this.#target;
    const { sql } = engine;
    if (sql === undefined) throw new NotSqlDatabaseError(name, 'migrations');
    if (sql.migrations !== undefined) return { sql, engine: sql.migrations };
    throw new DbManagerError('DBM_UNSUPPORTED', `type ${type} cannot be migrated`, { connectionName: name });
  }

  #numbered<L extends SqlSessionLock | SqlStepLock>(lock: L): NumberedLock<L> {
    return new NumberedLock(lock, this.#table.split('.'), this.#polling);
  }

  #rowLock({ sql, table }: Desk): RowLock {
    return new RowLock({ target: this.#target, sql, table, polling: this.#polling });
  }

  get #polling(): LockPolling {
    const timeoutMs = this.#options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS;
    return { clock: this.#clock, random: this.#random, connectionName: this.#target.name, timeoutMs };
  }
}

function planned(step: RouteStep, sql: SqlEngine<unknown>, engine: SqlMigrations): PlannedMigration {
  const { migration, direction, script } = step;
  const { transaction, statements } = prepareScript(script, sql, engine);
  const { version, description } = migration;
  return {
    version,
    description,
    direction,
    file: script.kind === 'sql' ? script.file : undefined,
    transaction,
    statements,
  };
}

/** Where steps end. */
function endOf(steps: readonly RouteStep[], from: bigint | undefined): bigint | undefined {
  const last = steps.at(-1);
  return last === undefined ? from : last.to;
}

function isApplied(version: bigint, current: bigint | undefined): boolean {
  return current !== undefined && version <= current;
}

/** Undefined before the first. */
function toVersion(version: number | bigint | null): bigint | undefined {
  if (version === null) return undefined;
  if (typeof version === 'bigint') return version;
  if (Number.isSafeInteger(version)) return BigInt(version);
  throw new DbManagerError('DBM_INVALID_OPTION', `${version} is no version`, { option: 'version' });
}

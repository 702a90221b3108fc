import type { Migration } from './migration.js';

/** What golang-migrate's table says. */
export interface CurrentVersion {
  /** Undefined: nothing has been applied. */
  readonly version: bigint | undefined;
  /** A step to this version has failed, or is under way. */
  readonly dirty: boolean;
}

/** One row of the history: a migration that was applied. */
export interface MigrationRecord {
  readonly version: bigint;
  readonly description: string;
  /** Empty where editions are not told apart. */
  readonly checksum: string;
  readonly appliedAt: Date;
  readonly durationMs: number;
}

/**
 * - `applied`, `pending`: as it should be.
 * - `edited`: applied, and its way up has changed since.
 * - `missing`: applied, and not to be found any more.
 * - `late`: never applied, though later ones have been.
 * - `dirty`: its way up failed or was broken off, or is under way.
 */
export type MigrationState = 'applied' | 'pending' | 'edited' | 'missing' | 'late' | 'dirty';

/** A migration and what became of it. */
export interface MigrationEntry {
  readonly version: bigint;
  readonly description: string;
  readonly state: MigrationState;
  /** Undefined where it was not applied, or by another tool. */
  readonly appliedAt: Date | undefined;
  readonly durationMs: number | undefined;
}

/** A migration that is not as it should be. */
export interface MigrationProblem {
  readonly version: bigint;
  readonly description: string;
  readonly state: 'edited' | 'missing' | 'late';
}

/** Every migration that there is or was, in order. */
export function compareWithHistory(
  migrations: readonly Migration[],
  { version: current, dirty }: CurrentVersion,
  records: ReadonlyMap<bigint, MigrationRecord>,
): MigrationEntry[] {
  const reached = (version: bigint) => current !== undefined && version <= current;
  // What lies above was taken down again, perhaps by another tool.
  const recorded = new Map([...records].filter(([version]) => reached(version)));
  const lastRecorded = [...recorded.keys()].reduce((last, version) => (version > last ? version : last), -1n);
  const entries = migrations.map(({ version, description, checksum }): MigrationEntry => {
    const record = recorded.get(version);
    if (record !== undefined) {
      const edited = checksum !== undefined && record.checksum !== '' && checksum !== record.checksum;
      return entryOf({ ...record, description }, edited ? 'edited' : 'applied');
    }
    const state = dirty && version === current ? 'dirty' : unrecorded(reached(version), version > lastRecorded);
    return { version, description, state, appliedAt: undefined, durationMs: undefined };
  });
  return [...entries, ...missing(migrations, current, recorded)].sort((a, b) => (a.version < b.version ? -1 : 1));
}

/** Those of the entries that are edited, missing or late. */
export function problemsOf(entries: readonly MigrationEntry[]): MigrationProblem[] {
  return entries.flatMap(({ version, description, state }) =>
    state === 'applied' || state === 'pending' || state === 'dirty' ? [] : [{ version, description, state }],
  );
}

/** The state of a migration that the history does not have. Another tool may have gone on from where that ends. */
function unrecorded(reached: boolean, afterHistory: boolean): MigrationState {
  if (!reached) return 'pending';
  return afterHistory ? 'applied' : 'late';
}

function missing(
  migrations: readonly Migration[],
  current: bigint | undefined,
  recorded: ReadonlyMap<bigint, MigrationRecord>,
): MigrationEntry[] {
  const known = new Set(migrations.map(({ version }) => version));
  const gone = [...recorded.values()].filter(({ version }) => !known.has(version));
  const entries = gone.map((record) => entryOf(record, 'missing'));
  if (current !== undefined && !known.has(current) && !recorded.has(current)) {
    const unknown = { appliedAt: undefined, durationMs: undefined };
    entries.push({ version: current, description: '', state: 'missing', ...unknown });
  }
  return entries;
}

function entryOf(record: MigrationRecord, state: MigrationState): MigrationEntry {
  const { version, description, appliedAt, durationMs } = record;
  return { version, description, state, appliedAt, durationMs };
}

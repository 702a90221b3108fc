import type { SqliteDatabase } from './sqlite-driver.js';
import type { SqliteOptions } from './sqlite-options.js';

/** Pragmas that have an option of their own. */
export const OPTION_OF_PRAGMA: Readonly<Record<string, string>> = {
  busy_timeout: 'busy_timeout',
  cache_size: 'cache_size_kib',
  foreign_keys: 'foreign_keys',
  journal_mode: 'journal_mode',
  query_only: 'read_only',
  synchronous: 'synchronous',
};

/** Name of a pragma. */
export const PRAGMA_NAME = /^[a-z][a-z0-9_]*$/i;
/** Value of a pragma: a word or number, or text in single quotes. Anything else could smuggle in a statement. */
export const PRAGMA_VALUE = /^(?:[-+\w.]+|'[^']*')$/;

/** Sets every pragma on a handle; a connection's settings live in its handle, so this is needed for each. */
export function applyPragmas(database: SqliteDatabase, options: SqliteOptions, handle: { canWrite: boolean }): void {
  if (handle.canWrite) applyJournalMode(database, options.journalMode);
  database.pragma(`synchronous = ${options.synchronous}`);
  database.pragma(`foreign_keys = ${options.foreignKeys ? 1 : 0}`);
  // Negative is KiB in SQLite; positive would be pages.
  database.pragma(`cache_size = ${-options.cacheSizeKib}`);
  for (const [name, value] of Object.entries(options.pragmas)) database.pragma(`${name} = ${value}`);
  // The first statement that reads the file: only now is something found out that is no database.
  database.pragma('schema_version');
}

function applyJournalMode(database: SqliteDatabase, wanted: string): void {
  const actual = database.pragma(`journal_mode = ${wanted}`, { simple: true });
  // A database in memory has its own mode, whatever is asked; a file system without shared memory has no WAL.
  if (actual !== wanted && database.name !== ':memory:') {
    throw new Error(`journal_mode stays ${String(actual)}; ${wanted} is not possible here`);
  }
}

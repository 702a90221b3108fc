import type { Options, Database as Sqlite } from 'better-sqlite3';
import { quoted } from '../tsql/sqlite-names.js';
import { Catalog, ensureCatalog } from './catalog.js';
import { registerFunctions, type SqliteFunctions } from './sqlite-functions.js';
import { registerSystemTables, type SystemTables } from './system-tables.js';
import { WriterLock } from './writer-lock.js';

/** What is kept of a database besides its file. */
export interface DatabaseSettings {
  readonly name: string;
  readonly id: number;
  readOnly: boolean;
  readCommittedSnapshot: boolean;
  allowSnapshotIsolation: boolean;
}

/** Opens SQLite files: the class of better-sqlite3. */
export type OpenSqlite = new (path: string, options?: Options) => Sqlite;

/** One database of the stand-in: a SQLite file, which every session that uses it opens for itself. */
export class StandInDatabase {
  readonly settings: DatabaseSettings;
  readonly writer = new WriterLock();
  readonly #open: OpenSqlite;
  readonly #path: string;
  /** The last values of identity columns, by the ids of their counters. As in SQL Server a rollback gives none back. */
  readonly #identities = new Map<number, number>();

  constructor(settings: DatabaseSettings, path: string, open: OpenSqlite) {
    this.settings = settings;
    this.#path = path;
    this.#open = open;
    const sqlite = new this.#open(path);
    // Two writers never meet: the lock above keeps them apart.
    sqlite.pragma('journal_mode = WAL');
    ensureCatalog(sqlite);
    this.#countOn(sqlite);
    sqlite.close();
  }

  /** After a restart identity columns go on after the largest value that is there. */
  #countOn(sqlite: Sqlite): void {
    for (const { sqlName, definition } of new Catalog(sqlite).all()) {
      const column = definition.columns.find(({ identity }) => identity !== undefined);
      if (column?.identity === undefined) continue;
      const row = sqlite.prepare(`SELECT MAX(${quoted(column.name)}) AS last FROM ${quoted(sqlName)}`).get();
      const { last } = row as { readonly last: number | null };
      if (last !== null) this.#identities.set(column.identity.id, last);
    }
  }

  get name(): string {
    return this.settings.name;
  }

  /** Opens it for a session, which closes it. */
  open(functions: SqliteFunctions, tables: SystemTables): Sqlite {
    const sqlite = new this.#open(this.#path);
    sqlite.unsafeMode(true); // definitions of tables are rewritten where SQLite cannot change them
    sqlite.defaultSafeIntegers(true);
    sqlite.pragma('synchronous = OFF'); // test data may go with the machine
    sqlite.pragma('foreign_keys = ON');
    registerFunctions(sqlite, functions);
    registerSystemTables(sqlite, tables);
    return sqlite;
  }

  /** The next value of an identity column. */
  nextIdentity(id: number, first: number, increment: number): number {
    const last = this.#identities.get(id);
    const next = last === undefined ? first : last + increment;
    this.#identities.set(id, next);
    return next;
  }

  lastIdentity(id: number): number | undefined {
    return this.#identities.get(id);
  }

  /** Makes `last` the last value, as an explicit value does, or TRUNCATE; undefined: none has been given. */
  setIdentity(id: number, last: number | undefined): void {
    if (last === undefined) this.#identities.delete(id);
    else this.#identities.set(id, last);
  }
}

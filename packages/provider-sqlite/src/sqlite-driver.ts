import { loadPeer } from '@dbmanager/core';

/** A row as better-sqlite3 gives it. */
export type SqliteRow = Record<string, unknown>;

/** The members of a better-sqlite3 `Statement` that are used here. */
export interface SqliteStatement {
  /** True when it returns rows. */
  readonly reader: boolean;
  /** True when it cannot change the database. */
  readonly readonly: boolean;
  all(values: readonly unknown[]): SqliteRow[];
  run(values: readonly unknown[]): { readonly changes: number; readonly lastInsertRowid: number | bigint };
  iterate(values: readonly unknown[]): IterableIterator<SqliteRow>;
  /** Only of one that is a `reader`. */
  columns(): readonly { readonly name: string; readonly type: string | null }[];
  /** Integers as bigint, every one. */
  safeIntegers(on: boolean): this;
  /** Rows as arrays, by position. Only for one that is a `reader`. */
  raw(on: boolean): this;
}

/** The members of a better-sqlite3 `Database` that are used here. */
export interface SqliteDatabase {
  readonly name: string;
  readonly open: boolean;
  readonly inTransaction: boolean;
  prepare(sql: string): SqliteStatement;
  exec(sql: string): this;
  pragma(source: string, options?: { readonly simple?: boolean }): unknown;
  close(): this;
}

/** The class that better-sqlite3 exports. */
export type SqliteDriver = new (
  path: string,
  options?: { readonly readonly?: boolean; readonly fileMustExist?: boolean; readonly timeout?: number },
) => SqliteDatabase;

/** Loads better-sqlite3. Throws `DBM_PACKAGE_NOT_INSTALLED` when it is missing. */
export function loadSqliteDriver(connectionName: string): SqliteDriver {
  return loadPeer<SqliteDriver>('better-sqlite3', import.meta.url, { by: 'type sqlite', connectionName });
}

/** True for an open handle of better-sqlite3, of whatever copy. */
export function isSqliteDatabase(value: unknown): value is SqliteDatabase {
  const handle = value as Partial<SqliteDatabase> | null | undefined;
  return typeof handle?.prepare === 'function' && typeof handle.inTransaction === 'boolean' && handle.open === true;
}

import { unobserved } from '@dbmanager/core';
import type { SqliteDatabase, SqliteStatement } from './sqlite-driver.js';

/** Longer texts are prepared each time: they are mostly bulk inserts of ever different length. */
const MAX_CACHED_LENGTH = 16_384;

/** A prepared statement and how it is to be run. */
export interface PreparedStatement {
  readonly statement: SqliteStatement;
  /**
   * `query` can be run again without harm, so integers are read the fast way first; the others give bigints: `returning`
   * changes the database and gives rows, `command` gives none.
   */
  readonly kind: 'query' | 'returning' | 'command';
}

/** The prepared statements of one handle: preparing costs several times as much as a lookup by key. */
export class StatementCache {
  readonly #database: SqliteDatabase;
  readonly #size: number;
  readonly #statements = new Map<string, PreparedStatement>();

  /** @param size most statements kept; 0 keeps none. */
  constructor(database: SqliteDatabase, size: number) {
    this.#database = database;
    this.#size = size;
  }

  /** The statement, prepared. Throws the driver's error for bad SQL. */
  get(sql: string): PreparedStatement {
    const known = this.#statements.get(sql);
    if (known !== undefined) {
      // The order of use matters only once something must go.
      if (this.#statements.size === this.#size) {
        this.#statements.delete(sql);
        this.#statements.set(sql, known);
      }
      return known;
    }
    const prepared = prepare(this.#database, sql);
    if (this.#size > 0 && sql.length <= MAX_CACHED_LENGTH) this.#keep(sql, prepared);
    return prepared;
  }

  #keep(sql: string, prepared: PreparedStatement): void {
    if (this.#statements.size === this.#size) {
      const [oldest] = this.#statements.keys();
      this.#statements.delete(oldest as string);
    }
    this.#statements.set(sql, prepared);
  }
}

/** Errors of statements that did not compile: SQLite has one code for those and for many that fail as they run. */
const compileErrors = new WeakSet<object>();

/** True for the error of a statement that SQLite could make no sense of. */
export function isCompileError(error: unknown): boolean {
  return typeof error === 'object' && error !== null && compileErrors.has(error);
}

/** Prepares a statement of its own, for one that stays open: a cached one would be busy for everybody else. */
export function prepare(database: SqliteDatabase, sql: string): PreparedStatement {
  const statement = compile(database, sql);
  if (statement.reader && statement.readonly) return { statement, kind: 'query' };
  return { statement: statement.safeIntegers(true), kind: statement.reader ? 'returning' : 'command' };
}

function compile(database: SqliteDatabase, sql: string): SqliteStatement {
  try {
    // Sessions tell of what is run by these.
    return unobserved(() => database.prepare(sql));
  } catch (error) {
    if (isRefusedText(error)) compileErrors.add(error);
    throw error;
  }
}

/** `SQLITE_ERROR`, or the driver's own refusal of a text that holds none or several statements. */
function isRefusedText(error: unknown): error is Error {
  if (typeof error !== 'object' || error === null) return false;
  const { code, name } = error as { code?: unknown; name?: unknown };
  return code === 'SQLITE_ERROR' || name === 'RangeError';
}

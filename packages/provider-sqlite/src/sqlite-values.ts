import type { SqliteRow } from './sqlite-driver.js';

const NONE: readonly unknown[] = [];

/**
 * Parameters as better-sqlite3 binds them, which are numbers, text, bigints, buffers and null. Booleans become 1 and 0,
 * undefined NULL, dates ISO 8601 text in UTC (as SQLite's date functions read it), other bytes buffers. Throws a
 * `RangeError`, without the value, for anything else, as the driver does for too many values. Numbers are bound as the driver
 * does, as REAL; columns of integer affinity store them as integers.
 */
export function bindable(params: readonly unknown[] | undefined): readonly unknown[] {
  if (params === undefined) return NONE;
  // By index: it is done for every statement.
  for (let index = 0; index < params.length; index++) if (!isBindable(params[index])) return params.map(convert);
  return params;
}

function isBindable(value: unknown): boolean {
  const type = typeof value;
  return type === 'string' || type === 'number' || value === null || type === 'bigint' || Buffer.isBuffer(value);
}

function convert(value: unknown, index: number): unknown {
  if (isBindable(value)) return value;
  if (value === undefined) return null;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Date) return value.toISOString();
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  throw new RangeError(`parameter ${index + 1} is a ${kindOf(value)}, which SQLite cannot store`);
}

function kindOf(value: unknown): string {
  return typeof value === 'object' ? (value?.constructor?.name ?? 'object') : typeof value;
}

/** True when a value is an integer too large for a number, and so perhaps no longer what was stored. */
export function hasInexactInteger(rows: readonly SqliteRow[]): boolean {
  for (const row of rows) {
    for (const column in row) {
      const value = row[column];
      if (typeof value === 'number' && (value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER))
        return true;
    }
  }
  return false;
}

/** Turns the bigints of a row that fit into numbers; larger ones stay bigints. Changes the row. */
export function exactIntegers(row: SqliteRow): SqliteRow {
  for (const column in row) {
    const value = row[column];
    if (typeof value === 'bigint') row[column] = exactInteger(value);
  }
  return row;
}

/** A number when it is exact, else the bigint. */
export function exactInteger(value: number | bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

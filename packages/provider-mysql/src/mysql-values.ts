import { types } from 'node:util';
import type { Row, StatementResult } from '@dbmanager/core';
import type { MysqlAnswer, MysqlDriver } from './mysql-driver.js';

/** What mysql2 gives for a statement without rows. */
interface Summary {
  readonly affectedRows: number;
  readonly insertId: number | string;
}

const LARGEST_SIGNED = 2n ** 63n - 1n;

/**
 * Parameters as they are to be sent. mysql2 sends every number as a floating-point one unless the server says better,
 * which MariaDB does not: LIMIT refuses those, and large keys lose their last digits.
 */
export function toParameters({ TypedParameter }: MysqlDriver, values: readonly unknown[]): unknown[] {
  return values.map((value) => {
    if (value === undefined) return null;
    if (typeof value === 'bigint') {
      return value > LARGEST_SIGNED ? TypedParameter.LONGLONG.unsigned(value) : TypedParameter.LONGLONG(value);
    }
    if (Number.isSafeInteger(value)) return TypedParameter.LONGLONG(value as number);
    if (value instanceof Uint8Array) return Buffer.isBuffer(value) ? value : Buffer.from(value);
    assertSendable(value);
    return value;
  });
}

/** Throws for what has no counterpart on the server, and now what mysql2 would throw as it sends, for which it gives the connection up. */
function assertSendable(value: unknown): void {
  // The server takes them for some other number, often without a word.
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError(`MySQL has no number ${value}`);
  if (typeof value === 'object' && value !== null && !types.isDate(value)) JSON.stringify(value);
}

/** What came of a statement; of several, or of a procedure, what came of the last that gave rows. */
export function statementResult(answer: MysqlAnswer, byPosition: boolean): StatementResult {
  const { rows, summary } = isSeveral(answer.fields) ? lastOf(answer.result as unknown[]) : lastOf([answer.result]);
  const result = {
    rowsAffected: rows?.length ?? summary?.affectedRows ?? 0,
    lastInsertId: insertIdOf(summary),
  };
  if (byPosition) return { ...result, rows: [], values: (rows ?? []) as unknown[][] };
  return { ...result, rows: (rows ?? []) as Row[] };
}

/** Of several results mysql2 gives the columns of each in a list of their own, or undefined. */
function isSeveral(fields: unknown): boolean {
  return Array.isArray(fields) && fields.some((field) => field === undefined || Array.isArray(field));
}

function lastOf(results: readonly unknown[]): { rows?: unknown[] | undefined; summary?: Summary | undefined } {
  return {
    rows: results.findLast((result) => Array.isArray(result)) as unknown[] | undefined,
    summary: results.findLast((result) => !Array.isArray(result)) as Summary | undefined,
  };
}

/** 0 is none. What is too large for a number comes as text. */
function insertIdOf(summary: Summary | undefined): number | bigint | undefined {
  const { insertId = 0 } = summary ?? {};
  if (insertId === 0) return undefined;
  return typeof insertId === 'string' ? BigInt(insertId) : insertId;
}

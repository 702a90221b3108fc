import { types } from 'node:util';
import type { Row, StatementResult } from '@dbmanager/core';
import type { TediousDriver, TediousRequest } from './tedious-driver.js';

/** A column of a row, as tedious gives it. */
export interface TediousColumn {
  readonly value: unknown;
  readonly metadata: { readonly colName: string };
}

const SMALLEST_INT = -(2 ** 31);
const LARGEST_INT = 2 ** 31 - 1;
const SMALLEST_BIGINT = -(2n ** 63n);
const LARGEST_BIGINT = 2n ** 63n - 1n;

/** Adds the parameters of a statement, `@p1` and so on. */
export function addParameters({ TYPES }: TediousDriver, request: TediousRequest, values: readonly unknown[]): void {
  for (const [index, value] of values.entries()) {
    const [type, sent] = typed(TYPES, value);
    request.addParameter(`p${index + 1}`, type, sent);
  }
}

/** A parameter's type, and what is sent. */
type Typed = [type: Parameters<TediousRequest['addParameter']>[1], sent: unknown];

function typed(TYPES: TediousDriver['TYPES'], value: unknown): Typed {
  switch (typeof value) {
    case 'number':
      if (!Number.isSafeInteger(value)) return [TYPES.Float, value];
      return [value >= SMALLEST_INT && value <= LARGEST_INT ? TYPES.Int : TYPES.BigInt, value];
    case 'bigint':
      if (value >= SMALLEST_BIGINT && value <= LARGEST_BIGINT) return [TYPES.BigInt, value];
      // tedious has decimals as floating-point numbers; the server makes one of the text.
      return [TYPES.VarChar, String(value)];
    case 'boolean':
      return [TYPES.Bit, value];
    case 'object':
      return typedObject(TYPES, value);
    default:
      return [TYPES.NVarChar, value];
  }
}

function typedObject(TYPES: TediousDriver['TYPES'], value: object | null): Typed {
  if (value === null) return [TYPES.NVarChar, null];
  if (types.isDate(value)) return [TYPES.DateTime2, value];
  if (value instanceof Uint8Array) return [TYPES.VarBinary, Buffer.isBuffer(value) ? value : Buffer.from(value)];
  return [TYPES.NVarChar, JSON.stringify(value)];
}

/** A row by name; of several columns with one name the last is left. */
export function rowOf(columns: readonly TediousColumn[]): Row {
  const row: Row = {};
  for (const { value, metadata } of columns) row[metadata.colName] = value;
  return row;
}

/** Collects what comes of a request; what it gives is to be called at the end. */
export function collectResult(request: TediousRequest, byPosition: boolean): () => StatementResult {
  let rows: (readonly TediousColumn[])[] | undefined;
  let affected = 0;
  // Of several statements, or of a procedure, the last that gave rows, and the last that counted some.
  request.on('columnMetadata', () => {
    rows = [];
  });
  request.on('row', (columns: readonly TediousColumn[]) => {
    rows?.push(columns);
  });
  const count = (rowCount: number | undefined) => {
    affected = rowCount ?? affected;
  };
  request.on('done', count);
  request.on('doneInProc', count);
  return () => {
    const rowsAffected = rows?.length ?? affected;
    if (!byPosition) return { rows: (rows ?? []).map(rowOf), rowsAffected, lastInsertId: undefined };
    const values = (rows ?? []).map((columns) => columns.map(({ value }) => value));
    return { rows: [], values, rowsAffected, lastInsertId: undefined };
  };
}

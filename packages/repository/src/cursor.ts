import { DbManagerError } from '@dbmanager/core';
import { KINDS } from './column-kind.js';
import { invalidInput } from './invalid-input.js';
import type { Keyset } from './keyset.js';
import type { Table } from './table.js';

/** A value that JSON has no form for. */
type Packed = { readonly bigint: string } | { readonly bytes: string };

/**
 * The place of a row in an order, as a text to hand out: base64url of the order and the row's values in it. It says nothing
 * that the row does not, and nothing in it gets into the text of a statement.
 *
 * Throws `DBM_INVALID_OPTION` when a column holds NULL that is not declared so: pages would miss rows.
 *
 * @param values as the driver gave them, exact
 */
export function encodeCursor(table: Table, { terms, signature }: Keyset, values: readonly unknown[]): string {
  terms.forEach(({ column }, index) => {
    if (values[index] !== null || column.nullable) return;
    const message = `the column ${column.name} holds NULL and is not declared so: write '${column.kind}?'`;
    throw new DbManagerError('DBM_INVALID_OPTION', message, {
      connectionName: table.connectionName,
      option: 'columns',
      column: column.name,
    });
  });
  return Buffer.from(JSON.stringify([signature, ...values.map(packed)])).toString('base64url');
}

/** The values in a cursor. Throws `DBM_INVALID_INPUT` when it is none, or one of another order. */
export function decodeCursor(table: Table, { terms, signature }: Keyset, cursor: unknown, path: string): unknown[] {
  const invalid = (reason: string) => invalidInput(table.connectionName, path, reason);
  if (typeof cursor !== 'string') throw invalid('takes a cursor of a page');
  const parsed = parsedCursor(cursor);
  if (parsed === undefined) throw invalid('is no cursor of a page');
  const [of, ...values] = parsed;
  if (of !== signature || values.length !== terms.length) throw invalid('is a cursor of another order');
  return terms.map(({ column }, index) => {
    const value = unpacked(values[index]);
    const fits = value === null ? column.nullable : KINDS[column.kind].acceptsFromCursor(value);
    if (!fits) throw invalid('is no cursor of a page');
    return value;
  });
}

function parsedCursor(cursor: string): unknown[] | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    return Array.isArray(parsed) ? parsed : undefined;
  } catch {
    return undefined; // no JSON in it
  }
}

function packed(value: unknown): unknown {
  if (typeof value === 'bigint') return { bigint: String(value) } satisfies Packed;
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('base64') } satisfies Packed;
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

/** The value, or undefined for what is none. */
function unpacked(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { bigint, bytes } = value as Partial<Record<'bigint' | 'bytes', unknown>>;
  if (typeof bigint === 'string' && /^-?\d+$/.test(bigint)) return BigInt(bigint);
  return typeof bytes === 'string' ? Buffer.from(bytes, 'base64') : undefined;
}

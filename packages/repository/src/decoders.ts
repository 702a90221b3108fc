import type { ColumnKind } from './column-kind.js';

/** Makes what the application sees of what a driver gives; never called with null. Throws for what is not of the kind. */
export type Decoder = (value: unknown) => unknown;

const WITH_ZONE = /(?:Z|[+-]\d\d(?::?\d\d)?)$/i;

const DECODERS: Readonly<Partial<Record<ColumnKind, Decoder>>> = {
  integer: wholeNumber,
  number: (value) => (typeof value === 'number' ? value : Number(value)),
  decimal: String,
  boolean: (value) => (typeof value === 'boolean' ? value : Number(value) !== 0),
  date: (value) => (value instanceof Date ? value : validDate(instant(value))),
  json: (value) => (typeof value === 'string' ? JSON.parse(value) : value),
};

/** What turns a column of that kind into what the application sees; undefined where the driver gives that. */
export function decoderOf(kind: ColumnKind, given: ReadonlySet<ColumnKind>): Decoder | undefined {
  return given.has(kind) ? undefined : DECODERS[kind];
}

/** As a number where one is exact: drivers give wide integers as text, or all of them as bigint. */
function wholeNumber(value: unknown): unknown {
  if (typeof value === 'number') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : BigInt(value as string | bigint);
}

function validDate(moment: string | number): Date {
  const date = new Date(moment);
  if (Number.isNaN(date.getTime())) throw new RangeError('no date');
  return date;
}

/** SQLite's own `current_timestamp` is UTC, but does not say so. */
function instant(value: unknown): string | number {
  if (typeof value !== 'string') return Number(value);
  return WITH_ZONE.test(value) || !value.includes(':') ? value : `${value.replace(' ', 'T')}Z`;
}

/** What a column of one kind holds, as the application sees it. */
interface KindRules {
  /** Whether a value that is not null may be stored in it, or compared with it. */
  accepts(value: unknown): boolean;
  /** What it takes, for errors. */
  readonly takes: string;
  /** Whether rows can be compared and ordered by it. */
  readonly compares: boolean;
  /** Whether a value out of a cursor may stand in a statement; a cursor comes from outside. */
  acceptsFromCursor(value: unknown): boolean;
}

const DIGITS = /^[+-]?\d+$/;
/** No engine has wider ones; MySQL has the upper half without a sign. */
const LEAST_INTEGER = -(2n ** 63n);
const GREATEST_INTEGER = 2n ** 64n - 1n;
const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)$/;
const FLOAT = /^(?:NaN|-?Infinity|[+-]?\d+(?:\.\d*)?(?:e[+-]?\d+)?)$/i;
/** Dates as databases write them. */
const DATE_TEXT = /^(?:[-+\d:. TZ]+(?: BC)?|-?infinity)$/;

const isText = (value: unknown): boolean => typeof value === 'string';
const isNumber = (value: unknown): boolean => typeof value === 'number';
const isTextLike = (pattern: RegExp) => (value: unknown) => typeof value === 'string' && pattern.test(value);
const isStorable = (value: bigint) => value >= LEAST_INTEGER && value <= GREATEST_INTEGER;
const isWhole = (value: unknown) => Number.isSafeInteger(value) || (typeof value === 'bigint' && isStorable(value));
const isDecimalText = isTextLike(DECIMAL);
const isDigits = (value: unknown) => typeof value === 'string' && DIGITS.test(value) && isStorable(BigInt(value));
const isFloatText = isTextLike(FLOAT);
const isDateText = isTextLike(DATE_TEXT);

const isBytes = (value: unknown) => value instanceof Uint8Array;

/** What each kind takes. */
export const KINDS = {
  text: { accepts: isText, takes: 'a text', compares: true, acceptsFromCursor: isText },
  integer: {
    accepts: isWhole,
    takes: 'a whole number of 64 bits',
    compares: true,
    acceptsFromCursor: (value) => isWhole(value) || isDigits(value),
  },
  number: {
    accepts: Number.isFinite,
    takes: 'a finite number',
    compares: true,
    acceptsFromCursor: (value) => isNumber(value) || isFloatText(value),
  },
  decimal: {
    accepts: (value) => isDecimalText(value) || Number.isFinite(value) || typeof value === 'bigint',
    takes: 'a decimal number, as a text or a number',
    compares: true,
    acceptsFromCursor: (value) => isDecimalText(value) || isNumber(value) || typeof value === 'bigint',
  },
  boolean: {
    accepts: (value) => typeof value === 'boolean',
    takes: 'true or false',
    compares: true,
    acceptsFromCursor: (value) => typeof value === 'boolean' || value === 0 || value === 1,
  },
  date: {
    accepts: (value) => value instanceof Date && !Number.isNaN(value.getTime()),
    takes: 'a valid Date',
    compares: true,
    acceptsFromCursor: (value) => isDateText(value) || isNumber(value),
  },
  bytes: { accepts: isBytes, takes: 'bytes', compares: true, acceptsFromCursor: isBytes },
  json: { accepts: isJson, takes: 'a value that JSON can hold', compares: false, acceptsFromCursor: () => false },
} as const satisfies Record<string, KindRules>;

/**
 * What a column holds:
 *
 * | kind | in the application | in the database |
 * |---|---|---|
 * | `text` | string | text, varchar, uuid |
 * | `integer` | number, where it is exact, else bigint | integers |
 * | `number` | number | floating-point numbers |
 * | `decimal` | string | decimal, numeric |
 * | `boolean` | boolean | boolean, bit, `tinyint(1)`, 0 and 1 |
 * | `date` | Date | a point in time; of SQLite ISO 8601 text |
 * | `bytes` | Uint8Array | blob, bytea, varbinary |
 * | `json` | whatever JSON can hold | json, jsonb, or text |
 */
export type ColumnKind = keyof typeof KINDS;

type KindOf<V> = [V] extends [boolean]
  ? 'boolean'
  : [V] extends [Date]
    ? 'date'
    : [V] extends [Uint8Array]
      ? 'bytes'
      : [V] extends [number | bigint]
        ? 'integer' | 'number'
        : [V] extends [string]
          ? 'text' | 'decimal'
          : 'json';

/** How a column of that type of value is declared: its kind, with a `?` behind it where it may be NULL. */
export type ColumnDeclaration<V> = unknown extends V
  ? ColumnKind | `${ColumnKind}?`
  : null extends V
    ? `${KindOf<NonNullable<V>> | 'json'}?`
    : KindOf<V> | 'json';

function isJson(value: unknown): boolean {
  try {
    return JSON.stringify(value) !== undefined;
  } catch {
    return false; // a circle, or a bigint
  }
}

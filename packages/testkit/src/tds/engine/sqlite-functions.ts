import { randomUUID } from 'node:crypto';
import type { Database as Sqlite } from 'better-sqlite3';
import { SqlError } from '../sql-error.js';
import { isUnicode, type SqlType } from '../sql-type.js';
import type { SqlValue } from '../sql-value.js';
import * as temporal from '../temporal.js';
import { tokenize } from '../tsql/lexer.js';
import { TokenCursor } from '../tsql/token-cursor.js';
import { convert, textOf } from './conversion.js';
import { nameParts, objectId, objectKey } from './object-names.js';

/** What the functions of a session's SQL ask the session. */
export interface SqliteFunctions {
  /** A system variable such as `rowcount`, or a function without arguments such as `xact_state`. */
  readonly values: Readonly<Record<string, () => SqlValue>>;
  nextIdentity(id: number, seed: number, increment: number): bigint;
  databaseId(name: string | null): SqlValue;
  databaseName(id: bigint): SqlValue;
  /** The database that the functions belong to. */
  readonly database: string;
  contextValue(key: string): SqlValue;
}

type Implementation = (...args: SqlValue[]) => SqlValue;

const MS_PER_PART: Readonly<Record<string, number>> = {
  week: 604_800_000,
  day: 86_400_000,
  hour: 3_600_000,
  minute: 60_000,
  second: 1_000,
  millisecond: 1,
};
const PART_NAMES: Readonly<Record<string, string>> = {
  yy: 'year',
  yyyy: 'year',
  qq: 'quarter',
  mm: 'month',
  m: 'month',
  dd: 'day',
  d: 'day',
  wk: 'week',
  ww: 'week',
  hh: 'hour',
  mi: 'minute',
  n: 'minute',
  ss: 'second',
  s: 'second',
  ms: 'millisecond',
};

const LENGTHS: Readonly<Record<string, number>> = {
  bit: 1,
  tinyint: 1,
  smallint: 2,
  int: 4,
  real: 4,
  date: 3,
  uniqueidentifier: 16,
};

const types = new Map<string, SqlType>();

/** Registers T-SQL's functions with a connection of SQLite. */
export function registerFunctions(sqlite: Sqlite, session: SqliteFunctions): void {
  const define = (name: string, implementation: Implementation, deterministic = true) => {
    sqlite.function(name, { varargs: true, deterministic, safeIntegers: true }, implementation as never);
  };
  for (const [name, value] of Object.entries(session.values)) define(name, value, false);
  for (const [name, implementation] of Object.entries(PLAIN)) define(name, implementation);
  for (const [name, implementation] of Object.entries(VOLATILE)) define(name, implementation, false);
  define('next_identity', (id, seed, by) => session.nextIdentity(Number(id), Number(seed), Number(by)), false);
  define('db_id', (name = null) => session.databaseId(name === null ? null : String(name)), false);
  define('db_name', (id = null) => (id === null ? null : session.databaseName(BigInt(String(id)))), false);
  define('current_database', () => session.database);
  define('session_context', (key = null) => session.contextValue(textOf(key)), false);
}

const VOLATILE: Readonly<Record<string, Implementation>> = {
  getdate: () => temporal.dateTimeText(temporal.now()),
  getutcdate: () => temporal.dateTimeText(temporal.now()),
  sysdatetime: () => temporal.dateTimeText(temporal.now()),
  sysutcdatetime: () => temporal.dateTimeText(temporal.now()),
  sysdatetimeoffset: () => `${temporal.dateTimeText(temporal.now())} +00:00`,
  newid: () => randomUUID().toUpperCase(),
  newsequentialid: () => randomUUID().toUpperCase(),
  divide_by_zero: () => {
    throw new SqlError(8134, 'Divide by zero error encountered.');
  },
};

const PLAIN: Readonly<Record<string, Implementation>> = {
  convert_to: (type, value = null) => convert(value, typeNamed(textOf(type ?? null))),
  try_convert: (type, value = null) => {
    try {
      return convert(value, typeNamed(textOf(type ?? null)));
    } catch {
      return null; // TRY_CONVERT gives NULL for what is no such value
    }
  },
  len: (value = null) => (value === null ? null : BigInt(textOf(value).trimEnd().length)),
  datalength: (value = null) =>
    value === null ? null : BigInt(Buffer.isBuffer(value) ? value.length : textOf(value).length * 2),
  charindex: (what = null, where = null, from = 1n) =>
    BigInt(
      textOf(where)
        .toLowerCase()
        .indexOf(textOf(what).toLowerCase(), Number(from) - 1) + 1,
    ),
  replicate: (text = null, times = 0n) => (text === null ? null : textOf(text).repeat(Number(times))),
  space: (count = 0n) => ' '.repeat(Number(count)),
  left: (text = null, count = 0n) => (text === null ? null : textOf(text).slice(0, Number(count))),
  right: (text = null, count = 0n) =>
    text === null || Number(count) === 0 ? text && '' : textOf(text).slice(-Number(count)),
  reverse: (text = null) => (text === null ? null : [...textOf(text)].reverse().join('')),
  stuff: (text = null, start = 1n, length = 0n, by = null) =>
    text === null
      ? null
      : textOf(text).slice(0, Number(start) - 1) + textOf(by) + textOf(text).slice(Number(start) - 1 + Number(length)),
  concat: (...values) => values.map(textOf).join(''),
  quotename: (name = null) => (name === null ? null : `[${textOf(name).replaceAll(']', ']]')}]`),
  object_key: (name = null) => (name === null ? null : objectKey(nameParts(textOf(name)))),
  object_hash: (key = null) => (key === null ? null : BigInt(objectId(textOf(key).toLowerCase()))),
  object_key_of: (parts = null) => (parts === null ? null : objectKey(JSON.parse(textOf(parts)) as string[])),
  check_definition: (expression = null) => (expression === null ? null : checkDefinition(textOf(expression))),
  default_collation: () => COLLATION,
  type_length: (type = null, length = null) => lengthOf(textOf(type), length),
  parsename: (name = null, part = 1n) => nameParts(textOf(name)).at(-Number(part)) ?? null,
  dateadd: (part, count = null, moment = null) =>
    count === null || moment === null ? null : dateAdd(partOf(part), Number(count), textOf(moment)),
  datediff: (part, from = null, to = null) =>
    from === null || to === null ? null : dateDiff(partOf(part), textOf(from), textOf(to)),
  datepart: (part, moment = null) => (moment === null ? null : datePart(partOf(part), textOf(moment))),
  year: (moment = null) => (moment === null ? null : datePart('year', textOf(moment))),
  month: (moment = null) => (moment === null ? null : datePart('month', textOf(moment))),
  day: (moment = null) => (moment === null ? null : datePart('day', textOf(moment))),
  column_property: (property, isIdentity = null, isNullable = null, isComputed = null) => {
    const values: Record<string, SqlValue> = { isidentity: isIdentity, allowsnull: isNullable, iscomputed: isComputed };
    return values[textOf(property ?? null).toLowerCase()] ?? null;
  },
  serverproperty: (property) => SERVER_PROPERTIES[textOf(property ?? null).toLowerCase()] ?? null,
  databasepropertyex: (_name, property) => DATABASE_PROPERTIES[textOf(property ?? null).toLowerCase()] ?? null,
  has_dbaccess: () => 1n,
  is_srvrolemember: () => 1n,
};

const COLLATION = 'SQL_Latin1_General_CP1_CI_AS';
const SERVER_PROPERTIES: Readonly<Record<string, SqlValue>> = {
  productversion: '16.0.1000.6',
  productmajorversion: '16',
  edition: 'SQL Server stand-in',
  engineedition: 3n,
  servername: 'stand-in',
  collation: COLLATION,
};
const DATABASE_PROPERTIES: Readonly<Record<string, SqlValue>> = {
  collation: COLLATION,
  status: 'ONLINE',
  updateability: 'READ_WRITE',
};

function typeNamed(declaration: string): SqlType {
  let type = types.get(declaration);
  if (type === undefined) {
    type = new TokenCursor(tokenize(declaration)).type();
    if (type === undefined) throw new SqlError(243, `Type ${declaration} is not a defined system type.`);
    types.set(declaration, type);
  }
  return type;
}

/** As SQL Server keeps a check: IN as alternatives, from the last to the first. */
function checkDefinition(expression: string): string {
  const match = /^\(?\s*(\[[^\]]+\]|"[^"]+"|\w+)\s+in\s*\(((?:\s*N?'(?:[^']|'')*'\s*,?)+)\)\s*\)?$/i.exec(expression);
  if (match === null) return expression;
  const [, column = '', values = ''] = match;
  const name = `[${column.replace(/^[["]|[\]"]$/g, '')}]`;
  const listed = values.match(/'(?:[^']|'')*'/g) ?? [];
  return `(${listed
    .reverse()
    .map((value) => `${name}=${value}`)
    .join(' OR ')})`;
}

/** COL_LENGTH: in bytes. */
function lengthOf(type: string, length: SqlValue): SqlValue {
  if (length === 'max') return -1n;
  const known = typeNamed(type);
  return length === null ? BigInt(LENGTHS[known.name] ?? 8) : BigInt(String(length)) * (isUnicode(known) ? 2n : 1n);
}

function partOf(part: SqlValue | undefined): string {
  const name = textOf(part ?? null).toLowerCase();
  return PART_NAMES[name] ?? name;
}

function dateOf(text: string): Date {
  const moment = temporal.readMoment(text);
  if (moment === undefined) {
    throw new SqlError(241, 'Conversion failed when converting date and/or time from character string.');
  }
  return new Date(`${temporal.dateText(moment)}T${temporal.timeText(moment).slice(0, 12)}Z`);
}

function dateAdd(part: string, count: number, text: string): string {
  const date = dateOf(text);
  const months = { year: 12, quarter: 3, month: 1 }[part];
  if (months === undefined) date.setTime(date.getTime() + count * (MS_PER_PART[part] ?? 0));
  else date.setUTCMonth(date.getUTCMonth() + count * months);
  return `${date.toISOString().slice(0, 23).replace('T', ' ')}0000`;
}

/** How many boundaries of the part lie between. */
function dateDiff(part: string, from: string, to: string): bigint {
  const [first, second] = [dateOf(from), dateOf(to)];
  const months = (date: Date) => date.getUTCFullYear() * 12 + date.getUTCMonth();
  if (part === 'year') return BigInt(second.getUTCFullYear() - first.getUTCFullYear());
  if (part === 'month') return BigInt(months(second) - months(first));
  const size = MS_PER_PART[part] ?? 1;
  return BigInt(Math.floor(second.getTime() / size) - Math.floor(first.getTime() / size));
}

function datePart(part: string, text: string): bigint {
  const date = dateOf(text);
  switch (part) {
    case 'year':
      return BigInt(date.getUTCFullYear());
    case 'month':
      return BigInt(date.getUTCMonth() + 1);
    case 'day':
      return BigInt(date.getUTCDate());
    case 'hour':
      return BigInt(date.getUTCHours());
    case 'minute':
      return BigInt(date.getUTCMinutes());
    case 'second':
      return BigInt(date.getUTCSeconds());
    default:
      return BigInt(date.getUTCMilliseconds());
  }
}

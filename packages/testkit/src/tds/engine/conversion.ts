import { SqlError } from '../sql-error.js';
import { familyOf, isUnicode, type SqlType } from '../sql-type.js';
import type { SqlValue } from '../sql-value.js';
import * as temporal from '../temporal.js';

const RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  tinyint: [0n, 255n],
  smallint: [-(2n ** 15n), 2n ** 15n - 1n],
  int: [-(2n ** 31n), 2n ** 31n - 1n],
  bigint: [-(2n ** 63n), 2n ** 63n - 1n],
};
const GUID = /^\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?$/i;

/** A value as one of that type. Throws SQL Server's error when it cannot be one. */
export function convert(value: SqlValue, type: SqlType): SqlValue {
  if (value === null) return null;
  switch (familyOf(type)) {
    case 'whole':
      return toWhole(value, type);
    case 'exact':
      return toExact(value, type);
    case 'approximate':
      return toNumber(value, type);
    case 'temporal':
      return toTemporal(value, type);
    case 'guid':
      return toGuid(value);
    case 'binary':
      return toBinary(value);
    default:
      return toText(value, type);
  }
}

/** A value as text, as PRINT and CAST write it. */
export function textOf(value: SqlValue): string {
  if (value === null) return '';
  return Buffer.isBuffer(value) ? value.toString('ucs2') : String(value);
}

function toWhole(value: Exclude<SqlValue, null>, type: SqlType): bigint {
  const whole = wholeOf(value, type);
  if (type.name === 'bit') return whole === 0n ? 0n : 1n;
  const [min, max] = RANGES[type.name] ?? [whole, whole];
  if (whole < min || whole > max) {
    throw new SqlError(8115, `Arithmetic overflow error converting expression to data type ${type.name}.`, {
      state: 2,
    });
  }
  return whole;
}

function wholeOf(value: Exclude<SqlValue, null>, type: SqlType): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return BigInt(Math.trunc(value));
  if (Buffer.isBuffer(value)) return BigInt(value.length === 0 ? 0 : `0x${value.toString('hex')}`);
  const text = value.trim();
  if (type.name === 'bit' && /^(?:true|false)$/i.test(text)) return text.toLowerCase() === 'true' ? 1n : 0n;
  if (/^[+-]?\d*$/.test(text)) return BigInt(text === '' || text === '+' || text === '-' ? 0 : text);
  throw new SqlError(
    245,
    `Conversion failed when converting the nvarchar value '${value}' to data type ${type.name}.`,
    {
      reach: 'transaction',
    },
  );
}

function toNumber(value: Exclude<SqlValue, null>, type: SqlType): number {
  const number = Buffer.isBuffer(value) ? Number.NaN : Number(value);
  if (!Number.isNaN(number)) return number;
  throw new SqlError(8114, `Error converting data type nvarchar to ${type.name}.`, { state: 5, reach: 'transaction' });
}

function toExact(value: Exclude<SqlValue, null>, type: SqlType): bigint | number {
  if (typeof value === 'bigint') return value;
  const factor = 10 ** (type.scale ?? 4);
  return Math.round(toNumber(value, type) * factor) / factor;
}

function toTemporal(value: Exclude<SqlValue, null>, { name }: SqlType): string {
  const moment = temporal.readMoment(String(value));
  if (moment === undefined) {
    throw new SqlError(241, 'Conversion failed when converting date and/or time from character string.', {
      reach: 'transaction',
    });
  }
  if (name === 'date') return temporal.dateText(moment);
  if (name === 'time') return temporal.timeText(moment);
  const text = temporal.dateTimeText(moment);
  return name === 'datetimeoffset' ? `${text} ${temporal.offsetText(moment)}` : text;
}

function toGuid(value: Exclude<SqlValue, null>): string {
  const match = GUID.exec(String(value));
  if (match?.[1] === undefined) {
    throw new SqlError(8169, 'Conversion failed when converting from a character string to uniqueidentifier.', {
      state: 2,
      reach: 'transaction',
    });
  }
  return match[1].toUpperCase();
}

function toBinary(value: Exclude<SqlValue, null>): Buffer {
  if (Buffer.isBuffer(value)) return value;
  if (typeof value === 'string') return Buffer.from(value, 'ucs2');
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(Number(value));
  return bytes;
}

function toText(value: Exclude<SqlValue, null>, type: SqlType): string {
  const text = Buffer.isBuffer(value) ? value.toString(isUnicode(type) ? 'ucs2' : 'latin1') : String(value);
  const { length = 'max' } = type;
  return length === 'max' ? text : text.slice(0, length);
}

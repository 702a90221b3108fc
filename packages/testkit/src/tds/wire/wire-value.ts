import { familyOf, isUnicode, type SqlType } from '../sql-type.js';
import type { SqlValue } from '../sql-value.js';
import * as temporal from '../temporal.js';
import type { ByteReader } from './byte-reader.js';
import type { ByteWriter } from './byte-writer.js';
import { decimalBytes, MAX_LENGTH, type TypeInfo, WIRE, wireLength } from './type-info.js';

const PLP_NULL = 0xffff_ffff_ffff_ffffn;
const SHORT_NULL = 0xffff;
/** Of the small money types. */
const TEN_THOUSANDTHS = 10_000;

/** Reads the value of a parameter. */
export function readValue(reader: ByteReader, info: TypeInfo): SqlValue {
  const bytes = readBytes(reader, info);
  return bytes === null ? null : decode(bytes, info);
}

/** The bytes of a value; null for NULL. */
function readBytes(reader: ByteReader, { code, length }: TypeInfo): Buffer | null {
  switch (code) {
    case WIRE.null:
      return null;
    case WIRE.text:
    case WIRE.nText:
    case WIRE.image: {
      const bytes = reader.int32();
      return bytes === -1 ? null : reader.bytes(bytes);
    }
    case WIRE.varBinary:
    case WIRE.binary:
    case WIRE.varChar:
    case WIRE.char:
    case WIRE.nVarChar:
    case WIRE.nChar:
    case WIRE.xml: {
      if (length === MAX_LENGTH) return readChunks(reader);
      const bytes = reader.uint16();
      return bytes === SHORT_NULL ? null : reader.bytes(bytes);
    }
    default: {
      const bytes = reader.uint8();
      return bytes === 0 ? null : reader.bytes(bytes);
    }
  }
}

function readChunks(reader: ByteReader): Buffer | null {
  if (reader.uint64() === PLP_NULL) return null;
  const chunks: Buffer[] = [];
  for (let length = reader.uint32(); length > 0; length = reader.uint32()) chunks.push(reader.bytes(length));
  return Buffer.concat(chunks);
}

function decode(bytes: Buffer, { type }: TypeInfo): SqlValue {
  switch (type.name) {
    case 'tinyint':
    case 'bit':
      return BigInt(bytes.readUInt8());
    case 'smallint':
      return BigInt(bytes.readInt16LE());
    case 'int':
      return BigInt(bytes.readInt32LE());
    case 'bigint':
      return bytes.readBigInt64LE();
    case 'real':
      return bytes.readFloatLE();
    case 'float':
      return bytes.readDoubleLE();
    case 'smallmoney':
      return bytes.readInt32LE() / TEN_THOUSANDTHS;
    case 'money':
      return (bytes.readInt32LE() * 2 ** 32 + bytes.readUInt32LE(4)) / TEN_THOUSANDTHS;
    case 'decimal':
    case 'numeric':
      return decodeDecimal(bytes, type.scale ?? 0);
    case 'uniqueidentifier':
      return guidText(bytes);
    default:
      return decodeLong(bytes, type);
  }
}

function decodeLong(bytes: Buffer, type: SqlType): SqlValue {
  switch (familyOf(type)) {
    case 'text':
      return isUnicode(type) ? bytes.toString('ucs2') : bytes.toString('latin1');
    case 'temporal':
      return decodeTemporal(bytes, type);
    default:
      return Buffer.from(bytes);
  }
}

function decodeDecimal(bytes: Buffer, scale: number): bigint | number {
  const magnitude = unsigned(bytes.subarray(1));
  const value = bytes.readUInt8() === 1 ? magnitude : -magnitude;
  return scale === 0 ? value : Number(value) / 10 ** scale;
}

function unsigned(bytes: Buffer): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function decodeTemporal(bytes: Buffer, { name, scale = 7 }: SqlType): string {
  const at = (days: number, ticks: bigint, offsetMinutes = 0) => ({ days, ticks, offsetMinutes });
  const scaled = (time: Buffer) => unsigned(time) * 10n ** BigInt(7 - scale);
  const days = (date: Buffer) => Number(unsigned(date));
  switch (name) {
    case 'date':
      return temporal.dateText(at(days(bytes), 0n));
    case 'time':
      return temporal.timeText(at(0, scaled(bytes)));
    case 'datetime': {
      const ms = Math.round(bytes.readUInt32LE(4) / 0.3);
      return temporal.dateTimeText(at(bytes.readInt32LE() + temporal.DAY_OF_1900, BigInt(ms) * 10_000n));
    }
    case 'smalldatetime':
      return temporal.dateTimeText(
        at(bytes.readUInt16LE() + temporal.DAY_OF_1900, BigInt(bytes.readUInt16LE(2) * 60) * temporal.TICKS_PER_SECOND),
      );
    case 'datetimeoffset': {
      const utc = at(days(bytes.subarray(-5, -2)), scaled(bytes.subarray(0, -5)), bytes.readInt16LE(bytes.length - 2));
      const local = temporal.shifted(utc, utc.offsetMinutes);
      return `${temporal.dateTimeText(local)} ${temporal.offsetText(utc)}`;
    }
    default:
      return temporal.dateTimeText(at(days(bytes.subarray(-3)), scaled(bytes.subarray(0, -3))));
  }
}

/** Byte order of a uniqueidentifier: its first three groups are little-endian. */
const GUID_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

function guidText(bytes: Buffer): string {
  const hex = Buffer.from(GUID_ORDER.map((index) => bytes[index] ?? 0))
    .toString('hex')
    .toUpperCase();
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function guidBytes(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll('-', ''), 'hex');
  return Buffer.from(GUID_ORDER.map((index) => bytes[index] ?? 0));
}

/** Writes a value of a column or an output parameter. Throws a RangeError when it cannot be one of that type. */
export function writeValue(writer: ByteWriter, type: SqlType, value: SqlValue): void {
  switch (familyOf(type)) {
    case 'whole':
      writeWhole(writer, type, value);
      return;
    case 'exact':
      writeExact(writer, type, value);
      return;
    case 'approximate':
      writeApproximate(writer, type, value);
      return;
    case 'temporal':
      writeTemporal(writer, type, value);
      return;
    case 'guid':
      if (value === null) writer.uint8(0);
      else writer.uint8(16).bytes(guidBytes(String(value)));
      return;
    case 'text':
      writeLong(writer, type, value === null ? null : textBytes(type, value));
      return;
    case 'binary':
      writeLong(writer, type, value === null || Buffer.isBuffer(value) ? value : Buffer.from(String(value), 'ucs2'));
  }
}

function writeWhole(writer: ByteWriter, { name }: SqlType, value: SqlValue): void {
  if (value === null) {
    writer.uint8(0);
    return;
  }
  const whole = toBigInt(value);
  switch (name) {
    case 'bit':
      writer.uint8(1).uint8(whole === 0n ? 0 : 1);
      return;
    case 'tinyint':
      writer.uint8(1).uint8(Number(whole));
      return;
    case 'smallint':
      writer.uint8(2).int16(Number(whole));
      return;
    case 'int':
      writer.uint8(4).int32(Number(whole));
      return;
    default:
      writer.uint8(8).int64(whole);
  }
}

function toBigInt(value: Exclude<SqlValue, null>): bigint {
  if (typeof value === 'bigint') return value;
  const number = Math.trunc(Number(String(value)));
  if (!Number.isFinite(number)) throw new RangeError('not a whole number');
  return BigInt(number);
}

function toNumber(value: Exclude<SqlValue, null>): number {
  const number = Number(String(value));
  if (Number.isNaN(number)) throw new RangeError('not a number');
  return number;
}

function writeExact(writer: ByteWriter, type: SqlType, value: SqlValue): void {
  if (value === null) {
    writer.uint8(0);
    return;
  }
  if (type.name === 'money' || type.name === 'smallmoney') {
    const units = scaledUp(value, 4);
    if (type.name === 'smallmoney') writer.uint8(4).int32(Number(units));
    else
      writer
        .uint8(8)
        .int32(Number(units >> 32n))
        .uint32(Number(units & 0xffff_ffffn));
    return;
  }
  const units = scaledUp(value, type.scale ?? 0);
  const bytes = decimalBytes(type.precision ?? 18);
  writer.uint8(bytes).uint8(units < 0n ? 0 : 1);
  writer.uint(units < 0n ? -units : units, bytes - 1);
}

/** A number in units of its last digit, without going through floating point when it is text or whole. */
function scaledUp(value: Exclude<SqlValue, null>, scale: number): bigint {
  if (typeof value === 'bigint') return value * 10n ** BigInt(scale);
  const text = typeof value === 'number' ? value.toFixed(Math.min(scale, 100)) : String(value).trim();
  const match = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(text);
  if (match === null) throw new RangeError('not a decimal');
  const [, sign, whole = '', fraction = ''] = match;
  const units = BigInt(`${whole}${fraction.padEnd(scale, '0').slice(0, scale)}` || '0');
  return sign === '-' ? -units : units;
}

function writeApproximate(writer: ByteWriter, { name }: SqlType, value: SqlValue): void {
  if (value === null) writer.uint8(0);
  else if (name === 'real') writer.uint8(4).float(toNumber(value));
  else writer.uint8(8).double(toNumber(value));
}

function writeTemporal(writer: ByteWriter, { name, scale = 7 }: SqlType, value: SqlValue): void {
  if (value === null) {
    writer.uint8(0);
    return;
  }
  const moment = temporal.readMoment(String(value));
  if (moment === undefined) throw new RangeError('not a date or time');
  const timeBytes = scale <= 2 ? 3 : scale <= 4 ? 4 : 5;
  const time = (at: temporal.Moment) => writer.uint(at.ticks / 10n ** BigInt(7 - scale), timeBytes);
  const date = (at: temporal.Moment) => writer.uint(BigInt(at.days), 3);
  switch (name) {
    case 'date':
      writer.uint8(3);
      date(moment);
      return;
    case 'time':
      writer.uint8(timeBytes);
      time(moment);
      return;
    case 'datetime':
      writer.uint8(8).int32(moment.days - temporal.DAY_OF_1900);
      // In 300ths of a second.
      writer.uint32(Number((moment.ticks * 3n + 50_000n) / 100_000n));
      return;
    case 'smalldatetime':
      writer.uint8(4).uint16(moment.days - temporal.DAY_OF_1900);
      writer.uint16(Number(moment.ticks / (temporal.TICKS_PER_SECOND * 60n)));
      return;
    case 'datetimeoffset': {
      const utc = temporal.shifted(moment, -moment.offsetMinutes);
      writer.uint8(timeBytes + 5);
      time(utc);
      date(utc);
      writer.int16(moment.offsetMinutes);
      return;
    }
    default:
      writer.uint8(timeBytes + 3);
      time(moment);
      date(moment);
  }
}

function textBytes(type: SqlType, value: Exclude<SqlValue, null>): Buffer {
  const text = Buffer.isBuffer(value) ? value.toString('latin1') : String(value);
  return Buffer.from(text, isUnicode(type) ? 'ucs2' : 'latin1');
}

function writeLong(writer: ByteWriter, type: SqlType, bytes: Buffer | null): void {
  if (wireLength(type) !== MAX_LENGTH) {
    if (bytes === null) writer.uint16(SHORT_NULL);
    else writer.uint16(bytes.length).bytes(bytes);
    return;
  }
  if (bytes === null) {
    writer.uint64(PLP_NULL);
    return;
  }
  writer.uint64(BigInt(bytes.length));
  if (bytes.length > 0) writer.uint32(bytes.length).bytes(bytes);
  writer.uint32(0);
}

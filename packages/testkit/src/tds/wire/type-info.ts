import { isUnicode, type SqlType } from '../sql-type.js';
import type { ByteReader } from './byte-reader.js';
import type { ByteWriter } from './byte-writer.js';

/** Types on the wire (MS-TDS 2.2.5.4). */
export const WIRE = {
  null: 0x1f,
  image: 0x22,
  text: 0x23,
  guid: 0x24,
  int: 0x26,
  date: 0x28,
  time: 0x29,
  dateTime2: 0x2a,
  dateTimeOffset: 0x2b,
  nText: 0x63,
  bit: 0x68,
  decimal: 0x6a,
  numeric: 0x6c,
  float: 0x6d,
  money: 0x6e,
  dateTime: 0x6f,
  varBinary: 0xa5,
  varChar: 0xa7,
  binary: 0xad,
  char: 0xaf,
  nVarChar: 0xe7,
  nChar: 0xef,
  xml: 0xf1,
} as const;

/** The length that says: any, sent in chunks. */
export const MAX_LENGTH = 0xffff;
/** What results and output parameters are compared by. */
const COLLATION = Buffer.from([0x09, 0x04, 0xd0, 0x00, 0x34]);

/** A type as a client has sent it. */
export interface TypeInfo {
  readonly code: number;
  /** In bytes; {@link MAX_LENGTH}: sent in chunks. */
  readonly length: number;
  readonly type: SqlType;
}

/** Bytes that a decimal of that many digits takes, its sign included. */
export function decimalBytes(precision: number): number {
  if (precision <= 9) return 5;
  if (precision <= 19) return 9;
  return precision <= 28 ? 13 : 17;
}

const WHOLE_BY_LENGTH = { 1: 'tinyint', 2: 'smallint', 4: 'int', 8: 'bigint' } as const;

/** Reads a TYPE_INFO. Throws a RangeError for a type that the stand-in does not have. */
export function readTypeInfo(reader: ByteReader): TypeInfo {
  const code = reader.uint8();
  switch (code) {
    case WIRE.null:
      return { code, length: 0, type: { name: 'int' } };
    case WIRE.int: {
      const length = reader.uint8();
      return { code, length, type: { name: WHOLE_BY_LENGTH[length as keyof typeof WHOLE_BY_LENGTH] ?? 'int' } };
    }
    case WIRE.bit:
      return { code, length: reader.uint8(), type: { name: 'bit' } };
    case WIRE.float: {
      const length = reader.uint8();
      return { code, length, type: { name: length === 4 ? 'real' : 'float' } };
    }
    case WIRE.money: {
      const length = reader.uint8();
      return { code, length, type: { name: length === 4 ? 'smallmoney' : 'money' } };
    }
    case WIRE.dateTime: {
      const length = reader.uint8();
      return { code, length, type: { name: length === 4 ? 'smalldatetime' : 'datetime' } };
    }
    case WIRE.guid:
      return { code, length: reader.uint8(), type: { name: 'uniqueidentifier' } };
    case WIRE.decimal:
    case WIRE.numeric: {
      const [length, precision, scale] = [reader.uint8(), reader.uint8(), reader.uint8()];
      return { code, length, type: { name: code === WIRE.decimal ? 'decimal' : 'numeric', precision, scale } };
    }
    case WIRE.date:
      return { code, length: 3, type: { name: 'date' } };
    case WIRE.time:
      return { code, length: 5, type: { name: 'time', scale: reader.uint8() } };
    case WIRE.dateTime2:
      return { code, length: 8, type: { name: 'datetime2', scale: reader.uint8() } };
    case WIRE.dateTimeOffset:
      return { code, length: 10, type: { name: 'datetimeoffset', scale: reader.uint8() } };
    case WIRE.xml:
      if (reader.uint8() !== 0) throw new RangeError('the stand-in takes no XML of a schema');
      return { code, length: MAX_LENGTH, type: { name: 'xml' } };
    default:
      return readLongTypeInfo(reader, code);
  }
}

function readLongTypeInfo(reader: ByteReader, code: number): TypeInfo {
  switch (code) {
    case WIRE.text:
    case WIRE.nText: {
      const length = reader.uint32();
      reader.bytes(COLLATION.length);
      return { code, length, type: { name: code === WIRE.text ? 'text' : 'ntext' } };
    }
    case WIRE.image:
      return { code, length: reader.uint32(), type: { name: 'image' } };
    case WIRE.varBinary:
    case WIRE.binary:
      return sized(code, reader.uint16(), code === WIRE.binary ? 'binary' : 'varbinary', 1);
    case WIRE.varChar:
    case WIRE.char:
    case WIRE.nVarChar:
    case WIRE.nChar: {
      const length = reader.uint16();
      reader.bytes(COLLATION.length);
      const name = ({ 167: 'varchar', 175: 'char', 231: 'nvarchar', 239: 'nchar' } as const)[code];
      return sized(code, length, name, name.startsWith('n') ? 2 : 1);
    }
    default:
      throw new RangeError(`the stand-in does not take values of the wire type 0x${code.toString(16)}`);
  }
}

function sized(code: number, length: number, name: SqlType['name'], bytesEach: number): TypeInfo {
  return { code, length, type: { name, length: length === MAX_LENGTH ? 'max' : length / bytesEach } };
}

/** Writes the TYPE_INFO of a column or an output parameter. */
export function writeTypeInfo(writer: ByteWriter, type: SqlType): void {
  switch (type.name) {
    case 'bit':
      writer.uint8(WIRE.bit).uint8(1);
      return;
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
      writer.uint8(WIRE.int).uint8({ tinyint: 1, smallint: 2, int: 4, bigint: 8 }[type.name]);
      return;
    case 'real':
    case 'float':
      writer.uint8(WIRE.float).uint8(type.name === 'real' ? 4 : 8);
      return;
    case 'money':
    case 'smallmoney':
      writer.uint8(WIRE.money).uint8(type.name === 'money' ? 8 : 4);
      return;
    case 'datetime':
    case 'smalldatetime':
      writer.uint8(WIRE.dateTime).uint8(type.name === 'datetime' ? 8 : 4);
      return;
    case 'uniqueidentifier':
      writer.uint8(WIRE.guid).uint8(16);
      return;
    case 'decimal':
    case 'numeric': {
      const { precision = 18, scale = 0 } = type;
      writer.uint8(type.name === 'decimal' ? WIRE.decimal : WIRE.numeric);
      writer.uint8(decimalBytes(precision)).uint8(precision).uint8(scale);
      return;
    }
    case 'date':
      writer.uint8(WIRE.date);
      return;
    case 'time':
    case 'datetime2':
    case 'datetimeoffset': {
      const code = { time: WIRE.time, datetime2: WIRE.dateTime2, datetimeoffset: WIRE.dateTimeOffset }[type.name];
      writer.uint8(code).uint8(type.scale ?? 7);
      return;
    }
    case 'binary':
    case 'varbinary':
    case 'image':
    case 'rowversion':
      writer.uint8(type.name === 'binary' ? WIRE.binary : WIRE.varBinary).uint16(wireLength(type));
      return;
    default:
      writer.uint8(textCode(type)).uint16(wireLength(type)).bytes(COLLATION);
  }
}

function textCode({ name }: SqlType): number {
  if (name === 'char') return WIRE.char;
  if (name === 'nchar') return WIRE.nChar;
  return name === 'varchar' || name === 'text' ? WIRE.varChar : WIRE.nVarChar;
}

/** The length of text or bytes as the wire has it, in bytes. */
export function wireLength(type: SqlType): number {
  if (type.name === 'rowversion') return 8;
  const { length = 'max' } = type;
  return length === 'max' ? MAX_LENGTH : length * (isUnicode(type) ? 2 : 1);
}

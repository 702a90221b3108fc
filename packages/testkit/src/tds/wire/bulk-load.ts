import type { SqlValue } from '../sql-value.js';
import { ByteReader } from './byte-reader.js';
import { readTypeInfo, type TypeInfo } from './type-info.js';
import { readValue } from './wire-value.js';

const TOKEN = { columns: 0x81, row: 0xd1 } as const;
/** Types whose columns come with the name of their table. */
const WITH_TABLE_NAME = [0x22, 0x23, 0x63];

/** Rows that a client sends in one message, after INSERT BULK has said where they go (MS-TDS 2.2.6.1). */
export interface BulkLoad {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly SqlValue[])[];
}

export function readBulkLoad(data: Buffer): BulkLoad {
  const reader = new ByteReader(data);
  const columns: { readonly name: string; readonly info: TypeInfo }[] = [];
  const rows: SqlValue[][] = [];
  while (reader.remaining > 0) {
    const token = reader.uint8();
    if (token === TOKEN.columns) columns.push(...readColumns(reader));
    else if (token === TOKEN.row) rows.push(columns.map(({ info }) => readValue(reader, info)));
    else break; // DONE
  }
  return { columns: columns.map(({ name }) => name), rows };
}

function readColumns(reader: ByteReader) {
  return Array.from({ length: reader.uint16() }, () => {
    reader.bytes(6); // user type and flags
    const info = readTypeInfo(reader);
    if (WITH_TABLE_NAME.includes(info.code)) reader.text();
    return { name: reader.shortText(), info };
  });
}

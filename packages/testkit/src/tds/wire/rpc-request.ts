import type { SqlType } from '../sql-type.js';
import type { SqlValue } from '../sql-value.js';
import { readAllHeaders } from './all-headers.js';
import { ByteReader } from './byte-reader.js';
import { readTypeInfo } from './type-info.js';
import { readValue } from './wire-value.js';

/** Procedures that have a number instead of a name (MS-TDS 2.2.6.6). */
const NUMBERED = new Map([
  [10, 'sp_executesql'],
  [11, 'sp_prepare'],
  [12, 'sp_execute'],
  [13, 'sp_prepexec'],
  [15, 'sp_unprepare'],
]);
const BY_NUMBER = 0xffff;
const OUTPUT = 0x01;

/** An argument of a call. */
export interface RpcParameter {
  /** With its `@`, or empty: by position. */
  readonly name: string;
  readonly output: boolean;
  readonly type: SqlType;
  readonly value: SqlValue;
}

/** A call of a stored procedure. */
export interface RpcRequest {
  readonly transaction: bigint;
  readonly procedure: string;
  readonly parameters: readonly RpcParameter[];
}

export function readRpc(data: Buffer): RpcRequest {
  const reader = new ByteReader(data);
  const transaction = readAllHeaders(reader);
  const nameLength = reader.uint16();
  const procedure = nameLength === BY_NUMBER ? numbered(reader.uint16()) : reader.ucs2(nameLength);
  reader.uint16(); // how the call is to be run: of no meaning here
  const parameters: RpcParameter[] = [];
  while (reader.remaining > 0) parameters.push(readParameter(reader));
  return { transaction, procedure, parameters };
}

function numbered(number: number): string {
  return NUMBERED.get(number) ?? `procedure ${number}`;
}

function readParameter(reader: ByteReader): RpcParameter {
  const name = reader.shortText();
  const output = (reader.uint8() & OUTPUT) !== 0;
  const info = readTypeInfo(reader);
  return { name, output, type: info.type, value: readValue(reader, info) };
}

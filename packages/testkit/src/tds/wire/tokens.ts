import type { SqlMessage } from '../sql-error.js';
import type { SqlType } from '../sql-type.js';
import type { SqlValue } from '../sql-value.js';
import { ByteWriter } from './byte-writer.js';
import { writeTypeInfo } from './type-info.js';
import { writeValue } from './wire-value.js';

/** Tokens of a response (MS-TDS 2.2.7). */
const TOKEN = {
  returnStatus: 0x79,
  columns: 0x81,
  error: 0xaa,
  info: 0xab,
  returnValue: 0xac,
  loginAck: 0xad,
  featureAck: 0xae,
  row: 0xd1,
  environment: 0xe3,
  done: 0xfd,
  doneProcedure: 0xfe,
  doneInProcedure: 0xff,
} as const;

const ENVIRONMENT = {
  database: 1,
  language: 2,
  packetSize: 4,
  collation: 7,
  begin: 8,
  commit: 9,
  rollback: 10,
  reset: 18,
} as const;

const DONE = { more: 0x01, error: 0x02, inTransaction: 0x04, count: 0x10, attention: 0x20 } as const;
const NULLABLE = 0x01;
const IDENTITY = 0x10;

/** A column of a result. */
export interface Column {
  readonly name: string;
  readonly type: SqlType;
  readonly identity?: boolean;
}

/** How a part of a response ends. */
export interface Done {
  /** At the end of a statement, of a statement in a procedure, or of a procedure. */
  readonly of: 'statement' | 'statement in a procedure' | 'procedure';
  readonly more: boolean;
  readonly error?: boolean;
  readonly attention?: boolean;
  readonly inTransaction?: boolean;
  readonly rowCount?: number | undefined;
}

/** What changed for the client. */
export type EnvironmentChange =
  | { readonly of: 'database' | 'language' | 'packetSize'; readonly to: string; readonly from: string }
  | { readonly of: 'collation' }
  | { readonly of: 'begin' | 'commit' | 'rollback'; readonly transaction: bigint }
  | { readonly of: 'reset' };

/** SQL_Latin1_General_CP1_CI_AS. */
export const COLLATION = Buffer.from([0x09, 0x04, 0xd0, 0x00, 0x34]);

export function columnsToken(columns: readonly Column[]): Buffer {
  const writer = new ByteWriter().uint8(TOKEN.columns).uint16(columns.length);
  for (const { name, type, identity } of columns) {
    writer.uint32(0).uint16(NULLABLE | (identity === true ? IDENTITY : 0));
    writeTypeInfo(writer, type);
    writer.shortText(name);
  }
  return writer.take();
}

export function rowToken(columns: readonly Column[], values: readonly SqlValue[]): Buffer {
  const writer = new ByteWriter().uint8(TOKEN.row);
  for (const [index, { type }] of columns.entries()) writeValue(writer, type, values[index] ?? null);
  return writer.take();
}

export function doneToken({ of, more, error, attention, inTransaction, rowCount }: Done): Buffer {
  const token = {
    statement: TOKEN.done,
    'statement in a procedure': TOKEN.doneInProcedure,
    procedure: TOKEN.doneProcedure,
  };
  const status =
    (more ? DONE.more : 0) |
    (error ? DONE.error : 0) |
    (inTransaction ? DONE.inTransaction : 0) |
    (attention ? DONE.attention : 0) |
    (rowCount === undefined ? 0 : DONE.count);
  return new ByteWriter()
    .uint8(token[of])
    .uint16(status)
    .uint16(0)
    .uint64(BigInt(rowCount ?? 0))
    .take();
}

/** An ERROR token for a severity above 10, else an INFO token. */
export function messageToken(message: SqlMessage, serverName: string): Buffer {
  const body = new ByteWriter()
    .int32(message.number)
    .uint8(message.state)
    .uint8(message.severity)
    .text(message.text)
    .shortText(serverName)
    .shortText(message.procedure ?? '')
    .uint32(message.line ?? 1)
    .take();
  const token = message.severity > 10 ? TOKEN.error : TOKEN.info;
  return new ByteWriter().uint8(token).uint16(body.length).bytes(body).take();
}

export function environmentToken(change: EnvironmentChange): Buffer {
  const body = new ByteWriter().uint8(ENVIRONMENT[change.of]);
  writeChange(body, change);
  const bytes = body.take();
  return new ByteWriter().uint8(TOKEN.environment).uint16(bytes.length).bytes(bytes).take();
}

function writeChange(body: ByteWriter, change: EnvironmentChange): void {
  switch (change.of) {
    case 'database':
    case 'language':
    case 'packetSize':
      body.shortText(change.to).shortText(change.from);
      return;
    case 'collation':
      body.uint8(COLLATION.length).bytes(COLLATION).uint8(0);
      return;
    case 'begin':
      body.uint8(8).uint64(change.transaction).uint8(0);
      return;
    case 'commit':
    case 'rollback':
      body.uint8(0).uint8(8).uint64(change.transaction);
      return;
    case 'reset':
      body.uint8(0).uint8(0);
  }
}

export function loginAckToken(name: string, version: readonly [number, number, number], tdsVersion: number): Buffer {
  const [major, minor, build] = version;
  const body = new ByteWriter()
    .uint8(1) // T-SQL
    .uint32BigEndian(tdsVersion)
    .shortText(name)
    .uint8(major)
    .uint8(minor)
    .uint16BigEndian(build)
    .take();
  return new ByteWriter().uint8(TOKEN.loginAck).uint16(body.length).bytes(body).take();
}

/** Says that UTF-8 is supported, to a client that has asked. */
export function utf8AckToken(): Buffer {
  return new ByteWriter().uint8(TOKEN.featureAck).uint8(0x0a).uint32(1).uint8(1).uint8(0xff).take();
}

export function returnStatusToken(status: number): Buffer {
  return new ByteWriter().uint8(TOKEN.returnStatus).int32(status).take();
}

/** An output parameter. */
export function returnValueToken(ordinal: number, name: string, type: SqlType, value: SqlValue): Buffer {
  const writer = new ByteWriter().uint8(TOKEN.returnValue).uint16(ordinal).shortText(name).uint8(1);
  writer.uint32(0).uint16(NULLABLE);
  writeTypeInfo(writer, type);
  writeValue(writer, type, value);
  return writer.take();
}

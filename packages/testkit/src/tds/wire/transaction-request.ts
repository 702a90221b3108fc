import { readAllHeaders } from './all-headers.js';
import { ByteReader } from './byte-reader.js';

const OPERATION = { begin: 5, commit: 7, rollback: 8, save: 9 } as const;
const BEGIN_ANOTHER = 0x01;

/** Isolation levels, by their numbers on the wire; the first leaves what is set. */
const ISOLATION_LEVELS = [
  undefined,
  'read uncommitted',
  'read committed',
  'repeatable read',
  'serializable',
  'snapshot',
] as const;

export type IsolationLevel = NonNullable<(typeof ISOLATION_LEVELS)[number]>;

/** What a transaction manager request asks for (MS-TDS 2.2.6.9). */
export type TransactionRequest = { readonly transaction: bigint } & (
  | { readonly operation: 'begin'; readonly name: string; readonly isolation: IsolationLevel | undefined }
  | { readonly operation: 'commit' | 'rollback'; readonly name: string; readonly beginAnother: boolean }
  | { readonly operation: 'save'; readonly name: string }
  | { readonly operation: 'unsupported'; readonly code: number }
);

export function readTransactionRequest(data: Buffer): TransactionRequest {
  const reader = new ByteReader(data);
  const transaction = readAllHeaders(reader);
  const code = reader.uint16();
  switch (code) {
    case OPERATION.begin: {
      const isolation = ISOLATION_LEVELS[reader.uint8()];
      return { transaction, operation: 'begin', isolation, name: readName(reader) };
    }
    case OPERATION.commit:
    case OPERATION.rollback: {
      const operation = code === OPERATION.commit ? 'commit' : 'rollback';
      const name = readName(reader);
      return { transaction, operation, name, beginAnother: (reader.uint8() & BEGIN_ANOTHER) !== 0 };
    }
    case OPERATION.save:
      return { transaction, operation: 'save', name: readName(reader) };
    default:
      return { transaction, operation: 'unsupported', code };
  }
}

function readName(reader: ByteReader): string {
  return reader.bytes(reader.uint8()).toString('ucs2');
}

import type { ByteReader } from './byte-reader.js';

const TRANSACTION_HEADER = 2;

/** Reads the ALL_HEADERS before a request (MS-TDS 2.2.5.3). Gives the transaction that it belongs to; 0 for none. */
export function readAllHeaders(reader: ByteReader): bigint {
  const end = reader.offset + reader.uint32();
  let transaction = 0n;
  while (reader.offset < end) {
    const next = reader.offset + reader.uint32();
    if (reader.uint16() === TRANSACTION_HEADER) transaction = reader.uint64();
    reader.offset = next;
  }
  return transaction;
}

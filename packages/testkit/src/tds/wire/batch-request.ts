import { readAllHeaders } from './all-headers.js';
import { ByteReader } from './byte-reader.js';

/** An SQL batch: T-SQL text without parameters (MS-TDS 2.2.6.7). */
export interface BatchRequest {
  readonly transaction: bigint;
  readonly sql: string;
}

export function readBatch(data: Buffer): BatchRequest {
  const reader = new ByteReader(data);
  return { transaction: readAllHeaders(reader), sql: reader.rest().toString('ucs2') };
}

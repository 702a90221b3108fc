import type { ByteRange } from './byte-range.js';
import type { KvRecord } from './record.js';

/** Options of a scan in the database's own terms. */
export interface RecordScan {
  readonly reverse: boolean;
  /** How many will be asked for at most: a hint, so that no more is read from disk. */
  readonly atMost: number;
  readonly signal: AbortSignal | undefined;
}

/** Where records are read: the database as it is, a snapshot of it, or a transaction. Gives only what has not expired. */
export interface Records {
  getMany(keys: readonly Uint8Array[], signal?: AbortSignal): Promise<(KvRecord | undefined)[]>;
  scan(range: ByteRange, scan: RecordScan): AsyncIterable<readonly [Uint8Array, KvRecord]>;
}

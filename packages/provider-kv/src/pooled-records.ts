import type { AcquireOptions, Lease, LeaseSource } from '@dbmanager/core';
import type { ByteRange } from './byte-range.js';
import type { KvConnection } from './kv-connection.js';
import type { KvRecord } from './record.js';
import type { RecordScan, Records } from './records.js';
import { RecordsOfMoment } from './records-of-moment.js';

/** Where connections are borrowed. */
type Source = Pick<LeaseSource<KvConnection>, 'acquire'>;

/** Reads on a connection borrowed for each call. */
export class PooledRecords implements Records {
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  getMany(keys: readonly Uint8Array[], signal: AbortSignal | undefined): Promise<(KvRecord | undefined)[]> {
    return onConnection(this.#source, { signal }, (connection) => new RecordsOfMoment(connection).getMany(keys));
  }

  async *scan(range: ByteRange, scan: RecordScan): AsyncGenerator<readonly [Uint8Array, KvRecord]> {
    const lease = await this.#source.acquire({ signal: scan.signal });
    try {
      yield* new RecordsOfMoment(lease.connection).scan(range, scan);
    } catch (error) {
      throw giveBack(lease, error);
    } finally {
      lease.release();
    }
  }
}

/** Borrows a connection for `work`, and tells the pool of an error that was the end of it. */
export async function onConnection<T>(
  source: Source,
  { signal }: AcquireOptions,
  work: (connection: KvConnection) => Promise<T>,
): Promise<T> {
  const lease = await source.acquire({ signal });
  try {
    return await work(lease.connection);
  } catch (error) {
    throw giveBack(lease, error);
  } finally {
    lease.release();
  }
}

/** Tells the pool of an error that may be the end of the connection, and gives that error back. */
export function giveBack(lease: Lease<KvConnection>, error: unknown): unknown {
  lease.release(error);
  return error;
}

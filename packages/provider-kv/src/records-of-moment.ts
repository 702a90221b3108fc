import { abortedError } from '@dbmanager/core';
import type { ByteRange } from './byte-range.js';
import type { KvConnection } from './kv-connection.js';
import { AS_BYTES, type LevelSnapshot } from './level-driver.js';
import { type KvRecord, liveRecord } from './record.js';
import type { RecordScan, Records } from './records.js';

/** Most records read at a time by a scan. LevelDB stops at 16 KiB in any case. */
const CHUNK = 256;

/** What LevelDB holds at one moment. */
export class RecordsOfMoment implements Records {
  readonly #connection: KvConnection;
  readonly #snapshot: LevelSnapshot | undefined;
  /** What has expired by then is not there. */
  readonly #now: number;

  /** @param snapshot left out: each call reads the newest. */
  constructor(connection: KvConnection, snapshot?: LevelSnapshot) {
    this.#connection = connection;
    this.#snapshot = snapshot;
    this.#now = connection.handle.now();
  }

  getMany(keys: readonly Uint8Array[]): Promise<(KvRecord | undefined)[]> {
    return this.#connection.attempt(async ({ database }) => {
      const options = { ...AS_BYTES, snapshot: this.#snapshot };
      const [first] = keys;
      const stored =
        keys.length === 1 && first !== undefined
          ? [await database.get(first, options)]
          : await database.getMany(keys, options);
      return stored.map((bytes) => liveRecord(bytes, this.#now));
    });
  }

  async *scan(range: ByteRange, { reverse, atMost, signal }: RecordScan): AsyncGenerator<[Uint8Array, KvRecord]> {
    const { database } = this.#connection.handle;
    const size = Math.min(CHUNK, atMost);
    try {
      const iterator = database.iterator({ ...AS_BYTES, ...range, reverse, snapshot: this.#snapshot });
      try {
        for (;;) {
          if (signal?.aborted === true) throw abortedError(signal, this.#connection.name);
          const chunk = await iterator.nextv(size);
          if (chunk.length === 0) return;
          for (const [key, stored] of chunk) {
            const record = liveRecord(stored, this.#now);
            if (record !== undefined) yield [key, record];
          }
        }
      } finally {
        await iterator.close();
      }
    } catch (error) {
      throw this.#connection.failure(error);
    }
  }
}

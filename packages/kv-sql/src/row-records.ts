import type { Queryable } from '@dbmanager/database';
import { type ByteRange, following, type KvRecord, keyId, type RecordScan, type Records } from '@dbmanager/provider-kv';
import type { StoredRows } from './stored-rows.js';

/** Most rows of one portion of a scan. */
const PAGE = 256;

/** The records of a table as a database, or a transaction, has them: what has expired by `now` is not there. */
export class RowRecords implements Records {
  readonly #rows: StoredRows;
  readonly #on: Queryable;
  readonly #now: number;

  constructor(rows: StoredRows, on: Queryable, now: number) {
    this.#rows = rows;
    this.#on = on;
    this.#now = now;
  }

  async getMany(keys: readonly Uint8Array[], signal?: AbortSignal): Promise<(KvRecord | undefined)[]> {
    const found = await this.#rows.read(this.#on, keys, this.#now, { signal });
    return keys.map((key) => found.get(keyId(key)));
  }

  async *scan(range: ByteRange, { reverse, atMost, signal }: RecordScan): AsyncGenerator<[Uint8Array, KvRecord]> {
    const rows = pageSize(atMost);
    let rest = range;
    for (;;) {
      const page = await this.#rows.page(this.#on, rest, { reverse, rows, now: this.#now, signal });
      yield* page;
      const last = page.at(-1)?.[0];
      if (last === undefined || page.length < rows) return;
      rest = reverse ? { gte: rest.gte, lt: last } : { gte: following(last), lt: rest.lt };
    }
  }
}

/** A power of two, as each size is a statement of its own. */
function pageSize(atMost: number): number {
  return atMost >= PAGE ? PAGE : 2 ** Math.ceil(Math.log2(atMost));
}

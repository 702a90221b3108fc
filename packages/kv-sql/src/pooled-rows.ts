import type { ByteRange, KvRecord, RecordScan, Records } from '@dbmanager/provider-kv';
import type { TableMoment } from './table-moment.js';

/** Most keys that one statement reads at one moment. */
const ONE_STATEMENT = 500;

/** What reads of the newest need. */
export interface PooledRowsSetup {
  /** Reads by single statements. */
  current(): Promise<Records>;
  /** Begins a moment. */
  moment(signal: AbortSignal | undefined): Promise<TableMoment>;
}

/** Reads of the newest: a statement where one is enough, else a transaction, so that what a call gives is of one moment. */
export class PooledRows implements Records {
  readonly #setup: PooledRowsSetup;

  constructor(setup: PooledRowsSetup) {
    this.#setup = setup;
  }

  async getMany(keys: readonly Uint8Array[], signal?: AbortSignal): Promise<(KvRecord | undefined)[]> {
    if (keys.length <= ONE_STATEMENT) return (await this.#setup.current()).getMany(keys, signal);
    const moment = await this.#setup.moment(signal);
    try {
      return await moment.getMany(keys, signal);
    } finally {
      await moment.close();
    }
  }

  async *scan(range: ByteRange, scan: RecordScan): AsyncGenerator<readonly [Uint8Array, KvRecord]> {
    const moment = await this.#setup.moment(scan.signal);
    try {
      yield* moment.scan(range, scan);
    } finally {
      await moment.close();
    }
  }
}

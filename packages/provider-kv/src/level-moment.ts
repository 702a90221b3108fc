import { DbManagerError, type Lease } from '@dbmanager/core';
import type { ByteRange } from './byte-range.js';
import type { KeyValueMoment } from './key-value-backend.js';
import type { KvConnection } from './kv-connection.js';
import type { LevelSnapshot } from './level-driver.js';
import type { KvRecord } from './record.js';
import type { RecordScan, Records } from './records.js';
import { RecordsOfMoment } from './records-of-moment.js';

/** A snapshot of LevelDB on a connection of the pool, which it holds until it is closed. */
export class LevelMoment implements KeyValueMoment {
  readonly #lease: Lease<KvConnection>;
  readonly #snapshot: LevelSnapshot;
  readonly #records: Records;
  readonly #name: string;
  #closing: Promise<void> | undefined;

  /** Takes the snapshot now, and the lease for itself. */
  constructor(lease: Lease<KvConnection>) {
    const { connection } = lease;
    this.#lease = lease;
    this.#name = connection.name;
    this.#snapshot = connection.handle.database.snapshot();
    this.#records = new RecordsOfMoment(connection, this.#snapshot);
  }

  getMany(keys: readonly Uint8Array[]): Promise<(KvRecord | undefined)[]> {
    return this.#open().getMany(keys);
  }

  scan(range: ByteRange, scan: RecordScan): AsyncIterable<readonly [Uint8Array, KvRecord]> {
    return this.#open().scan(range, scan);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #open(): Records {
    if (this.#closing === undefined && !this.#lease.released) return this.#records;
    throw new DbManagerError('DBM_LEASE_RELEASED', 'the snapshot has been closed', { connectionName: this.#name });
  }

  async #close(): Promise<void> {
    try {
      await this.#snapshot.close();
    } finally {
      this.#lease.release();
    }
  }
}

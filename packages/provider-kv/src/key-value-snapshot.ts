import { DbManagerError, type Lease } from '@dbmanager/core';
import type { ByteRange } from './byte-range.js';
import type { KeySpace, KeyValueOptions } from './key-space.js';
import { KeyValueReader } from './key-value-reader.js';
import type { KvConnection } from './kv-connection.js';
import type { LevelSnapshot } from './level-driver.js';
import type { KvRecord } from './record.js';
import { type RecordScan, type Records, RecordsOfMoment } from './records.js';

/** A snapshot of the database on a connection of the pool, which it holds until it is closed. */
export class SnapshotCore implements Records {
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

/**
 * The database as it was at one moment, whatever is written since; what had not expired then does not expire in it. It holds
 * a connection of the pool, and space on disk, until `close()`: use it with `await using`.
 */
export class KeyValueSnapshot<V = unknown, K = string> extends KeyValueReader<V, K> implements AsyncDisposable {
  readonly #core: SnapshotCore;

  constructor(space: KeySpace<V, K>, core: SnapshotCore) {
    super(space, core);
    this.#core = core;
  }

  /** Another namespace at the same moment. Closing either closes both. */
  namespace<W = unknown, L = string>(options: KeyValueOptions<W, L>): KeyValueSnapshot<W, L> {
    return new KeyValueSnapshot(this.space.sibling(options), this.#core);
  }

  /** Gives the connection back; reads after it are refused with `DBM_LEASE_RELEASED`. Does nothing the second time. */
  close(): Promise<void> {
    return this.#core.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

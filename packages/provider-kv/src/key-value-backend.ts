import type { AcquireOptions } from '@dbmanager/core';
import type { ByteRange } from './byte-range.js';
import type { Records } from './records.js';
import type { Step } from './step.js';
import type { WriteOptions } from './write-options.js';

/** A database at one moment. It holds what keeps that moment, until it is closed. */
export interface KeyValueMoment extends Records {
  /** Reads after it are refused with `DBM_LEASE_RELEASED`. Does nothing the second time. */
  close(): Promise<void>;
}

/** What a transaction reads and writes: one moment, with its own writes over it. */
export interface TransactionRecords extends Records {
  /** Remembers a write for the commit. Throws `DBM_LEASE_RELEASED` after the end. */
  put(step: Step): void;
}

/** Options of a transaction, checked. */
export interface RepeatOptions extends WriteOptions {
  /** Further attempts of one that lost to others. */
  readonly retries: number;
}

/** Where the namespaces of a store are kept: LevelDB, or a table. All keys are the database's own, with their namespace. */
export interface KeyValueBackend {
  /** Reads the newest, on a connection borrowed for each call. */
  readonly records: Records;
  /** Applies all steps or none; of two writes of a key the one that was asked for later is left. */
  write(steps: readonly Step[], options: WriteOptions): Promise<void>;
  /** Deletes what is in the range. */
  clear(range: ByteRange): Promise<void>;
  /** The database as it is now. */
  snapshot(options: AcquireOptions): Promise<KeyValueMoment>;
  /** See `KeyValueStore.transaction`. */
  transaction<R>(options: RepeatOptions, work: (records: TransactionRecords) => Promise<R>): Promise<R>;
}

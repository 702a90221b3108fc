import { KnownOptions } from '@dbmanager/core';
import { BOUNDS, type KeyRange, type KeySpace } from './key-space.js';
import type { KvRecord } from './record.js';
import type { Records } from './records.js';

/** Options of a read. */
export interface ReadOptions {
  /** Gives up, with `DBM_ABORTED`: waiting for a connection, or a scan before its next records. */
  readonly signal?: AbortSignal | undefined;
}

/** What to scan and how. */
export interface ScanOptions<K> extends KeyRange<K>, ReadOptions {
  /** From the last key to the first. Default: false. */
  readonly reverse?: boolean | undefined;
  /** Most entries given. Default: no limit. */
  readonly limit?: number | undefined;
}

const READ = new KnownOptions<ReadOptions>('a read', { signal: true });
const SCAN = new KnownOptions<ScanOptions<unknown>>('a scan', { ...BOUNDS, signal: true, reverse: true, limit: true });

/** Reading a namespace: the same for the store, a snapshot and a transaction. */
export abstract class KeyValueReader<V, K> {
  /** How keys and values are written. */
  protected readonly space: KeySpace<V, K>;
  /** Where they are read. */
  protected readonly records: Records;

  constructor(space: KeySpace<V, K>, records: Records) {
    this.space = space;
    this.records = records;
  }

  /** The value; undefined when the key is not there or has expired. */
  async get(key: K, options?: ReadOptions): Promise<V | undefined> {
    const [value] = await this.getMany([key], options);
    return value;
  }

  /** The values of several keys, in the order of the keys, all of one moment. */
  async getMany(keys: readonly K[], options: ReadOptions = {}): Promise<(V | undefined)[]> {
    const records = await this.#records(keys, options);
    return records.map((record) => (record === undefined ? undefined : this.space.value(record.payload)));
  }

  /** Whether the key is there and has not expired. */
  async has(key: K, options: ReadOptions = {}): Promise<boolean> {
    const [record] = await this.#records([key], options);
    return record !== undefined;
  }

  /** When the key expires; undefined when it never does, or is not there. */
  async expiresAt(key: K, options: ReadOptions = {}): Promise<Date | undefined> {
    const [record] = await this.#records([key], options);
    return record?.expiresAt === undefined ? undefined : new Date(record.expiresAt);
  }

  /**
   * Entries in the order of the bytes of their keys, read as they are asked for, all of the moment at which the first one
   * was. Ending the loop frees what the scan holds; a scan that is begun and neither ended nor read on holds it.
   */
  async *scan(options: ScanOptions<K> = {}): AsyncGenerator<[K, V], void, undefined> {
    for await (const [key, payload] of this.#scan(options)) yield [this.space.keyOf(key), this.space.value(payload)];
  }

  /** As {@link scan}, without the values. */
  async *keys(options: ScanOptions<K> = {}): AsyncGenerator<K, void, undefined> {
    for await (const [key] of this.#scan(options)) yield this.space.keyOf(key);
  }

  async *#scan(options: ScanOptions<K>): AsyncGenerator<[Uint8Array, Uint8Array]> {
    this.space.check(SCAN, options);
    const { reverse = false, limit, signal, ...range } = options;
    let left = this.space.limit(limit);
    if (left === 0) return;
    for await (const [key, { payload }] of this.records.scan(this.space.range(range), {
      reverse,
      atMost: left,
      signal,
    })) {
      yield [key, payload];
      if (--left === 0) return;
    }
  }

  #records(keys: readonly K[], options: ReadOptions): Promise<(KvRecord | undefined)[]> {
    this.space.check(READ, options);
    return this.records.getMany(this.space.keys(keys), options.signal);
  }
}

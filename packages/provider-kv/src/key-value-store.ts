import {
  type AcquireOptions,
  type BridgeTarget,
  DbManagerError,
  KnownOptions,
  type LeaseSource,
} from '@dbmanager/core';
import { BOUNDS, type KeyRange, KeySpace, type KeyValueOptions, type SetOptions } from './key-space.js';
import type { KeyValueBackend } from './key-value-backend.js';
import { KeyValueBatch } from './key-value-batch.js';
import { KeyValueReader } from './key-value-reader.js';
import { KeyValueSnapshot } from './key-value-snapshot.js';
import { KeyValueTransaction } from './key-value-transaction.js';
import { type KeyValueSource, LevelBackend } from './level-backend.js';
import { WRITE_OPTIONS, type WriteOptions } from './write-options.js';

const SET = new KnownOptions<SetOptions & WriteOptions>('set()', { ttlMs: true, sync: true, signal: true });
const CLEAR = new KnownOptions<KeyRange<unknown>>('clear()', BOUNDS);
const SNAPSHOT = new KnownOptions<AcquireOptions>('snapshot()', { signal: true, timeoutMs: true });

/** Further attempts of a transaction that lost to another, unless the caller says otherwise. */
const DEFAULT_RETRIES = 10;

/** Options of a transaction. */
export interface KeyValueTransactionOptions extends WriteOptions {
  /**
   * Runs the callback again, on a new snapshot, when something it had read was written meanwhile: so often at most.
   * Default: 10.
   */
  readonly retry?: number | undefined;
}

const TRANSACTION = new KnownOptions<KeyValueTransactionOptions>('a transaction', {
  retry: true,
  sync: true,
  signal: true,
});

/**
 * A namespace of a key-value database: keys in order, values of one type. It borrows from the shared pool for each call, so
 * that it goes on working across reconnects, and may be made as often as one likes.
 *
 * Writes are applied in the order of the calls. Every method rejects with what waiting for a connection is refused with,
 * with `DBM_CONNECTION_LOST` when the database fails (a write may then have been made or not), with `DBM_INVALID_OPTION` for a
 * key or value that cannot be stored, and with `DBM_ABORTED`.
 */
export class KeyValueStore<V = unknown, K = string> extends KeyValueReader<V, K> {
  readonly #backend: KeyValueBackend;

  constructor(backend: KeyValueBackend, space: KeySpace<V, K>) {
    super(space, backend.records);
    this.#backend = backend;
  }

  /** Name of the namespace. */
  get name(): string {
    return this.space.namespace;
  }

  /** Another namespace of the same database. */
  namespace<W = unknown, L = string>(options: KeyValueOptions<W, L>): KeyValueStore<W, L> {
    return new KeyValueStore(this.#backend, this.space.sibling(options));
  }

  /** Stores a value, in place of the one that was there. */
  async set(key: K, value: V, options: SetOptions & WriteOptions = {}): Promise<void> {
    this.space.check(SET, options);
    await this.#backend.write([this.space.setting(key, value, options)], options);
  }

  /** Deletes a key, if it is there. */
  async delete(key: K, options: WriteOptions = {}): Promise<void> {
    this.space.check(WRITE_OPTIONS, options);
    await this.#backend.write([this.space.deleting(key)], options);
  }

  /** Collects writes, here and in other namespaces, that are made together. */
  batch(): KeyValueBatch<V, K> {
    const backend = this.#backend;
    return new KeyValueBatch(this.space, { steps: [], write: (steps, options) => backend.write(steps, options) });
  }

  /**
   * Deletes everything in the range; the whole namespace when none is given. No single step: it may be ended half-way by the
   * death of the process, and others may see it under way.
   */
  async clear(range: KeyRange<K> = {}): Promise<void> {
    this.space.check(CLEAR, range);
    await this.#backend.clear(this.space.range(range));
  }

  /** The database as it is now, in all its namespaces, to be read until the snapshot is closed. */
  async snapshot(options: AcquireOptions = {}): Promise<KeyValueSnapshot<V, K>> {
    this.space.check(SNAPSHOT, options);
    return new KeyValueSnapshot(this.space, await this.#backend.snapshot(options));
  }

  /** Runs `work` in a transaction with the defaults. */
  transaction<R>(work: (tx: KeyValueTransaction<V, K>) => Promise<R>): Promise<R>;
  /**
   * Runs `work` in a transaction: committed when it resolves, forgotten when it throws, with that very error passed on.
   * Serialisable and optimistic: it holds up nobody, and is repeated when something it had read, keys that were not there
   * and scanned ranges included, was written before its commit. So `work` may run several times, and should do nothing
   * but work with `tx`.
   *
   * Rejects with `DBM_SERIALIZATION_FAILURE` when it lost to others more often than `retry` allows, and with
   * `DBM_COMMIT_UNKNOWN` when the database failed in the commit.
   */
  transaction<R>(options: KeyValueTransactionOptions, work: (tx: KeyValueTransaction<V, K>) => Promise<R>): Promise<R>;
  async transaction<R>(
    ...args:
      | [work: (tx: KeyValueTransaction<V, K>) => Promise<R>]
      | [options: KeyValueTransactionOptions, work: (tx: KeyValueTransaction<V, K>) => Promise<R>]
  ): Promise<R> {
    const [options, work] = args.length === 1 ? [{}, args[0]] : args;
    this.space.check(TRANSACTION, options);
    const retries = this.space.limit(options.retry ?? DEFAULT_RETRIES);
    return this.#backend.transaction({ ...options, retries }, (records) =>
      work(new KeyValueTransaction(this.space, records)),
    );
  }
}

/**
 * The key-value store of a connection of type `kv`. Throws `DBM_UNSUPPORTED` for another type, `DBM_INVALID_OPTION` for a
 * bad name of a namespace.
 *
 * ```ts
 * const sessions = keyValueStore<Session>(manager.get('cache'), { namespace: 'sessions' });
 * await sessions.set('42', { user: 'ada' }, { ttlMs: 3_600_000 });
 * ```
 */
export function keyValueStore<V = unknown, K = string>(
  connection: LeaseSource & Pick<BridgeTarget, 'type' | 'transactions'>,
  options?: KeyValueOptions<V, K>,
): KeyValueStore<V, K> {
  if (connection.type !== 'kv') {
    throw new DbManagerError('DBM_UNSUPPORTED', `kv() needs a connection of type kv, not ${connection.type}`, {
      connectionName: connection.name,
    });
  }
  // The provider of type kv lends nothing else.
  return new KeyValueStore(new LevelBackend(connection as KeyValueSource), new KeySpace(connection.name, options));
}

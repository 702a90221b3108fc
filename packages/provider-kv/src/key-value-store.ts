import {
  type AcquireOptions,
  type BridgeTarget,
  type Clock,
  DbManagerError,
  exponentialDelay,
  isDbManagerError,
  type LeaseSource,
  type Random,
  shorten,
  sleep,
} from '@dbmanager/core';
import { AttemptRecording } from './attempt-recording.js';
import { type KeyRange, KeySpace, type KeyValueOptions, type SetOptions } from './key-space.js';
import { KeyValueBatch } from './key-value-batch.js';
import { KeyValueReader } from './key-value-reader.js';
import { KeyValueSnapshot, SnapshotCore } from './key-value-snapshot.js';
import { KeyValueTransaction, TransactionCore } from './key-value-transaction.js';
import type { KvConnection } from './kv-connection.js';
import { AS_BYTES } from './level-driver.js';
import { giveBack, onConnection, PooledRecords } from './pooled-records.js';
import { operationsFor, outcomeOf, type Step } from './step.js';
import type { WriteOptions } from './write-queue.js';

/** Further attempts of a transaction that lost to another, unless the caller says otherwise. */
const DEFAULT_RETRIES = 10;
/** A conflict means that another has committed, so that the next attempt may follow soon. */
const RETRY_BACKOFF = { baseMs: 1, maxMs: 100 };
const NEVER = new AbortController().signal;

/** Where a store borrows its connections. */
export type KeyValueSource = LeaseSource<KvConnection> & Pick<BridgeTarget, 'transactions'>;

/** Options of a transaction. */
export interface KeyValueTransactionOptions extends WriteOptions {
  /**
   * Runs the callback again, on a new snapshot, when something it had read was written meanwhile: so often at most.
   * Default: 10.
   */
  readonly retry?: number | undefined;
}

/**
 * A namespace of a key-value database: keys in order, values of one type. It borrows from the shared pool for each call, so
 * that it goes on working across reconnects, and may be made as often as one likes.
 *
 * Writes are applied in the order of the calls. Every method rejects with what waiting for a connection is refused with,
 * with `DBM_CONNECTION_LOST` when LevelDB fails (a write may then have been made or not), with `DBM_INVALID_OPTION` for a
 * key or value that cannot be stored, and with `DBM_ABORTED`.
 */
export class KeyValueStore<V = unknown, K = string> extends KeyValueReader<V, K> {
  readonly #source: KeyValueSource;

  constructor(source: KeyValueSource, space: KeySpace<V, K>) {
    super(space, new PooledRecords(source));
    this.#source = source;
  }

  /** Name of the namespace. */
  get name(): string {
    return this.space.namespace;
  }

  /** Another namespace of the same database. */
  namespace<W = unknown, L = string>(options: KeyValueOptions<W, L>): KeyValueStore<W, L> {
    return new KeyValueStore(this.#source, this.space.sibling(options));
  }

  /** Stores a value, in place of the one that was there. */
  async set(key: K, value: V, options: SetOptions & WriteOptions = {}): Promise<void> {
    await this.#write([this.space.setting(key, value, options)], options);
  }

  /** Deletes a key, if it is there. */
  async delete(key: K, options: WriteOptions = {}): Promise<void> {
    await this.#write([this.space.deleting(key)], options);
  }

  /** Collects writes, here and in other namespaces, that are made together. */
  batch(): KeyValueBatch<V, K> {
    return new KeyValueBatch(this.space, { steps: [], write: (steps, options) => this.#write(steps, options) });
  }

  /**
   * Deletes everything in the range; the whole namespace when none is given. No single step: it may be ended half-way by the
   * death of the process, and others may see it under way.
   */
  async clear(range: KeyRange<K> = {}): Promise<void> {
    const stored = this.space.range(range);
    await onConnection(this.#source, {}, (connection) =>
      connection.attempt(({ database, writes }) =>
        writes.clear(stored, () => database.clear({ ...AS_BYTES, ...stored })),
      ),
    );
  }

  /** The database as it is now, in all its namespaces, to be read until the snapshot is closed. */
  async snapshot(options: AcquireOptions = {}): Promise<KeyValueSnapshot<V, K>> {
    const lease = await this.#source.acquire(options);
    try {
      return new KeyValueSnapshot(this.space, new SnapshotCore(lease));
    } catch (error) {
      throw giveBack(lease, error);
    }
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
   * `DBM_COMMIT_UNKNOWN` when LevelDB failed in the commit.
   */
  transaction<R>(options: KeyValueTransactionOptions, work: (tx: KeyValueTransaction<V, K>) => Promise<R>): Promise<R>;
  async transaction<R>(
    ...args:
      | [work: (tx: KeyValueTransaction<V, K>) => Promise<R>]
      | [options: KeyValueTransactionOptions, work: (tx: KeyValueTransaction<V, K>) => Promise<R>]
  ): Promise<R> {
    const [options, work] = args.length === 1 ? [{}, args[0]] : args;
    const retries = this.space.limit(options.retry ?? DEFAULT_RETRIES);
    return onConnection(this.#source, options, async (connection) => {
      const { clock, random } = connection.handle;
      for (let attempt = 1; ; attempt++) {
        const outcome = await this.#attempt(connection, options, work);
        if ('result' in outcome) return outcome.result;
        if (attempt > retries) throw outcome.conflict;
        this.#source.transactions?.retried('serialization_failure');
        await pause(attempt, clock, random, options.signal);
      }
    });
  }

  async #attempt<R>(
    connection: KvConnection,
    options: WriteOptions,
    work: (tx: KeyValueTransaction<V, K>) => Promise<R>,
  ): Promise<{ readonly result: R } | { readonly conflict: DbManagerError }> {
    const core = await connection.attempt(async () => new TransactionCore(connection));
    const recording = new AttemptRecording(this.#source.transactions, connection.handle.clock);
    try {
      const result = await this.#source.holding(() => work(new KeyValueTransaction(this.space, core)));
      recording.committing = true;
      await core.commit(options);
      recording.ended('committed');
      return { result };
    } catch (error) {
      recording.failed(error);
      // One that `work` has thrown may be of another database, and is passed on.
      if (recording.committing && isDbManagerError(error, 'DBM_SERIALIZATION_FAILURE')) return { conflict: error };
      throw error;
    } finally {
      await core.close();
    }
  }

  #write(steps: readonly Step[], options: WriteOptions): Promise<void> {
    return onConnection(this.#source, options, (connection) =>
      connection.attempt(({ writes, now }) => {
        const moment = now();
        const operations = steps.flatMap((step) => operationsFor(step.key, outcomeOf(step, moment)));
        return writes.write(operations, options);
      }),
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
  return new KeyValueStore(connection as KeyValueSource, new KeySpace(connection.name, options));
}

async function pause(attempt: number, clock: Clock, random: Random, signal = NEVER): Promise<void> {
  await sleep(clock, shorten(exponentialDelay(attempt, RETRY_BACKOFF), 1, random), signal, { keepAlive: true });
}

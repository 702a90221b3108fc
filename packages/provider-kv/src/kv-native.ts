import { DbManagerError, type Lease, type LeaseSource } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { AbstractLevel } from 'abstract-level';
import { type ByteRange, following, intersection } from './byte-range.js';
import type { KvConnection } from './kv-connection.js';
import {
  AS_BYTES,
  type LevelDatabase,
  type LevelIterator,
  type LevelOperation,
  type LevelRangeOptions,
  type LevelReadOptions,
  type LevelSnapshot,
  loadAbstractLevel,
} from './level-driver.js';
import type { LevelHandle } from './level-handle.js';

/** The native handle of a connection of type `kv`: an abstract-level database, with text as keys and values by default. */
export type KvNative = AbstractLevel<string | Buffer | Uint8Array, string, string>;

/** What the native handle stands on, besides the pool. */
export interface NativeSetup {
  readonly connectionName: string;
  /** The open database, for what abstract-level does at once. */
  readonly current: () => LevelHandle | undefined;
}

/** The module abstract-level, as far as its classes are extended here. */
interface LevelModule {
  readonly AbstractLevel: new (manifest: object) => KvNative;
  readonly AbstractIterator: new (database: object, options: object) => object;
  readonly AbstractSnapshot: new (options: object) => LevelSnapshot;
}

/** Options as abstract-level hands them to an implementation, keys and values being bytes by then. */
type ReadOptions = LevelReadOptions & { readonly snapshot?: unknown };
type RangeOptions = LevelRangeOptions & { readonly snapshot?: unknown };
interface Sync {
  readonly sync?: boolean;
}

/** Where the keys of all namespaces are: all that a transaction can have read. */
const NAMESPACES: ByteRange = { gte: Buffer.from('!'), lt: Buffer.from('"') };

/**
 * An abstract-level database on the shared pool: sublevels, hooks, encodings and iterators work as in classic-level, and
 * each operation borrows a connection. `close()` only detaches it: its iterators and snapshots end, the database stays
 * open. It sees the database as it is, without expiry and the other rules of `KeyValueStore`; transactions there notice
 * what is written here. Errors of operations are the driver's own.
 */
export function openNative(source: LeaseSource<KvConnection>, { connectionName, current }: NativeSetup): KvNative {
  const { AbstractLevel, AbstractIterator, AbstractSnapshot } = loadAbstractLevel<LevelModule>(connectionName);

  /** Borrows a connection for one operation. */
  async function lend<T>(work: (handle: LevelHandle) => Promise<T>): Promise<T> {
    const lease = await source.acquire();
    const { connection } = lease;
    try {
      return await work(connection.handle);
    } catch (error) {
      connection.failure(error);
      lease.release(error);
      throw error;
    } finally {
      lease.release();
    }
  }

  function open(): LevelDatabase {
    const handle = current();
    if (handle !== undefined) return handle.database;
    throw new DbManagerError('DBM_NOT_CONNECTED', 'the database is not open yet; await an operation of it first', {
      connectionName,
    });
  }

  class PooledSnapshot extends AbstractSnapshot {
    readonly inner = open().snapshot();

    _close(): Promise<void> {
      return this.inner.close();
    }
  }

  /** The same options for the database itself. */
  const inward = <O extends ReadOptions>({ snapshot, ...options }: O) => ({
    ...options,
    ...AS_BYTES,
    ...(snapshot instanceof PooledSnapshot ? { snapshot: snapshot.inner } : {}),
  });

  /** Holds a connection from its first step until it is closed. */
  class PooledIterator extends AbstractIterator {
    readonly #options: RangeOptions;
    /** What it reads from when the caller names no snapshot: the database as it is now. */
    readonly #implicit: LevelSnapshot | undefined;
    #seekTo: Uint8Array | undefined;
    #inner: LevelIterator | undefined;
    #lease: Lease<KvConnection> | undefined;

    constructor(database: object, options: RangeOptions) {
      super(database, options);
      this.#implicit = options.snapshot === undefined ? current()?.database.snapshot() : undefined;
      this.#options = this.#implicit === undefined ? inward(options) : { ...inward(options), snapshot: this.#implicit };
    }

    async _next(): Promise<[Uint8Array, Uint8Array] | undefined> {
      return (await this.#begin()).next();
    }

    async _nextv(size: number): Promise<[Uint8Array, Uint8Array][]> {
      return (await this.#begin()).nextv(size);
    }

    _seek(target: Uint8Array): void {
      if (this.#inner === undefined) this.#seekTo = target;
      else this.#inner.seek(target, AS_BYTES);
    }

    async _close(): Promise<void> {
      await this.#inner?.close();
      await this.#implicit?.close();
      this.#lease?.release();
    }

    async #begin(): Promise<LevelIterator> {
      if (this.#inner !== undefined) return this.#inner;
      this.#lease = await source.acquire();
      this.#inner = this.#lease.connection.handle.database.iterator(this.#options);
      if (this.#seekTo !== undefined) this.#inner.seek(this.#seekTo, AS_BYTES);
      return this.#inner;
    }
  }

  class PooledLevel extends AbstractLevel {
    constructor() {
      super({
        encodings: { view: true },
        has: true,
        explicitSnapshots: true,
        getSync: true,
        signals: { iterators: true },
      });
    }

    _get(key: Uint8Array, options: ReadOptions): Promise<Uint8Array | undefined> {
      return lend(({ database }) => database.get(key, inward(options)));
    }

    _getSync(key: Uint8Array, options: ReadOptions): Uint8Array | undefined {
      return open().getSync(key, inward(options));
    }

    _getMany(keys: readonly Uint8Array[], options: ReadOptions): Promise<(Uint8Array | undefined)[]> {
      return lend(({ database }) => database.getMany(keys, inward(options)));
    }

    async _has(key: Uint8Array, options: ReadOptions): Promise<boolean> {
      return (await this._hasMany([key], options))[0] === true;
    }

    _hasMany(keys: readonly Uint8Array[], options: ReadOptions): Promise<boolean[]> {
      return lend(({ database }) => database.hasMany(keys, inward(options)));
    }

    _put(key: Uint8Array, value: Uint8Array, options: Sync): Promise<void> {
      return this._batch([{ type: 'put', key, value }], options);
    }

    _del(key: Uint8Array, options: Sync): Promise<void> {
      return this._batch([{ type: 'del', key }], options);
    }

    _batch(operations: readonly LevelOperation[], { sync }: Sync): Promise<void> {
      // Copies: writes may have to wait, and the caller's buffers are the caller's again when the call returns.
      const steps = operations.map(copyOf);
      return lend(({ writes }) => writes.write(steps, { sync }));
    }

    _clear(options: RangeOptions): Promise<void> {
      return lend(({ database, writes }) => writes.clear(rangeOf(options), () => database.clear(inward(options))));
    }

    _iterator(options: RangeOptions): PooledIterator {
      return new PooledIterator(this, options);
    }

    _snapshot(options: object): PooledSnapshot {
      return new PooledSnapshot(options);
    }
  }

  return new PooledLevel();
}

function copyOf(operation: LevelOperation): LevelOperation {
  const key = Buffer.from(operation.key);
  return operation.type === 'put' ? { type: 'put', key, value: Buffer.from(operation.value) } : { type: 'del', key };
}

/** The keys that `clear` may delete, as far as transactions can have read them. */
function rangeOf({ gt, gte, lt, lte }: LevelRangeOptions): ByteRange {
  const first = gte ?? (gt && following(gt)) ?? NAMESPACES.gte;
  const end = lt ?? (lte && following(lte)) ?? NAMESPACES.lt;
  return intersection(NAMESPACES, { gte: first, lt: end });
}

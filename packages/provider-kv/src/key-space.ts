import { DbManagerError, KnownOptions } from '@dbmanager/core';
import { afterPrefix, type ByteRange, following, intersection } from './byte-range.js';
import { type Codec, json, utf8 } from './codecs.js';
import type { Step } from './step.js';

/** A namespace is a sublevel of abstract-level: its keys begin with its name between two of these. */
const SEPARATOR = '!';
/** The character after it, so that all keys of a namespace stand before the name followed by this. */
const AFTER_SEPARATOR = '"';
const NAMESPACE = /^[A-Za-z0-9._-]{1,63}$/;
const DEFAULT_NAMESPACE = 'default';
/** More than three thousand years, so that every moment of expiry is a valid date. */
const MAX_TTL_MS = 1e14;

/** A part of a database with keys of its own, and how its keys and values are written. */
export interface KeyValueOptions<V = unknown, K = string> {
  /** Up to 63 letters, digits, `_`, `-` and `.`. Default: `default`. */
  readonly namespace?: string | undefined;
  /** How values become bytes. Default: {@link json}. */
  readonly values?: Codec<V> | undefined;
  /** How keys become bytes, whose order is the order of scans. Default: {@link utf8}. */
  readonly keys?: Codec<K> | undefined;
}

/** Options of storing one value. */
export interface SetOptions {
  /** The key is gone after so many milliseconds. Default: it stays, and an expiry it had is forgotten. */
  readonly ttlMs?: number | undefined;
}

/** What to scan; bounds may be combined, and then all of them hold. Left out altogether: everything. */
export interface KeyRange<K> {
  /** Keys whose bytes begin with those of this one. */
  readonly prefix?: K | undefined;
  readonly gt?: K | undefined;
  readonly gte?: K | undefined;
  readonly lt?: K | undefined;
  readonly lte?: K | undefined;
}

const STORE = new KnownOptions<KeyValueOptions>('a store of keys and values', {
  namespace: true,
  values: true,
  keys: true,
});
/** Of a value in a batch or a transaction. */
export const SET_OPTIONS = new KnownOptions<SetOptions>('set()', { ttlMs: true });
/** The bounds that there are. */
export const BOUNDS = { prefix: true, gt: true, gte: true, lt: true, lte: true } as const;

/** What the database puts on keys. */
export interface KeyLimits {
  /** Longest key in bytes, without its namespace. */
  readonly maxKeyBytes: number;
}

const NO_LIMITS: KeyLimits = { maxKeyBytes: Number.POSITIVE_INFINITY };

/** Translates keys and values of one namespace to those of the database and back. */
export class KeySpace<V, K> {
  readonly namespace: string;
  /** All keys of the namespace. */
  readonly whole: ByteRange;
  readonly #connectionName: string;
  readonly #limits: KeyLimits;
  readonly #prefix: Buffer;
  readonly #keys: Codec<K>;
  readonly #values: Codec<V>;

  constructor(connectionName: string, options: KeyValueOptions<V, K> = {}, limits = NO_LIMITS) {
    this.#connectionName = connectionName;
    this.#limits = limits;
    STORE.check(options, connectionName);
    const { namespace = DEFAULT_NAMESPACE, keys, values } = options;
    if (typeof namespace !== 'string' || !NAMESPACE.test(namespace)) {
      throw this.#invalid('a namespace is named by up to 63 letters, digits, "_", "-" and "."', 'namespace');
    }
    for (const [option, codec] of Object.entries({ keys, values })) {
      if (codec !== undefined && !isCodec(codec)) throw this.#invalid('a codec has encode() and decode()', option);
    }
    this.namespace = namespace;
    this.#prefix = Buffer.from(SEPARATOR + namespace + SEPARATOR);
    this.whole = { gte: this.#prefix, lt: Buffer.from(SEPARATOR + namespace + AFTER_SEPARATOR) };
    // The types of a caller who names no codec are those of these, or what the caller says is in the JSON.
    this.#keys = keys ?? (utf8 as Codec<unknown> as Codec<K>);
    this.#values = values ?? json<V>();
  }

  /** The same database, another namespace. */
  sibling<W, L>(options: KeyValueOptions<W, L>): KeySpace<W, L> {
    return new KeySpace(this.#connectionName, options, this.#limits);
  }

  /** Throws `DBM_INVALID_OPTION` for an option that a call has not. */
  check<O extends object>(known: KnownOptions<O>, options: O): void {
    known.check(options, this.#connectionName);
  }

  /** The key in the database: a copy, so that bytes the caller changes later do not matter. */
  key(key: K): Uint8Array {
    return Buffer.concat([this.#prefix, this.#encode(this.#keys, key, 'key')]);
  }

  /** Several. Throws `DBM_INVALID_OPTION` for what is no list. */
  keys(keys: readonly K[]): Uint8Array[] {
    if (!Array.isArray(keys)) throw this.#invalid('several keys are a list', 'keys');
    return keys.map((key) => this.key(key));
  }

  keyOf(stored: Uint8Array): K {
    return this.#decode(this.#keys, stored.subarray(this.#prefix.length), 'key');
  }

  value(payload: Uint8Array): V {
    return this.#decode(this.#values, payload, 'value');
  }

  /** The step that stores a value. Throws `DBM_INVALID_OPTION`. */
  setting(key: K, value: V, { ttlMs }: SetOptions): Step {
    if (ttlMs !== undefined && !(typeof ttlMs === 'number' && ttlMs > 0 && ttlMs <= MAX_TTL_MS)) {
      throw this.#invalid(`ttlMs must be a number above 0 and up to ${MAX_TTL_MS}, not ${ttlMs}`, 'ttlMs');
    }
    const payload = Buffer.from(this.#encode(this.#values, value, 'value'));
    const stored = this.key(key);
    const { maxKeyBytes } = this.#limits;
    if (stored.length - this.#prefix.length > maxKeyBytes)
      throw this.#invalid(`the key is longer than ${maxKeyBytes} bytes`);
    return { key: stored, value: { payload, ttlMs } };
  }

  /** The step that deletes a key. */
  deleting(key: K): Step {
    return { key: this.key(key), value: undefined };
  }

  /** How many entries to give at most. Throws `DBM_INVALID_OPTION`. */
  limit(limit = Number.POSITIVE_INFINITY): number {
    if (limit === Number.POSITIVE_INFINITY || (Number.isSafeInteger(limit) && limit >= 0)) return limit;
    throw this.#invalid(`limit must be a whole number from 0, not ${limit}`, 'limit');
  }

  range({ prefix, gt, gte, lt, lte }: KeyRange<K>): ByteRange {
    let range = this.whole;
    const narrow = (bounds: Partial<ByteRange>) => {
      range = intersection(range, { ...this.whole, ...bounds });
    };
    if (gte !== undefined) narrow({ gte: this.key(gte) });
    if (gt !== undefined) narrow({ gte: following(this.key(gt)) });
    if (lt !== undefined) narrow({ lt: this.key(lt) });
    if (lte !== undefined) narrow({ lt: following(this.key(lte)) });
    if (prefix !== undefined) {
      const first = this.key(prefix);
      narrow({ gte: first, lt: afterPrefix(first) ?? this.whole.lt });
    }
    return range;
  }

  #encode<T>(codec: Codec<T>, value: T, what: string): Uint8Array {
    try {
      return codec.encode(value);
    } catch (error) {
      throw this.#invalid(`the ${what} ${error instanceof Error ? error.message : String(error)}`, undefined, error);
    }
  }

  #decode<T>(codec: Codec<T>, stored: Uint8Array, what: string): T {
    try {
      return codec.decode(stored);
    } catch (error) {
      // Without the cause: parsers put what they read into their messages.
      const name = error instanceof Error ? error.name : typeof error;
      throw new DbManagerError('DBM_QUERY_FAILED', `the ${what} is not of the format of this store (${name})`, {
        connectionName: this.#connectionName,
      });
    }
  }

  #invalid(message: string, option?: string, cause?: unknown): DbManagerError {
    return new DbManagerError('DBM_INVALID_OPTION', message, { connectionName: this.#connectionName, option, cause });
  }
}

function isCodec(value: unknown): value is Codec<unknown> {
  const { encode, decode } = (value ?? {}) as Partial<Codec<unknown>>;
  return typeof encode === 'function' && typeof decode === 'function';
}

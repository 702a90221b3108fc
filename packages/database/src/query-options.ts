import { KnownOptions, type StatementOptions } from '@dbmanager/core';
import { type CacheOptions, type CacheWish, checkCacheOptions } from './cache-options.js';
import { durationMs } from './duration-option.js';
import { assertFlag } from './flag-option.js';

/** Options of one statement. */
export interface QueryOptions {
  /** Cancels the statement on the server, or the wait for a connection; the call rejects with `DBM_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Instead of `query_timeout`: milliseconds, or a text as in the configuration (`'5s'`); 0 is no limit. Then the statement
   * is stopped, and the call rejects with `DBM_QUERY_TIMEOUT`.
   */
  readonly timeout?: number | string | undefined;
  /**
   * The database refuses to write for it (`DBM_READ_ONLY`), whatever the statement calls: outside a transaction it is run in
   * one of its own. Inside a transaction that may write it is refused with `DBM_UNSUPPORTED`, as that cannot be kept. Default: false.
   */
  readonly readOnly?: boolean | undefined;
  /**
   * Keeps the statement prepared on the connection, so that PostgreSQL does not parse the same text again there. Of no consequence
   * to streams, behind a pooler, and on the other engines, which do so by themselves. Default: false.
   */
  readonly prepared?: boolean | undefined;
  /**
   * The rows may be those of an earlier run, kept by the cache of the connection until somebody writes to one of its tables, or their
   * time is over. Of consequence to `query`, `queryOne` and `queryOneOrThrow` outside of transactions, where `cache_enabled` is on.
   * Default: false.
   */
  readonly cache?: boolean | CacheOptions | undefined;
}

/** Options of one statement, checked. */
export interface CallOptions extends StatementOptions {
  readonly readOnly?: boolean | undefined;
  /** Undefined where the result must be of now. */
  readonly cache?: CacheWish | undefined;
}

const QUERY_OPTIONS = new KnownOptions<QueryOptions>('a statement', {
  signal: true,
  timeout: true,
  readOnly: true,
  prepared: true,
  cache: true,
});

/** Throws `DBM_INVALID_OPTION` for what cannot be meant. */
export function checkQueryOptions(
  options: QueryOptions | undefined,
  bound: AbortSignal | undefined,
  connectionName: string,
): CallOptions | undefined {
  if (options === undefined) return bound && { signal: bound };
  QUERY_OPTIONS.check(options, connectionName);
  const { signal, timeout, readOnly, prepared, cache } = options;
  assertFlag(readOnly, 'readOnly', connectionName);
  assertFlag(prepared, 'prepared', connectionName);
  const timeoutMs = durationMs(timeout, connectionName);
  const wish = checkCacheOptions(cache, connectionName);
  return { signal: both(signal, bound), timeoutMs, readOnly, prepared, cache: wish };
}

/** A signal that is aborted when either is. */
export function both(one: AbortSignal | undefined, other: AbortSignal | undefined): AbortSignal | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return AbortSignal.any([one, other]);
}

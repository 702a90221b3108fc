import { DbManagerError, parseDuration, type StatementOptions } from '@dbmanager/core';

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
}

/** Options of one statement, checked. */
export interface CallOptions extends StatementOptions {
  readonly readOnly?: boolean | undefined;
}

/** Throws `DBM_INVALID_OPTION` for what cannot be meant. */
export function checkQueryOptions(
  options: QueryOptions | undefined,
  bound: AbortSignal | undefined,
  connectionName: string,
): CallOptions | undefined {
  if (options === undefined) return bound && { signal: bound };
  const { signal, timeout, readOnly, prepared } = options;
  return { signal: both(signal, bound), timeoutMs: durationMs(timeout, connectionName), readOnly, prepared };
}

/** A signal that is aborted when either is. */
export function both(one: AbortSignal | undefined, other: AbortSignal | undefined): AbortSignal | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return AbortSignal.any([one, other]);
}

/** Milliseconds of a duration given in code. Throws `DBM_INVALID_OPTION` for the option `timeout`. */
export function durationMs(timeout: number | string | undefined, connectionName: string): number | undefined {
  if (timeout === undefined) return undefined;
  const ms = typeof timeout === 'string' ? parseDuration(timeout) : timeout;
  if (ms !== undefined && ms >= 0) return ms;
  throw new DbManagerError('DBM_INVALID_OPTION', `"${timeout}" is no duration; write it as '5s', or in milliseconds`, {
    connectionName,
    option: 'timeout',
  });
}

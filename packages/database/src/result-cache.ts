import type { SqlLexis, Statement, StatementResult } from '@dbmanager/core';
import type { CacheWish } from './cache-options.js';
import type { CallOptions } from './query-options.js';

/** A read that may be answered with a kept result. */
export interface CachedRead {
  /** In the engine's own style. */
  readonly statement: Statement;
  /** How the engine reads it. */
  readonly lexis: SqlLexis | undefined;
  /** What the caller asks for. */
  readonly wanted: CacheWish;
  readonly options: CallOptions;
  /** The caller holds a connection already: it must not wait for the read of another, who may be waiting for that one. */
  readonly held: boolean;
  /** Asks the database. */
  execute(options: CallOptions): Promise<StatementResult>;
}

/** Keeps results for a `Database`. */
export interface ResultCache {
  /**
   * The result of a read: a kept one that is still right, or the database's, which several callers may share; in any case the
   * caller's own to change. Rejects as `execute` does, and with `DBM_ABORTED` when the signal of this call aborts; never because of
   * the cache itself.
   */
  read(read: CachedRead): Promise<StatementResult>;
}

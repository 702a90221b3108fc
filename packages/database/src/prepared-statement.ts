import { DbManagerError, type Row } from '@dbmanager/core';
import type { QueryOptions } from './query-options.js';
import type { ExecuteResult, Queryable } from './queryable.js';
import type { RowStream } from './row-stream.js';
import type { QueryParams } from './statement-text.js';

/** What a {@link PreparedStatement} is made of. */
export interface PreparedStatementSetup {
  /** What it runs on: the database, or the transaction that it ends with. */
  readonly owner: Queryable;
  readonly connectionName: string;
  readonly sql: string;
  /** Frees it on the server. */
  forget(): void;
}

const PREPARED: QueryOptions = { prepared: true };

/**
 * A statement that is run many times with other values. On a database it is prepared on each connection at its first use there;
 * on a transaction on that one's, and it ends with it. It holds no connection.
 */
export class PreparedStatement implements AsyncDisposable {
  readonly #setup: PreparedStatementSetup;
  #closed = false;

  constructor(setup: PreparedStatementSetup) {
    this.#setup = setup;
  }

  // Those of the owner never throw, so nothing is to be awaited here: each promise more would cost every run.

  /** As `query` of the database. */
  query<T extends object = Row>(params?: QueryParams, options?: QueryOptions): Promise<T[]> {
    return this.#closed ? this.#refused() : this.#setup.owner.query<T>(this.#setup.sql, params, prepared(options));
  }

  /** As `queryOne` of the database. */
  queryOne<T extends object = Row>(params?: QueryParams, options?: QueryOptions): Promise<T | undefined> {
    return this.#closed ? this.#refused() : this.#setup.owner.queryOne<T>(this.#setup.sql, params, prepared(options));
  }

  /** As `queryOneOrThrow` of the database. */
  queryOneOrThrow<T extends object = Row>(params?: QueryParams, options?: QueryOptions): Promise<T> {
    if (this.#closed) return this.#refused();
    return this.#setup.owner.queryOneOrThrow<T>(this.#setup.sql, params, prepared(options));
  }

  /** As `execute` of the database. */
  execute(params?: QueryParams, options?: QueryOptions): Promise<ExecuteResult> {
    return this.#closed ? this.#refused() : this.#setup.owner.execute(this.#setup.sql, params, prepared(options));
  }

  /** As `stream` of the database; on PostgreSQL it is prepared for this one stream. */
  stream<T extends object = Row>(params?: QueryParams, options?: QueryOptions): RowStream<T> {
    if (this.#closed) throw this.#refusal();
    return this.#setup.owner.stream<T>(this.#setup.sql, params, prepared(options));
  }

  /**
   * Refuses further use with `DBM_CLOSED`, and has it freed on each connection before the next statement there. Does nothing the
   * second time. Another of the same text goes on; it is prepared again.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#setup.forget();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #refused(): Promise<never> {
    return Promise.reject(this.#refusal());
  }

  #refusal(): DbManagerError {
    const { connectionName } = this.#setup;
    return new DbManagerError('DBM_CLOSED', 'the prepared statement is closed', { connectionName });
  }
}

/** What is no object is passed on, to be refused where all options are. */
function prepared(options: QueryOptions | undefined): QueryOptions {
  if (options === undefined) return PREPARED;
  const isObject = typeof options === 'object' && options !== null && !Array.isArray(options);
  return isObject ? { ...options, prepared: true } : options;
}

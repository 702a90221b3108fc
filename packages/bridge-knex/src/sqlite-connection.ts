import type { Readable } from 'node:stream';
import {
  type BridgeTarget,
  PinnedSource,
  type Row,
  type SqlEngine,
  type SqlSession,
  type Statement,
  type StatementResult,
} from '@dbmanager/core';
import type { Checkout } from './checkouts.js';
import type { KnexConnection } from './knex-client.js';

const COMMIT = /^\s*(?:commit|end)\b/i;
const SETS_FOREIGN_KEYS = /^\s*pragma\s+foreign_keys\s*[=(]/i;

const NOTHING_DONE: StatementResult = { rows: [], rowsAffected: 0, lastInsertId: 0 };

/** What the SQLite dialect sends its statements to. */
export interface KnexSqliteConnection extends KnexConnection {
  /** Runs one statement, after those before it; one that Knex may give up (`abortable`) is then not run any more. */
  query(sql: string, params: readonly unknown[], abortable: boolean): Promise<StatementResult>;
  stream(sql: string, params: readonly unknown[]): AsyncIterable<Row>;
  /** Tells that `source` reads from a stream of this connection for `reader`. */
  reading(reader: Readable, source: Readable): void;
}

/**
 * What Knex takes for its SQLite connection: a logical one, since Knex borrows before it knows the statement. Reads run on
 * a reader; the first statement that is none takes the writer, which then stays until the connection is given back.
 */
export class SqliteConnection implements Checkout, KnexSqliteConnection {
  __knexUid?: string;
  __knex__disposed?: unknown;
  readonly #source: PinnedSource<unknown>;
  readonly #session: SqlSession;
  #abort: AbortController | undefined;
  /** What `foreign_keys` was before this connection changed it. */
  #foreignKeys: unknown;
  /** Streams that are being read, with their ends. */
  readonly #readings = new Map<Readable, Promise<void>>();
  /** The last statement; settles after all before it. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(target: BridgeTarget, sql: SqlEngine<unknown>) {
    this.#source = new PinnedSource(target);
    this.#session = sql.session(this.#source);
  }

  get connection(): this {
    return this;
  }

  async query(sql: string, params: readonly unknown[], abortable: boolean): Promise<StatementResult> {
    const result = this.#dispatch({ sql, params }, abortable ? this.#signal() : undefined);
    this.#last = result.catch(() => {}); // the caller has the error
    return result;
  }

  stream(sql: string, params: readonly unknown[]): AsyncIterable<Row> {
    return this.#session.stream({ sql, params }, { signal: this.#signal() });
  }

  reading(reader: Readable, source: Readable): void {
    const closed = new Promise<void>((resolve) => source.once('close', resolve));
    this.#readings.set(reader, closed);
    void closed.then(() => this.#readings.delete(reader));
  }

  release(error: unknown): void {
    if (this.#foreignKeys === undefined) this.#giveBack(error);
    else
      void this.#restoreForeignKeys().then(
        () => this.#giveBack(error),
        (reason: unknown) => this.#throwAway(reason),
      );
  }

  discard(reason: unknown): void {
    this.#abort?.abort(reason);
    void this.#last.then(() => this.#throwAway(reason));
  }

  #signal(): AbortSignal {
    this.#abort ??= new AbortController();
    return this.#abort.signal;
  }

  async #dispatch(statement: Statement, signal: AbortSignal | undefined): Promise<StatementResult> {
    // A reader that left early may go on before its stream is closed, and an open one refuses writes.
    for (const [reader, closed] of this.#readings) if (reader.destroyed) await closed;
    if (COMMIT.test(statement.sql)) {
      await this.#session.commit(); // unlike the bare statement it tells when the outcome is not known
      return NOTHING_DONE;
    }
    if (SETS_FOREIGN_KEYS.test(statement.sql)) this.#foreignKeys ??= await this.#readForeignKeys();
    return this.#session.query(statement, signal === undefined ? undefined : { signal });
  }

  async #readForeignKeys(): Promise<unknown> {
    const { rows } = await this.#session.query({ sql: 'pragma foreign_keys' });
    return rows[0]?.foreign_keys;
  }

  /**
   * Knex switches foreign keys off while it rebuilds a table, and for `enforceForeignCheck: false` does not wait until
   * they are on again before it gives the connection back: whoever writes next must not run without them.
   */
  async #restoreForeignKeys(): Promise<void> {
    await this.#session.query({ sql: `pragma foreign_keys = ${this.#foreignKeys}` });
  }

  #giveBack(error: unknown): void {
    this.#session.release(error);
    this.#source.release(error);
  }

  #throwAway(reason: unknown): void {
    this.#session.release(reason);
    this.#source.discard(reason);
  }
}

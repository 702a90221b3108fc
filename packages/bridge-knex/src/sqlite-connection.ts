import type { Readable } from 'node:stream';
import type { BridgeTarget, Row, SqlEngine, SqlSession, StatementResult } from '@dbmanager/core';
import type { Checkout } from './checkouts.js';
import type { KnexConnection } from './knex-client.js';
import { PinnedSource } from './pinned-source.js';

const CONTROL = /^\s*(?:(begin)|(commit|end)|(rollback)(?!\s+(?:transaction\s+)?to))\b/i;
const SETS_FOREIGN_KEYS = /^\s*pragma\s+foreign_keys\s*[=(]/i;

const NOTHING_DONE: StatementResult = { rows: [], rowsAffected: 0, lastInsertId: 0 };

/**
 * What Knex takes for its SQLite connection: a logical one, since Knex borrows before it knows the statement. Reads run on
 * a reader; the first statement that is none takes the writer, which then stays until the connection is given back.
 */
export class SqliteConnection implements Checkout, KnexConnection {
  __knexUid?: string;
  __knex__disposed?: unknown;
  readonly #source: PinnedSource<unknown>;
  readonly #session: SqlSession;
  readonly #abort = new AbortController();
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

  /** Runs one statement; BEGIN, COMMIT and ROLLBACK are the session's own, so that BEGIN takes the write lock at once. */
  async query(sql: string, params: readonly unknown[]): Promise<StatementResult> {
    const result = this.#dispatch(sql, params);
    this.#last = result.catch(() => {}); // the caller has the error
    return result;
  }

  stream(sql: string, params: readonly unknown[]): AsyncIterable<Row> {
    return this.#session.stream({ sql, params }, { signal: this.#abort.signal });
  }

  /** Tells that `source` reads from a stream of this connection for `reader`. */
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
    this.#abort.abort(reason);
    // A statement that Knex gave up waiting for was queueing, or had not begun: better-sqlite3 runs them in one go. The
    // connection is as good as before; any other reason says that it is not.
    const timedOut = (reason as { readonly name?: unknown } | null)?.name === 'KnexTimeoutError';
    void this.#last.then(() => (timedOut ? this.release(undefined) : this.#throwAway(reason)));
  }

  note(summary: string): void {
    this.#source.note(summary);
  }

  async #dispatch(sql: string, params: readonly unknown[]): Promise<StatementResult> {
    // A reader that left early may go on before its stream is closed, and an open one refuses writes.
    for (const [reader, closed] of this.#readings) if (reader.destroyed) await closed;
    const [control, begin, commit] = CONTROL.exec(sql) ?? [];
    if (control !== undefined) {
      if (begin !== undefined) await this.#session.begin({ signal: this.#abort.signal });
      else if (commit !== undefined) await this.#session.commit();
      else await this.#session.rollback();
      return NOTHING_DONE;
    }
    if (SETS_FOREIGN_KEYS.test(sql)) this.#foreignKeys ??= await this.#readForeignKeys();
    return this.#session.query({ sql, params }, { signal: this.#abort.signal });
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
    await new Promise((resolve) => setImmediate(resolve)); // Knex's own restoring has been sent by then
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

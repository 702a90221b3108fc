import {
  type BridgeTarget,
  NotSqlDatabaseError,
  PinnedSource,
  type Row,
  type SqlSession,
  type Statement,
  type StatementResult,
} from '@dbmanager/core';

/** What a query runner sends its statements to. */
export interface Statements {
  query(statement: Statement): Promise<StatementResult>;
  stream(statement: Statement): AsyncIterable<Row>;
  /** Gives everything back. */
  release(): Promise<void>;
}

const COMMIT = /^\s*(?:commit|end)\b/i;
const SETS_FOREIGN_KEYS = /^\s*pragma\s+foreign_keys\s*[=(]/i;

const NOTHING_DONE: StatementResult = { rows: [], rowsAffected: 0, lastInsertId: undefined };

/**
 * The connection of one query runner, a logical one: reads run on a reader; the first statement that is none takes the
 * writer, which then stays until the runner is released.
 */
export class SqliteCheckout implements Statements {
  readonly #source: PinnedSource<unknown>;
  readonly #session: SqlSession;
  /** What `foreign_keys` was before this connection changed it. */
  #foreignKeys: unknown;

  constructor(target: BridgeTarget) {
    const { sql } = target.engine;
    if (sql === undefined) throw new NotSqlDatabaseError(target.name, 'TypeORM');
    this.#source = new PinnedSource(target);
    this.#session = sql.session(this.#source);
  }

  async query(statement: Statement): Promise<StatementResult> {
    if (COMMIT.test(statement.sql)) {
      await this.#session.commit(); // unlike the bare statement it tells when the outcome is not known
      return NOTHING_DONE;
    }
    if (SETS_FOREIGN_KEYS.test(statement.sql)) this.#foreignKeys ??= await this.#readForeignKeys();
    return this.#session.query(statement);
  }

  stream(statement: Statement): AsyncIterable<Row> {
    return this.#session.stream(statement);
  }

  async release(): Promise<void> {
    try {
      await this.#restoreForeignKeys();
      this.#session.release();
      this.#source.release();
    } catch (error) {
      this.#session.release(error);
      this.#source.discard(error);
    }
  }

  async #readForeignKeys(): Promise<unknown> {
    const { rows } = await this.#session.query({ sql: 'PRAGMA foreign_keys' });
    return rows[0]?.foreign_keys;
  }

  /** TypeORM switches foreign keys off for migrations, and does not switch them on again after one that failed. */
  async #restoreForeignKeys(): Promise<void> {
    if (this.#foreignKeys === undefined) return;
    await this.#session.rollback(); // inside a transaction the pragma does nothing
    await this.#session.query({ sql: `PRAGMA foreign_keys = ${this.#foreignKeys}` });
  }
}

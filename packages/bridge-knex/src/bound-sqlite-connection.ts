import type { Row, SqlSession, StatementResult, TransactionTarget } from '@dbmanager/core';
import type { KnexSqliteConnection } from './sqlite-connection.js';

/** What Knex takes for its SQLite connection inside a transaction of ours. */
export class BoundSqliteConnection implements KnexSqliteConnection {
  __knexUid?: string;
  readonly #session: SqlSession;

  constructor(tx: TransactionTarget) {
    this.#session = tx.session;
  }

  query(sql: string, params: readonly unknown[]): Promise<StatementResult> {
    return this.#session.query({ sql, params });
  }

  stream(sql: string, params: readonly unknown[]): AsyncIterable<Row> {
    return this.#session.stream({ sql, params });
  }

  /** The transaction waits for its streams by itself. */
  reading(): void {}
}

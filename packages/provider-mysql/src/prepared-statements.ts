import { KeptStatements } from '@dbmanager/provider-server';
import type { MysqlConnection } from './mysql-driver.js';

/** Statements that are remembered to be prepared on a connection; mysql2 keeps fewer, as `statement_cache_size` says. */
const MOST_KNOWN = 1_000;
/** How the same text may have been asked for: mysql2 keeps one statement for each. */
const WAYS = [{ rowsAsArray: false }, { rowsAsArray: true }, {}];

/**
 * Statements that somebody prepared and may close. mysql2 keeps every statement with parameters prepared on its connection until
 * others take its place; this frees those that were closed before.
 */
export class PreparedStatements {
  readonly #kept = new KeptStatements<MysqlConnection>(MOST_KNOWN);

  /** Notes that it is prepared on a connection. */
  keep(connection: MysqlConnection, sql: string): void {
    this.#kept.keep(connection, sql);
  }

  /** Frees a statement on every connection, before what comes next there. */
  forget(sql: string): void {
    this.#kept.forget(sql);
  }

  /** Frees what is not wanted any more on a connection. There is nothing to wait for: the server does not answer. */
  free(connection: MysqlConnection): void {
    for (const { sql } of this.#kept.takeUnwanted(connection)) {
      for (const way of WAYS) connection.unprepare({ sql, ...way } as never);
    }
  }
}

import { type KeptStatement, KeptStatements } from '@dbmanager/provider-server';
import { type PgClient, wireOf } from './pg-driver.js';

/** Statements that a connection keeps. */
const MOST_KEPT = 100;

/**
 * Statements that the server keeps parsed, by name, on each connection. pg has a named statement parsed at its first use on a
 * connection and remembers there that it was; it never frees one.
 */
export class PreparedStatements {
  readonly #kept = new KeptStatements<PgClient>(MOST_KEPT);

  /** The name of a statement on a connection; it is never another's there. */
  name(client: PgClient, sql: string): string {
    return nameOf(this.#kept.keep(client, sql));
  }

  /** True when it had been sent there before the last time that its name was asked for. */
  hadBeenSent(client: PgClient, sql: string): boolean {
    return (this.#kept.peek(client, sql)?.uses ?? 0) > 1;
  }

  /** Frees a statement on every connection, before what comes next there. */
  forget(sql: string): void {
    this.#kept.forget(sql);
  }

  /** The same on one connection. */
  forgetOn(client: PgClient, sql: string): void {
    this.#kept.forgetOn(client, sql);
  }

  /**
   * Frees what is not wanted any more on a connection, with the statement that is sent next: there is nothing to wait for, as
   * Close does not fail, also for a name that there is not and in an aborted transaction.
   */
  free(client: PgClient): void {
    for (const statement of this.#kept.takeUnwanted(client)) {
      const name = nameOf(statement);
      const wire = wireOf(client);
      wire.close({ type: 'S', name });
      delete wire.parsedStatements[name];
    }
  }
}

function nameOf({ number }: KeptStatement): string {
  return `dbm_${number}`;
}

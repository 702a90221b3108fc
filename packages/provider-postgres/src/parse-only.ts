import { statementError } from './errors.js';
import { type PgClient, type PgConnection, untilReady } from './pg-driver.js';

/**
 * Has the server parse a statement and nothing more: its syntax, the names in it and the types of its parameters (PostgreSQL
 * protocol, "Extended Query": Parse and Sync). It leaves nothing behind but the unnamed statement, which the next one replaces.
 */
export async function parseOnly(client: PgClient, sql: string, connectionName: string): Promise<boolean> {
  try {
    await new Promise<void>((resolve, reject) => {
      client.query(new ParseRequest(sql, resolve, reject) as never);
    });
    return true;
  } catch (error) {
    // After an error the server's ReadyForQuery is still on its way.
    await untilReady(client);
    throw statementError(error, connectionName);
  }
}

/** What pg submits; it calls `handleError`, also when the connection dies, or else `handleReadyForQuery`. */
class ParseRequest {
  readonly #text: string;
  readonly handleReadyForQuery: () => void;
  readonly handleError: (error: unknown) => void;

  constructor(text: string, parsed: () => void, failed: (error: unknown) => void) {
    this.#text = text;
    this.handleReadyForQuery = parsed;
    this.handleError = failed;
  }

  submit(connection: PgConnection): null {
    connection.stream.cork();
    connection.parse({ text: this.#text });
    connection.sync();
    connection.stream.uncork();
    return null;
  }
}

import type { TestServerEndpoint } from './describe-with-server.js';
import { UrlEndpoint } from './url-endpoint.js';

/** Its own console, a database that it serves itself. */
const CONSOLE = 'pgbouncer';

/** Administers a running PgBouncer, over a short connection of its own to its console for each call. Needs the package `pg`. */
export class PgbouncerEndpoint extends UrlEndpoint<string> implements TestServerEndpoint {
  /** @param url of a user that may use the console, with any database. */
  constructor(url: string) {
    super(url, 6432, 'postgres');
  }

  async version(): Promise<string> {
    const [row] = await this.command('SHOW VERSION');
    return String(row?.version).replace(/^PgBouncer /, '');
  }

  /** Runs a command of the console. */
  async command(command: string): Promise<Record<string, unknown>[]> {
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: this.url(CONSOLE), ssl: false });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(command)).rows;
    } finally {
      await client.end();
    }
  }

  /** How many clients have `database` open. */
  async clients(database: string): Promise<number> {
    return (await this.command('SHOW CLIENTS')).filter((client) => client.database === database).length;
  }

  /** Ends every connection of `database`, to clients and to the server. */
  async endConnections(database: string): Promise<void> {
    const name = `"${database.replaceAll('"', '""')}"`;
    await this.command(`KILL ${name}`);
    await this.command(`RESUME ${name}`);
  }
}

import type { TestServerEndpoint } from './describe-with-server.js';

/** Its own console, a database that it serves itself. */
const CONSOLE = 'pgbouncer';

/** Administers a running PgBouncer, over a short connection of its own to its console for each call. Needs the package `pg`. */
export class PgbouncerEndpoint implements TestServerEndpoint {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly #url: string;

  /** @param url of a user that may use the console, with any database. */
  constructor(url: string) {
    const { hostname, port, username, password } = new URL(url);
    this.#url = url;
    this.host = hostname;
    this.port = port === '' ? 6432 : Number(port);
    this.user = decodeURIComponent(username);
    this.password = decodeURIComponent(password);
  }

  /** The URL of a database behind it. */
  url(database = 'postgres'): string {
    const url = new URL(this.#url);
    url.pathname = `/${encodeURIComponent(database)}`;
    return url.href;
  }

  /** Host, port, user, password and database as the YAML of a connection has them. */
  connection(database = 'postgres') {
    const { host, port, user, password } = this;
    return { host, port, user, password, database };
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

import { randomUUID } from 'node:crypto';
import type { TestServerEndpoint } from './describe-with-server.js';
import { UrlEndpoint } from './url-endpoint.js';

type Rows = Record<string, unknown>[];

/** A connection as the server lists it. */
export interface MariadbThread {
  readonly id: number;
  /** `Sleep` for an idle one, `Query` for one at work. */
  readonly command: string;
  /** What runs; null when nothing does. */
  readonly info: string | null;
}

/**
 * Administers a running MariaDB or MySQL over a short connection of its own for each call, so that nothing it does shows
 * in the pools under test. Needs the package `mysql2`.
 */
export class MariadbEndpoint extends UrlEndpoint implements TestServerEndpoint {
  /** @param url of a superuser, with any database or none. */
  constructor(url: string) {
    super(url, 3306, undefined);
  }

  /** Runs a statement as superuser; the `?` in it are replaced by values. */
  async query(sql: string, params: readonly unknown[] = [], database?: string): Promise<Rows> {
    const { default: mysql } = await import('mysql2/promise');
    const { host, port, user, password } = this;
    const client = await mysql.createConnection({ host, port, user, password, database: database ?? '' });
    try {
      const [rows] = await client.query(sql, [...params]);
      return rows as Rows;
    } finally {
      await client.end();
    }
  }

  async version(): Promise<string> {
    const [row] = await this.query('SELECT VERSION() AS version');
    return String(row?.version);
  }

  /** Creates an empty database and gives its name, unlike any other unless one is given. */
  async createDatabase(name = `test_${randomUUID().replaceAll('-', '')}`): Promise<string> {
    await this.query('CREATE DATABASE ??', [name]);
    return name;
  }

  /** Drops a database; the connections that are in it stay. */
  async dropDatabase(name: string): Promise<void> {
    await this.query('DROP DATABASE IF EXISTS ??', [name]);
  }

  /** Connections that clients have open in `database`. */
  async threads(database: string): Promise<MariadbThread[]> {
    const sql = 'SELECT id, command, info FROM information_schema.processlist WHERE db = ? ORDER BY id';
    const rows = await this.query(sql, [database]);
    return rows.map(({ id, command, info }) => ({ id, command, info }) as MariadbThread);
  }

  /** Ends one connection, and waits until it has gone. */
  async kill(id: number): Promise<void> {
    await this.query('KILL ?', [id]).catch(ignoreUnknownThread);
    const gone = async () => {
      const [row] = await this.query('SELECT COUNT(*) AS n FROM information_schema.processlist WHERE id = ?', [id]);
      return Number(row?.n) === 0;
    };
    while (!(await gone()));
  }

  /** Ends the connections of `database` whose command is `command`, or all; waits until they have gone. Gives their number. */
  async killAll(database: string, command?: 'Sleep' | 'Query'): Promise<number> {
    const threads = await this.threads(database);
    const chosen = threads.filter((thread) => command === undefined || thread.command === command);
    for (const { id } of chosen) await this.kill(id);
    return chosen.length;
  }
}

/** 1094: it has ended by itself meanwhile. */
function ignoreUnknownThread(error: { readonly errno?: number }): void {
  if (error.errno !== 1094) throw error;
}

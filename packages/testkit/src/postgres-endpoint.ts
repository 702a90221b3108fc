import { randomUUID } from 'node:crypto';
import type { TestServerEndpoint } from './describe-with-server.js';
import { UrlEndpoint } from './url-endpoint.js';

/** Rows as pg gives them. */
type Rows = Record<string, unknown>[];

/**
 * Administers a running PostgreSQL over a short connection of its own for each call, so that nothing it does shows in
 * the pools under test. Needs the package `pg`.
 */
export class PostgresEndpoint extends UrlEndpoint<string> implements TestServerEndpoint {
  /** @param url of a superuser, with any database. */
  constructor(url: string) {
    super(url, 5432, 'postgres');
  }

  /** Runs a statement as superuser. */
  async query(sql: string, params: readonly unknown[] = [], database?: string): Promise<Rows> {
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: this.url(database), ssl: false });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql, [...params])).rows;
    } finally {
      await client.end();
    }
  }

  async version(): Promise<string> {
    const [row] = await this.query('SHOW server_version');
    return String(row?.server_version);
  }

  /** Creates an empty database and gives its name, unlike any other unless one is given. */
  async createDatabase(name = `test_${randomUUID().replaceAll('-', '')}`): Promise<string> {
    await this.query(`CREATE DATABASE "${name.replaceAll('"', '""')}"`);
    return name;
  }

  /** Drops a database, whoever is connected to it. */
  async dropDatabase(name: string): Promise<void> {
    await this.query(`DROP DATABASE IF EXISTS "${name.replaceAll('"', '""')}" WITH (FORCE)`);
  }

  /** Backends that clients have open in `database`, each with its state. */
  async backends(database: string): Promise<{ pid: number; state: string; query: string }[]> {
    const rows = await this.query(
      `SELECT pid, state, query FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend' ORDER BY pid`,
      [database],
    );
    return rows as { pid: number; state: string; query: string }[];
  }

  /** Terminates the backends of `database` that are in `state`, or all; waits until they have gone. Gives their number. */
  async terminateBackends(database: string, state?: 'idle' | 'active' | 'idle in transaction'): Promise<number> {
    const [row] = await this.query(
      `SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 5000))::int AS gone
         FROM pg_stat_activity WHERE datname = $1 AND ($2::text IS NULL OR state = $2)`,
      [database, state ?? null],
    );
    return Number(row?.gone);
  }
}

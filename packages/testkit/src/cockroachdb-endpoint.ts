import { PostgresEndpoint } from './postgres-endpoint.js';

/** Administers a CockroachDB, or the PostgreSQL that stands in for one. */
export class CockroachdbEndpoint extends PostgresEndpoint {
  override async dropDatabase(name: string): Promise<void> {
    if (!(await this.#isCockroachdb())) return super.dropDatabase(name);
    await this.query(`DROP DATABASE IF EXISTS "${name.replaceAll('"', '""')}" CASCADE`);
  }

  async #isCockroachdb(): Promise<boolean> {
    const [row] = await this.query('SELECT version() AS version');
    return String(row?.version).startsWith('CockroachDB');
  }
}

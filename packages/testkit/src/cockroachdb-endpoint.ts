import { PostgresEndpoint } from './postgres-endpoint.js';

/** What CockroachDB has, for schema tools made for it, and PostgreSQL has not. */
const STAND_IN = `
  create domain string as text;
  create schema crdb_internal;
  create sequence crdb_internal.rowids;
  create function unique_rowid() returns bigint language sql as $$ select nextval('crdb_internal.rowids') $$;
`;

/** Administers a CockroachDB, or the PostgreSQL that stands in for one. */
export class CockroachdbEndpoint extends PostgresEndpoint {
  override async createDatabase(name?: string): Promise<string> {
    const created = await super.createDatabase(name);
    if (!(await this.#isCockroachdb())) await this.query(STAND_IN, [], created);
    return created;
  }

  override async dropDatabase(name: string): Promise<void> {
    if (!(await this.#isCockroachdb())) return super.dropDatabase(name);
    await this.query(`DROP DATABASE IF EXISTS "${name.replaceAll('"', '""')}" CASCADE`);
  }

  async #isCockroachdb(): Promise<boolean> {
    const [row] = await this.query('SELECT version() AS version');
    return String(row?.version).startsWith('CockroachDB');
  }
}

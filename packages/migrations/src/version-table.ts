import { isDbManagerError, type SqlEngine, type SqlMigrations, type SqlSession, type Statement } from '@dbmanager/core';
import { numberPlaceholders } from '@dbmanager/database';
import type { Migration } from './migration.js';
import { MigrationError } from './migration-error.js';
import type { CurrentVersion, MigrationRecord } from './migration-history.js';

/** No version, as golang-migrate writes it in a row that is dirty. */
const NOTHING = -1n;
/** Statements of our own may wait for locks of schemas as long as it takes. */
const UNLIMITED = { timeoutMs: 0 };

/**
 * golang-migrate's table, with its one row, and beside it the history: what golang-migrate does not keep, and does not read.
 * Every method runs on the session it is given, in the transaction of that or without.
 */
export class VersionTable {
  readonly #sql: SqlEngine<unknown>;
  readonly #migrations: SqlMigrations;
  readonly #connectionName: string;
  /** As it was configured. */
  readonly #name: string;
  readonly #parts: readonly string[];
  readonly #historyParts: readonly string[];
  readonly #table: string;
  readonly #history: string;
  readonly #lockParts: readonly string[];
  /** The table of the row that is locked where nothing else can be, quoted. */
  readonly lock: string;

  /** @param name the table's, with its schema and a dot before it or without. */
  constructor(sql: SqlEngine<unknown>, migrations: SqlMigrations, connectionName: string, name: string) {
    this.#sql = sql;
    this.#migrations = migrations;
    this.#connectionName = connectionName;
    this.#name = name;
    this.#parts = name.split('.');
    this.#historyParts = this.#beside('history');
    this.#lockParts = this.#beside('lock');
    this.#table = this.#quoted(this.#parts);
    this.#history = this.#quoted(this.#historyParts);
    this.lock = this.#quoted(this.#lockParts);
  }

  /** Creates what is not there. Rejects with `DBM_MIGRATION_TABLE`, having created nothing, when the table is another tool's. */
  async create(session: SqlSession): Promise<void> {
    if (await this.#has(session, this.#parts)) {
      await this.read(session);
    } else {
      const { type } = this.#migrations.flag;
      await this.#run(
        session,
        `create table ${this.#table} (version bigint not null primary key, dirty ${type} not null)`,
      );
    }
    if (await this.#has(session, this.#historyParts)) return;
    const columns = [
      'version bigint not null primary key',
      'description varchar(255) not null',
      'checksum varchar(64) not null',
      'applied_at varchar(32) not null',
      'duration_ms bigint not null',
    ];
    await this.#run(session, `create table ${this.#history} (${columns.join(', ')})`);
  }

  /** Creates the table of {@link lock} with its one row. Several may do so at once. */
  async createLock(session: SqlSession): Promise<void> {
    const create = `create table ${this.lock} (id integer not null primary key, taken bigint not null)`;
    try {
      if (!(await this.#has(session, this.#lockParts))) await this.#run(session, create);
    } catch (error) {
      if (!(await this.#has(session, this.#lockParts))) throw error;
    }
    const { rows } = await session.query({ sql: `select id from ${this.lock}` }, UNLIMITED);
    if (rows.length > 0) return;
    await this.#run(session, `insert into ${this.lock} (id, taken) values (1, 0) on conflict do nothing`);
  }

  /** What the table says; nothing where there is none. Rejects with `DBM_MIGRATION_TABLE` when it is another tool's. */
  async read(session: SqlSession): Promise<CurrentVersion> {
    const rows = await this.#read(session, `select cast(version as char(20)) as version, dirty from ${this.#table}`);
    if (rows.length > 1) throw this.#foreign('it has several rows');
    const [row] = rows;
    if (row === undefined) return { version: undefined, dirty: false };
    const version = wholeNumber(row.version);
    if (version === undefined) throw this.#foreign('its version is no number');
    const dirty = row.dirty === true || Number(row.dirty) === 1;
    return { version: version === NOTHING ? undefined : version, dirty };
  }

  /** As {@link read}, but where there is no table yet that is no error. */
  async readIfThere(session: SqlSession): Promise<CurrentVersion> {
    return (await this.#has(session, this.#parts)) ? this.read(session) : { version: undefined, dirty: false };
  }

  /** What was applied, by version; nothing where there is no history. */
  async recordsIfThere(session: SqlSession): Promise<Map<bigint, MigrationRecord>> {
    return (await this.#has(session, this.#historyParts)) ? this.records(session) : new Map();
  }

  async records(session: SqlSession): Promise<Map<bigint, MigrationRecord>> {
    const rows = await this.#read(
      session,
      `select cast(version as char(20)) as version, description, checksum, applied_at, duration_ms from ${this.#history}`,
    );
    return new Map(
      rows.map((row) => {
        const version = wholeNumber(row.version) ?? NOTHING;
        const record: MigrationRecord = {
          version,
          description: String(row.description),
          checksum: String(row.checksum),
          appliedAt: new Date(String(row.applied_at)),
          durationMs: Number(row.duration_ms),
        };
        return [version, record];
      }),
    );
  }

  /** Puts the one row in place of what there is: none for a clean nothing, as golang-migrate does. */
  async write(session: SqlSession, { version, dirty }: CurrentVersion): Promise<void> {
    await this.#run(session, `delete from ${this.#table}`);
    if (version === undefined && !dirty) return;
    const { on, off } = this.#migrations.flag;
    await this.#run(
      session,
      `insert into ${this.#table} (version, dirty) values (${version ?? NOTHING}, ${dirty ? on : off})`,
    );
  }

  /** Writes into the history that a migration was applied. */
  async record(session: SqlSession, migration: Migration, durationMs: number): Promise<void> {
    await this.forget(session, migration.version);
    await this.#run(
      session,
      `insert into ${this.#history} (version, description, checksum, applied_at, duration_ms)
       values (${migration.version}, ?, ?, ?, ${Math.round(durationMs)})`,
      [migration.description.slice(0, 255), migration.checksum ?? '', new Date().toISOString()],
    );
  }

  async forget(session: SqlSession, version: bigint): Promise<void> {
    await this.#run(session, `delete from ${this.#history} where version = ${version}`);
  }

  /** Empties the history. */
  async forgetAll(session: SqlSession): Promise<void> {
    await this.#run(session, `delete from ${this.#history}`);
  }

  async #has(session: SqlSession, parts: readonly string[]): Promise<boolean> {
    const { rows } = await session.query(this.#migrations.hasTable(parts), UNLIMITED);
    return rows.length > 0;
  }

  async #read(session: SqlSession, sql: string) {
    try {
      return (await session.query({ sql }, UNLIMITED)).rows;
    } catch (error) {
      if (isDbManagerError(error) && (error.retryable || UNREADABLE.has(error.code))) throw error;
      throw this.#foreign('it cannot be read', error);
    }
  }

  async #run(session: SqlSession, sql: string, params?: readonly unknown[]): Promise<void> {
    await session.query(this.#statement(sql, params), UNLIMITED);
  }

  #statement(sql: string, params: readonly unknown[] | undefined): Statement {
    const { placeholders, lexis = {} } = this.#sql;
    const numbered = placeholders === 'question-mark' ? sql : numberPlaceholders(sql, lexis, placeholders).sql;
    return { sql: numbered, params };
  }

  /** The name of a table that belongs to it. */
  #beside(what: string): readonly string[] {
    return [...this.#parts.slice(0, -1), `${this.#parts.at(-1)}_${what}`];
  }

  #quoted(parts: readonly string[]): string {
    return parts.map((part) => this.#sql.quoteIdentifier(part)).join('.');
  }

  #foreign(why: string, cause?: unknown): MigrationError {
    const place = { connectionName: this.#connectionName, option: 'migrations_table' };
    const message = `${this.#name} is not the table of versions that golang-migrate has (version, dirty): ${why}`;
    return new MigrationError('DBM_MIGRATION_TABLE', message, cause === undefined ? place : { ...place, cause });
  }
}

/** What says nothing of the table's shape. */
const UNREADABLE: ReadonlySet<string> = new Set([
  'DBM_ABORTED',
  'DBM_CONNECTION_LOST',
  'DBM_TRANSACTION_ABORTED',
  'DBM_PERMISSION_DENIED',
]);

function wholeNumber(value: unknown): bigint | undefined {
  const text = String(value).trim();
  return /^-?\d+$/.test(text) ? BigInt(text) : undefined;
}

/**
 * A thousand migrations of a new database, against the same statements by hand over the driver: each table in a transaction of
 * its own where the engine's DDL allows, alone and with the row of versions that golang-migrate writes before and after each.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sharedMariadb, sharedPostgres } from '@dbmanager/testkit';
import Sqlite from 'better-sqlite3';
import { ConnectionManager } from 'dbmanager';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { type Comparison, main } from './harness.ts';
import { wantedEngines } from './support/wanted-engines.ts';

const COUNT = 1_000;
const VERSIONS = 'create table schema_migrations (version bigint not null primary key, dirty boolean not null)';

/** A connection of the driver itself. */
interface Hand {
  run(sql: string): Promise<unknown>;
  close(): Promise<unknown>;
}

/** A database of one round. */
interface Place {
  /** The connection as the manager takes it. */
  readonly config: { readonly type: string; readonly dsn?: string; readonly filepath?: string };
  hand(): Promise<Hand>;
  drop(): Promise<void>;
}

/** An engine that is migrated. */
interface MigratedEngine {
  readonly name: string;
  readonly title: string;
  /** Schema changes are rolled back with their transaction. */
  readonly transactions: boolean;
  place(): Promise<Place>;
}

const folder = mkdtempSync(join(tmpdir(), 'dbm-bench-'));
const statementsOf = (version: number) => [
  `create table t_${version} (id integer primary key, name varchar(50))`,
  `insert into t_${version} values (1, 'a;b')`,
];
for (let version = 1; version <= COUNT; version++) {
  writeFileSync(join(folder, `${version}_t.up.sql`), `${statementsOf(version).join(';\n')};\n`);
}

let files = 0;
const SQLITE: MigratedEngine = {
  name: 'sqlite',
  title: 'SQLite',
  transactions: true,
  async place() {
    const filepath = join(folder, `${files++}.db`);
    return {
      config: { type: 'sqlite', filepath },
      async hand() {
        const database = new Sqlite(filepath);
        database.pragma('journal_mode = wal');
        database.pragma('synchronous = normal');
        return { run: async (sql) => database.exec(sql), close: async () => database.close() };
      },
      drop: async () => rmSync(filepath),
    };
  },
};

const POSTGRES: MigratedEngine = {
  name: 'postgres',
  title: 'PostgreSQL',
  transactions: true,
  async place() {
    const server = await sharedPostgres();
    const database = await server.createDatabase();
    const dsn = server.url(database);
    return {
      config: { type: 'postgres', dsn },
      async hand() {
        const client = new pg.Client(dsn);
        await client.connect();
        return { run: (sql) => client.query(sql), close: () => client.end() };
      },
      drop: () => server.dropDatabase(database),
    };
  },
};

const MARIADB: MigratedEngine = {
  name: 'mariadb',
  title: 'MariaDB',
  transactions: false,
  async place() {
    const server = await sharedMariadb();
    const database = await server.createDatabase();
    const dsn = server.url(database);
    return {
      config: { type: 'mariadb', dsn },
      async hand() {
        const connection = await mysql.createConnection(dsn);
        return { run: (sql) => connection.query(sql), close: () => connection.end() };
      },
      drop: () => server.dropDatabase(database),
    };
  },
};

async function byHand(run: Hand['run'], transactions: boolean): Promise<void> {
  for (let version = 1; version <= COUNT; version++) {
    if (transactions) await run('begin');
    for (const sql of statementsOf(version)) await run(sql);
    if (transactions) await run('commit');
  }
}

async function withVersions(run: Hand['run']): Promise<void> {
  const write = async (version: number, dirty: boolean) => {
    for (const sql of ['begin', 'delete from schema_migrations']) await run(sql);
    await run(`insert into schema_migrations values (${version}, ${dirty})`);
    await run('commit');
  };
  await run(VERSIONS);
  for (let version = 1; version <= COUNT; version++) {
    await write(version, true);
    for (const sql of statementsOf(version)) await run(sql);
    await write(version, false);
  }
}

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function comparisonOn({ title, transactions, place }: MigratedEngine): Comparison {
  const hand = (work: (run: Hand['run']) => Promise<void>) => async () => {
    const own = await place();
    const { run, close } = await own.hand();
    const ms = await milliseconds(() => work(run));
    await close();
    await own.drop();
    return ms;
  };
  const managed = async () => {
    const own = await place();
    const manager = ConnectionManager.from({ connections: { primary: { ...own.config, migrations_path: folder } } });
    await manager.connect();
    const ms = await milliseconds(() => manager.migrations().up());
    await manager.close();
    await own.drop();
    return ms;
  };
  return {
    title: `${COUNT} migrations on ${title}`,
    unit: 'ms',
    better: 'lower',
    against: 'by hand, with a row of versions',
    subjects: [
      { name: 'by hand, with a row of versions', round: hand(withVersions) },
      { name: 'by hand, the statements alone', round: hand((run) => byHand(run, transactions)) },
      { name: 'dbmanager, up()', round: managed },
    ],
  };
}

try {
  await main(wantedEngines([SQLITE, POSTGRES, MARIADB]).map(comparisonOn));
} finally {
  rmSync(folder, { recursive: true });
}

/**
 * Select by key and insert by the Database API, as texts with parameters and prepared, against the drivers used as they are:
 * pg.Pool, mysql2's pool, better-sqlite3. `--engine NAME` runs one of postgres, mariadb, sqlite; `--json` keeps the last.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sharedMariadb, sharedPostgres } from '@dbmanager/testkit';
import Sqlite from 'better-sqlite3';
import type { Connection } from 'dbmanager';
import { createPool, type Pool } from 'mysql2/promise';
import pg from 'pg';
import { CONNECTIONS, measureQueries, type OwnPool, type QueryBench, type Way } from './support/query-bench.ts';
import { createTables, ROWS } from './support/query-tables.ts';
import { wantedEngines } from './support/wanted-engines.ts';

const SELECT = 'select id, name from items where id = ?';
const INSERT = 'insert into log (item, note) values (?, ?)';

/** `Database.query` with a pool of the driver's own beside it, and `prepare()` with the driver's way of that. */
function ways(alone: string, plain: () => OwnPool, prepared: () => OwnPool): Way[] {
  return [
    {
      name: 'Database.query',
      alone,
      own: plain,
      managed: (connection: Connection) => ({
        select: (id) => connection.database().query(SELECT, [id]),
        insert: (item) => connection.database().execute(INSERT, [item, 'a note']),
      }),
    },
    {
      name: 'Database.prepare',
      alone: `${alone}, prepared`,
      own: prepared,
      managed(connection: Connection) {
        const db = connection.database();
        const [select, insert] = [db.prepare(SELECT), db.prepare(INSERT)];
        return { select: (id) => select.query([id]), insert: (item) => insert.execute([item, 'a note']) };
      },
    },
  ];
}

async function onPostgres(): Promise<void> {
  const server = await sharedPostgres();
  const database = await server.createDatabase();
  const url = server.url(database);
  const own = (names: { select?: string; insert?: string }) => (): OwnPool => {
    const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
    const select = 'select id, name from items where id = $1';
    const insert = 'insert into log (item, note) values ($1, $2)';
    return {
      select: (id) => pool.query(names.select === undefined ? select : { name: names.select, text: select }, [id]),
      insert: (item) =>
        pool.query(names.insert === undefined ? insert : { name: names.insert, text: insert }, [item, 'a note']),
      close: () => pool.end(),
    };
  };
  try {
    await createTables((sql) => server.query(sql, [], database), 'bigserial');
    await measureQueries({
      engine: 'PostgreSQL',
      version: await server.version(),
      rows: ROWS,
      config: { type: 'postgres', dsn: url },
      ways: ways('pg.Pool alone', own({}), own({ select: 's', insert: 'i' })),
    });
  } finally {
    await server.dropDatabase(database);
  }
}

async function onMariadb(): Promise<void> {
  const server = await sharedMariadb();
  const database = await server.createDatabase();
  const { host, port, user, password } = server;
  const place = { host, port, user, password, database };
  // Both of ours are prepared, as every statement with parameters is there.
  type Send = (pool: Pool, sql: string, values: (number | string)[]) => Promise<unknown>;
  const own = (send: Send) => (): OwnPool => {
    const pool = createPool({ ...place, connectionLimit: CONNECTIONS });
    return {
      select: (id) => send(pool, SELECT, [id]),
      insert: (item) => send(pool, INSERT, [item, 'a note']),
      close: () => pool.end(),
    };
  };
  try {
    await createTables((sql) => server.query(sql, [], database), 'bigint auto_increment');
    await measureQueries({
      engine: 'MariaDB',
      version: await server.version(),
      rows: ROWS,
      config: { type: 'mariadb', ...place },
      ways: ways(
        'mysql2 pool alone',
        own((pool, sql, values) => pool.query(sql, values)),
        own((pool, sql, values) => pool.execute(sql, values)),
      ),
    });
  } finally {
    await server.dropDatabase(database);
  }
}

async function onSqlite(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'dbm-bench-'));
  const filepath = join(folder, 'bench.db');
  const open = () => {
    const database = new Sqlite(filepath);
    database.pragma('journal_mode = wal');
    database.pragma('synchronous = normal');
    return database;
  };
  const own = (prepared: boolean) => (): OwnPool => {
    const database = open();
    const [select, insert] = [database.prepare(SELECT), database.prepare(INSERT)];
    // Awaited, as in a service.
    return {
      select: async (id) => (prepared ? select : database.prepare(SELECT)).all(id),
      insert: async (item) => (prepared ? insert : database.prepare(INSERT)).run(item, 'a note'),
      close: async () => database.close(),
    };
  };
  const bench: Omit<QueryBench, 'version'> = {
    engine: 'SQLite',
    rows: ROWS,
    config: { type: 'sqlite', filepath },
    operations: 20_000,
    ways: ways('better-sqlite3 alone', own(false), own(true)),
  };
  try {
    const database = open();
    const { version } = database.prepare('select sqlite_version() as version').get() as { version: string };
    await createTables(async (sql) => void database.exec(sql), 'integer');
    database.close();
    await measureQueries({ ...bench, version });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const ENGINES = [
  { name: 'postgres', run: onPostgres },
  { name: 'mariadb', run: onMariadb },
  { name: 'sqlite', run: onSqlite },
];

for (const { run } of wantedEngines(ENGINES)) await run();

import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describeWithPostgres, POSTGRES_SERVER, type PostgresEndpoint } from '@dbmanager/testkit';
import * as jest from '@jest/globals';
import type { MigrationStep } from 'dbmanager';
import { testManager } from './test-manager.js';

const { afterAll, beforeAll, describe, expect, it } = jest;
const schema = `
  create table users (id integer primary key, name text not null); -- a comment; with a semicolon
  insert into users (name) values ('Ada;'), ('Grace');
`;

describe('testManager', () => {
  it('gives one connection on an empty database in memory', async () => {
    await using db = await testManager();
    expect(db.getDefault()).toMatchObject({ name: 'main', type: 'sqlite', state: 'ready' });
    expect(await db.getDefaultDatabase().query('select name from sqlite_master')).toEqual([]);
  });

  it('makes the schema from a text with several statements', async () => {
    await using db = await testManager({ schema });
    expect(await db.getDefault().knex()('users').pluck('name')).toEqual(['Ada;', 'Grace']);
  });

  it('makes the schema by a function', async () => {
    await using db = await testManager({
      schema: (connection) => connection.knex().schema.createTable('notes', (table) => table.increments()),
    });
    expect(await db.getDefault().knex()('notes')).toEqual([]);
  });

  it('makes the schema by migrations', async () => {
    const migrations = await mkdtemp(join(tmpdir(), 'dbmanager-testing-'));
    await writeFile(join(migrations, '1_users.up.sql'), 'create table users (id integer primary key);');
    try {
      await using db = await testManager({ schema: { migrations } });
      expect(await db.getDefault().knex()('users')).toEqual([]);
    } finally {
      await rm(migrations, { recursive: true });
    }
  });

  it('has all that the application has besides', async () => {
    const keys = { kv_create_table: true, cache_enabled: true };
    await using db = await testManager({ schema, connections: { main: keys } });
    const main = db.getDefault();
    await main.kv<number>().set('ada', 1);
    expect(await main.kv<number>().get('ada')).toBe(1);
    const { rateLimits } = main.stores();
    await main.stores().createTables();
    expect(await rateLimits.consume('login', 1, '1m')).toMatchObject({ allowed: true, remaining: 0 });
    const users = main.repository<{ id: number; name: string }>({
      table: 'users',
      columns: { id: 'integer', name: 'text' },
    });
    expect(await users.count({ name: 'Grace' })).toBe(1);
    const counted = () => main.database().queryOne('select count(*) as n from users', [], { cache: true });
    expect([await counted(), await counted()]).toEqual([{ n: 2 }, { n: 2 }]);
    expect(main.queryCache?.stats().hits).toBe(1);
    const up = async ({ db: scope }: MigrationStep) => {
      await scope.execute('drop table users');
    };
    await main.migrations({ migrations: [{ version: 1, description: 'no users', up }] }).up();
    await expect(counted()).rejects.toMatchObject({ code: 'DBM_SYNTAX' });
    expect(await db.metrics().scrape()).toContain('dbmanager_connections_total');
  });

  it('keeps two databases apart, of one manager and of two', async () => {
    await using db = await testManager({ connections: { one: { schema }, two: {} } });
    await using other = await testManager();
    expect(await db.get('one').database().query('select * from users')).toHaveLength(2);
    await expect(db.get('two').database().query('select * from users')).rejects.toThrow(/no such table/);
    await expect(other.getDefaultDatabase().query('select * from users')).rejects.toThrow(/no such table/);
  });

  it('reads beside the writer where it is asked to, in a file that goes with it', async () => {
    const db = await testManager({ schema, readers: true });
    const { filepath } = db.getDefault().config.options as unknown as { readonly filepath: string };
    const outside = db.getDefaultDatabase();
    await db.getDefault().transaction(async (tx) => {
      await tx.execute('delete from users');
      const lease = await db.getDefault().acquire({ lane: 'read' });
      lease.release();
    });
    expect(await outside.query('select * from users')).toEqual([]);
    expect(existsSync(filepath)).toBe(true);
    await db.close();
    expect(existsSync(dirname(filepath))).toBe(false);
  });

  it('rejects with what the schema failed with, and leaves nothing open', async () => {
    await expect(testManager({ schema: 'create tabel users (id integer)' })).rejects.toMatchObject({
      code: 'DBM_SYNTAX',
      connectionName: 'main',
    });
  });

  it('refuses a key that there is not', async () => {
    await expect(testManager({ connections: { main: { acquire_timeuot: '1s' } } })).rejects.toMatchObject({
      code: 'DBM_CONFIG_INVALID',
    });
  });
});

describe('testManager of a configuration', () => {
  let folder: string;
  let file: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dbmanager-testing-config-'));
    file = join(folder, 'dbmanager.yaml');
    await writeFile(
      file,
      `dbmanager:
  default_connection: primary
  connections:
    primary:
      type: postgres
      host: db.example
      user: app
      database: shop
      password: \${SHOP_PASSWORD}
      default_orm: knex
      max_open_conns: 7
      tags: { tier: gold }
    reports:
      type: mariadb
      host: db.example
      user: app
      database: reports
      startup: optional
    sessions:
      type: kv
      filepath: ./sessions
    documents:
      type: mongodb
      host: db.example
      database: docs
`,
    );
  });
  afterAll(() => rm(folder, { recursive: true }));
  const env = { SHOP_PASSWORD: 'secret' };

  it('has its connections by their names, on SQLite', async () => {
    await using db = await testManager({ fromConfig: file, env, on: 'sqlite', connections: { primary: { schema } } });
    expect([...db.getAll().values()].map(({ name, type }) => `${name}: ${type}`)).toEqual([
      'primary: sqlite',
      'reports: sqlite',
      'sessions: kv',
    ]);
    expect(db.getDefault().name).toBe('primary');
    expect(db.get('primary').config.options).toMatchObject({
      defaultOrm: 'knex',
      maxOpenConns: 7,
      tags: { tier: 'gold' },
    });
    expect(await db.getDefaultDatabase().handle<ReturnType<typeof db.getDefault>['knex']>()).toBeDefined();
    expect(await db.get('primary').database().query('select * from users')).toHaveLength(2);
    const sessions = db.get('sessions').kv();
    await sessions.set('ada', 1);
    expect(await sessions.get('ada')).toBe(1);
    expect(await readdir(folder)).toEqual(['dbmanager.yaml']);
  });

  it('takes options of the test before those of the file', async () => {
    await using db = await testManager({
      fromConfig: file,
      env,
      on: 'sqlite',
      connections: { primary: { max_open_conns: 3 } },
    });
    expect(db.get('primary').config.options).toMatchObject({ defaultOrm: 'knex', maxOpenConns: 3 });
  });

  it('refuses a name that is not in the file', async () => {
    const opening = testManager({ fromConfig: file, env, connections: { primry: {} } });
    await expect(opening).rejects.toMatchObject({ code: 'DBM_UNKNOWN_CONNECTION', connectionName: 'primry' });
  });
});

describeWithPostgres(
  'testManager on a server',
  (postgres: () => PostgresEndpoint) => {
    it('stands on a new database of the server that a variable names, which goes with it', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'dbmanager-testing-config-'));
      const file = join(folder, 'dbmanager.yaml');
      await writeFile(
        file,
        'dbmanager:\n  connections:\n    primary: { type: postgres, host: db.example, user: app, database: shop }\n',
      );
      const databases = async () =>
        (await postgres().query('select datname from pg_database')).map(({ datname }) => datname);
      const [variable] = POSTGRES_SERVER.kind.urlVariables;
      const { [variable]: given } = process.env;
      process.env[variable] = postgres().url();
      try {
        const db = await testManager({ fromConfig: file, schema: 'create table users (id serial primary key)' });
        const row = await db.getDefaultDatabase().queryOne<{ name: string }>('select current_database() as name');
        expect(db.getDefault().type).toBe('postgres');
        expect(await databases()).toContain(row?.name);
        await db.close();
        expect(await databases()).not.toContain(row?.name);
      } finally {
        if (given === undefined) delete process.env[variable];
        else process.env[variable] = given;
        await rm(folder, { recursive: true });
      }
    });
  },
  jest,
);

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BridgeTarget, Provider } from '@dbmanager/core';
import { createDatabase, type Database } from '@dbmanager/database';
import { FakeProvider, TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  bridgeTarget,
  COCKROACHDB,
  MARIADB,
  MSSQL,
  PGBOUNCER,
  POSTGRES,
  rejection,
  SQLITE,
  type SqlDatabase,
  type SqlTestEngine,
  until,
} from '../../../test/support/sql-engines.js';
import type { CodeMigration, MigrationProgress } from './migration.js';
import { Migrations, type MigrationsOptions, type RunOptions } from './migrations.js';
import { lockNumber } from './numbered-lock.js';

/** Files made for golang-migrate. */
const FOLDER = {
  '000001_create_users.up.sql':
    "-- users; and more\ncreate table users (id integer primary key, name varchar(50));\ninsert into users values (1, 'a;b');\n",
  '000001_create_users.down.sql': 'drop table users;',
  '000002_add_mail.up.sql': 'alter table users add mail varchar(50);',
  '000002_add_mail.down.sql': 'alter table users drop column mail;',
  '000010_create_orders.up.sql': 'create table orders (id integer primary key)',
  '000010_create_orders.down.sql': 'drop table orders',
  'README.md': 'no migration',
};
const ALL = [1n, 2n, 10n];
/** What the tests here may leave. */
const TABLES = ['schema_migrations', 'other'].flatMap((name) => [name, `${name}_history`, `${name}_lock`]);
TABLES.push('users', 'orders', 'numbers');

/** The type of golang-migrate's column `dirty`, and its values. */
const FLAG = { type: 'boolean', on: 'true', off: 'false' };
const BIT = { type: 'bit', on: '1', off: '0' };

/** What golang-migrate makes the number of its lock of, with blanks between, and how it takes that. */
function locksOfGo(engine: SqlTestEngine) {
  switch (engine) {
    case POSTGRES:
    case PGBOUNCER:
      return {
        names: "current_schema() || ' schema_migrations /' || current_database()",
        take: (id: number) => `select pg_advisory_xact_lock(${id})`,
        give: () => 'select 1',
      };
    case MARIADB:
      return {
        names: "concat(database(), ':schema_migrations')",
        take: (id: number) => `select get_lock('${id}', 10)`,
        give: (id: number) => `select release_lock('${id}')`,
      };
    case MSSQL:
      return {
        names: "schema_name() + ' ' + db_name()",
        take: (id: number) => `exec sp_getapplock @Resource = '${id}', @LockMode = 'Exclusive', @LockOwner = 'Session'`,
        give: (id: number) => `exec sp_releaseapplock @Resource = '${id}', @LockOwner = 'Session'`,
      };
    default:
      return undefined;
  }
}

for (const engine of [SQLITE, POSTGRES, PGBOUNCER, COCKROACHDB, MARIADB, MSSQL]) {
  const transactionalDdl = engine !== MARIADB && engine !== COCKROACHDB;
  const flag = engine === MSSQL ? BIT : FLAG;

  engine.describe('Migrations', () => {
    let files: SqlDatabase;
    let connection: TestConnection<unknown>;
    let target: BridgeTarget;
    let db: Database;
    let path: string;

    beforeAll(async () => {
      files = await engine.create();
    }, 60_000);

    afterAll(async () => {
      await files?.drop();
    });

    beforeEach(async () => {
      path = await mkdtemp(join(tmpdir(), 'dbmanager-migrations-'));
      connection = await files.open({ maxOpenConns: 8, acquireTimeoutMs: 10_000 });
      target = bridgeTarget(connection);
      db = createDatabase(target);
    });

    afterEach(async () => {
      await until(() => target.counts.inUse === 0 && target.counts.pending === 0);
      for (const table of TABLES) await db.execute(`drop table if exists ${table}`);
      await connection.close();
      await rm(path, { recursive: true });
    });

    async function write(contents: Readonly<Record<string, string>>): Promise<void> {
      await mkdir(path, { recursive: true });
      for (const [name, text] of Object.entries(contents)) await writeFile(join(path, name), text);
    }

    const migrations = (options: MigrationsOptions = {}) => new Migrations(target, { path, ...options });
    const inCode = (...code: CodeMigration[]) => new Migrations(target, { migrations: code });
    const rowsOfGo = () => db.query('select version, dirty from schema_migrations');
    const versionOf = async () => (await migrations().status()).version;

    async function hasTable(name: string): Promise<boolean> {
      return db.query(`select * from ${name}`).then(
        () => true,
        () => false,
      );
    }

    async function failure(promise: Promise<unknown>) {
      return (await rejection(promise)) as Error & { code: string; file?: string; line?: number; cause?: unknown };
    }

    describe('seeds 1: Migrations: a folder made for golang-migrate', () => {
      it('is applied in order of its numbers, and leaves its one row', async () => {
        await write(FOLDER);
        const applied = await migrations().up();
        expect(applied.map(({ version }) => version)).toEqual(ALL);
        expect(applied[0]).toMatchObject({ description: 'create_users', direction: 'up' });
        const [row, ...others] = await rowsOfGo();
        expect(others).toEqual([]);
        expect(Number(row?.version)).toBe(10);
        expect([false, 0]).toContain(row?.dirty);
        await expect(db.query('select id, name, mail from users')).resolves.toEqual([
          { id: 1, name: 'a;b', mail: null },
        ]);
        await expect(migrations().up()).resolves.toEqual([]);
      });

      it('that golang-migrate has applied to some version goes on from there', async () => {
        await write(FOLDER);
        await db.execute(
          `create table schema_migrations (version bigint not null primary key, dirty ${flag.type} not null)`,
        );
        await db.execute(`insert into schema_migrations values (2, ${flag.off})`);
        await expect(migrations().up()).resolves.toMatchObject([{ version: 10n }]);
        const { migrations: entries } = await migrations().status();
        expect(entries.map(({ state }) => state)).toEqual(['applied', 'applied', 'applied']);
      });

      it('whose later migrations golang-migrate has applied or taken back meanwhile is no drift', async () => {
        await write(FOLDER);
        await migrations().up({ steps: 1 });
        await db.execute('alter table users add mail varchar(50)');
        await db.execute('update schema_migrations set version = 2');
        await expect(migrations().verify()).resolves.toEqual([]);
        await expect(migrations().up()).resolves.toMatchObject([{ version: 10n }]);
        await db.execute('drop table orders');
        await db.execute('update schema_migrations set version = 2');
        await migrations().goto(2);
        const history = await db.query('select version from schema_migrations_history order by version');
        expect(history.map(({ version }) => Number(version))).toEqual([1, 2]);
        await expect(migrations().up()).resolves.toMatchObject([{ version: 10n }]);
      });

      it('that golang-migrate has left dirty is refused, and nothing is done', async () => {
        await write(FOLDER);
        await db.execute(
          `create table schema_migrations (version bigint not null primary key, dirty ${flag.type} not null)`,
        );
        await db.execute(`insert into schema_migrations values (-1, ${flag.on})`);
        await expect(failure(migrations().up())).resolves.toMatchObject({ code: 'DBM_MIGRATION_DIRTY' });
        await expect(migrations().status()).resolves.toMatchObject({ version: undefined, dirty: true });
        await expect(hasTable('users')).resolves.toBe(false);
      });

      it('keeps versions of 17 digits as they are', async () => {
        const version = '20240101120000123';
        await write({ [`${version}_t.up.sql`]: 'create table orders (id integer)', [`${version}_t.down.sql`]: '' });
        await migrations().up();
        await expect(versionOf()).resolves.toBe(BigInt(version));
        await migrations().down();
        await expect(rowsOfGo()).resolves.toEqual([]);
      });
    });

    describe('seeds 1: Migrations: up, down N, goto, force, status', () => {
      beforeEach(() => write(FOLDER));

      it('up takes as many steps as asked for, down one unless more', async () => {
        await migrations().up({ steps: 2 });
        await expect(versionOf()).resolves.toBe(2n);
        await expect(migrations().down()).resolves.toMatchObject([{ version: 2n, direction: 'down' }]);
        await migrations().up();
        await expect(migrations().down({ steps: 2 })).resolves.toMatchObject([{ version: 10n }, { version: 2n }]);
        await migrations().down({ steps: 9 });
        await expect(rowsOfGo()).resolves.toEqual([]);
        await expect(hasTable('users')).resolves.toBe(false);
        await expect(migrations().down()).resolves.toEqual([]);
      });

      it('goto goes either way, also to before the first', async () => {
        await migrations().goto(10);
        await migrations().goto(1n);
        await expect(versionOf()).resolves.toBe(1n);
        await expect(migrations().goto(1)).resolves.toEqual([]);
        await migrations().goto(null);
        await expect(versionOf()).resolves.toBeUndefined();
        await expect(failure(migrations().goto(3))).resolves.toMatchObject({ code: 'DBM_MIGRATION_SOURCE' });
      });

      it('status and plan tell what is and what would be, and change nothing', async () => {
        const { migrations: before, version } = await migrations().status();
        expect(version).toBeUndefined();
        expect(before.map(({ state }) => state)).toEqual(['pending', 'pending', 'pending']);
        const plan = await migrations().plan();
        expect(plan).toMatchObject([
          { version: 1n, statements: engine === MSSQL ? 1 : 2, transaction: transactionalDdl },
          {},
          {},
        ]);
        await expect(hasTable('schema_migrations')).resolves.toBe(false);
        await migrations().up({ steps: 2 });
        await expect(migrations().plan(1)).resolves.toMatchObject([{ version: 2n, direction: 'down' }]);
        const { migrations: after } = await migrations().status();
        expect(after.map(({ state }) => state)).toEqual(['applied', 'applied', 'pending']);
        expect(after[0]?.appliedAt?.getTime()).toBeGreaterThan(Date.now() - 60_000);
      });

      it('force sets the version and runs nothing', async () => {
        await migrations().force(2);
        await expect(versionOf()).resolves.toBe(2n);
        await expect(hasTable('users')).resolves.toBe(false);
        await migrations().force(null);
        await expect(rowsOfGo()).resolves.toEqual([]);
        await expect(failure(migrations().force(7))).resolves.toMatchObject({ code: 'DBM_MIGRATION_SOURCE' });
      });
    });

    it('seeds 3: Migrations: the table may have another name', async () => {
      await write(FOLDER);
      await migrations({ table: 'other' }).up();
      await expect(db.query('select cast(version as char(2)) as version from other')).resolves.toEqual([
        { version: '10' },
      ]);
      await expect(hasTable('other_history')).resolves.toBe(true);
      await expect(hasTable('schema_migrations')).resolves.toBe(false);
    });

    describe('seeds 1: Migrations: a broken file', () => {
      const BROKEN = {
        ...FOLDER,
        '000002_add_mail.up.sql': "insert into users values (2, 'x');\n\ninsert into nowhere values (1);",
      };

      it('leaves dirty=true, and what the schema of the engine lets it leave', async () => {
        await write(BROKEN);
        const error = await failure(migrations().up());
        expect(error).toMatchObject({ code: 'DBM_MIGRATION_FAILED', version: 2n, direction: 'up' });
        expect(error.message).toContain('000002_add_mail.up.sql');
        expect(error.line).toBe(3);
        expect(error.cause).toMatchObject({ connectionName: 'test' });
        const [row] = await rowsOfGo();
        expect(Number(row?.version)).toBe(2);
        expect([true, 1]).toContain(row?.dirty);
        const states = (await migrations().status()).migrations.map(({ state }) => state);
        expect(states).toEqual(['applied', 'dirty', 'pending']);
        await expect(migrations().verify()).resolves.toEqual([]);
        // It is data alone, which every engine rolls back.
        await expect(db.query('select id from users')).resolves.toEqual([{ id: 1 }]);
        await expect(hasTable('orders')).resolves.toBe(false);
      });

      it('keeps every further run from doing anything until it is forced, and then goes on', async () => {
        await write(BROKEN);
        await failure(migrations().up());
        for (const again of [migrations().up(), migrations().down(), migrations().goto(1)]) {
          await expect(failure(again)).resolves.toMatchObject({ code: 'DBM_MIGRATION_DIRTY' });
        }
        await write(FOLDER);
        await migrations().force(1);
        await expect(migrations().up()).resolves.toMatchObject([{ version: 2n }, { version: 10n }]);
      });

      it('of several changes of the schema is undone whole where the engine can', async () => {
        await write({ '1_t.up.sql': 'create table users (id integer); create table users (id integer);' });
        const [planned] = await migrations().plan();
        expect(planned?.transaction).toBe(transactionalDdl);
        await expect(failure(migrations().up())).resolves.toMatchObject({ code: 'DBM_MIGRATION_FAILED' });
        await expect(hasTable('users')).resolves.toBe(!transactionalDdl);
      });

      it('down leaves dirty the version that it led to, as golang-migrate has it', async () => {
        await write({ '1_t.up.sql': 'create table users (id integer)', '1_t.down.sql': 'drop table nowhere' });
        await migrations().up();
        await expect(failure(migrations().down())).resolves.toMatchObject({ direction: 'down' });
        await expect(rowsOfGo().then(([row]) => Number(row?.version))).resolves.toBe(-1);
        await expect(failure(migrations().up())).resolves.toMatchObject({ code: 'DBM_MIGRATION_DIRTY' });
      });
    });

    const suicide: Readonly<Record<string, string>> = {
      postgres: 'select pg_terminate_backend(pg_backend_pid())',
      mariadb: 'kill connection_id()',
    };
    const dying = suicide[engine.name];
    if (dying !== undefined) {
      it('a file whose connection is lost has not failed: of a transaction nothing is left', async () => {
        await write({ '1_a.up.sql': `create table users (id integer primary key); ${dying};` });
        await expect(failure(migrations().up())).resolves.toMatchObject({ code: 'DBM_CONNECTION_LOST' });
        const left = transactionalDdl ? { version: undefined, dirty: false } : { version: 1n, dirty: true };
        await expect(migrations().status()).resolves.toMatchObject(left);
        await expect(hasTable('users')).resolves.toBe(!transactionalDdl);
      });
    }

    describe('a file that ends its own transaction, or says that it needs none', () => {
      it.each([
        ['ends its own', `${engine.begin}; create table users (id integer); insert into users values (1); commit;`],
        ['says so', '-- dbmanager: no-transaction\ncreate table users (id integer); insert into users values (1);'],
      ])('%s', async (_what, text) => {
        await write({ '1_t.up.sql': text });
        await expect(migrations().plan()).resolves.toMatchObject([{ transaction: false }]);
        await migrations().up();
        await expect(db.query('select id from users')).resolves.toEqual([{ id: 1 }]);
      });

      it('fails before its COMMIT: nothing is left open', async () => {
        await write({ '1_t.up.sql': `${engine.begin}; insert into nowhere values (1); commit;` });
        await expect(failure(migrations().up())).resolves.toMatchObject({ code: 'DBM_MIGRATION_FAILED' });
        await expect(migrations().status()).resolves.toMatchObject({ version: 1n, dirty: true });
      });
    });

    describe('drift', () => {
      beforeEach(async () => {
        await write(FOLDER);
        await migrations().up({ steps: 2 });
      });

      it('seeds 2: Migrations: edited file: error', async () => {
        await write({ '000001_create_users.up.sql': 'create table users (id integer)' });
        await expect(migrations().verify()).resolves.toMatchObject([{ version: 1n, state: 'edited' }]);
        const error = await failure(migrations().up());
        expect(error).toMatchObject({ code: 'DBM_MIGRATION_DRIFT' });
        expect(error.message).toContain('1 create_users is edited');
        await expect(versionOf()).resolves.toBe(2n);
      });

      it('line ends of another system are none', async () => {
        const text = FOLDER['000001_create_users.up.sql'].replaceAll('\n', '\r\n');
        await write({ '000001_create_users.up.sql': text });
        await expect(migrations().verify()).resolves.toEqual([]);
      });

      it('missing file: error', async () => {
        await rm(join(path, '000001_create_users.up.sql'));
        await rm(join(path, '000001_create_users.down.sql'));
        await expect(migrations().verify()).resolves.toMatchObject([{ version: 1n, state: 'missing' }]);
        await expect(failure(migrations().up())).resolves.toMatchObject({ code: 'DBM_MIGRATION_DRIFT' });
      });

      it('a version of the database that is not among the files: error', async () => {
        await rm(join(path, '000002_add_mail.up.sql'));
        await rm(join(path, '000002_add_mail.down.sql'));
        await expect(failure(migrations().up())).resolves.toMatchObject({ code: 'DBM_MIGRATION_DRIFT' });
        await expect(failure(migrations().down())).resolves.toMatchObject({ code: 'DBM_MIGRATION_SOURCE' });
      });

      it('a file that came late, below what was applied: error', async () => {
        await migrations().up();
        await write({ '000005_late.up.sql': 'create table other (id integer)' });
        await expect(migrations().verify()).resolves.toMatchObject([{ version: 5n, state: 'late' }]);
        await expect(failure(migrations().up())).resolves.toMatchObject({ code: 'DBM_MIGRATION_DRIFT' });
        await expect(hasTable('other')).resolves.toBe(false);
      });

      it('is accepted by force, and does not keep from going down', async () => {
        await write({ '000001_create_users.up.sql': 'create table users (id integer)' });
        await migrations().force(2);
        await expect(migrations().verify()).resolves.toEqual([]);
        await write({ '000002_add_mail.up.sql': 'alter table users add mail varchar(99)' });
        await migrations().down();
        await expect(migrations().up({ steps: 1 })).resolves.toMatchObject([{ version: 2n }]);
        await expect(migrations().verify()).resolves.toEqual([]);
      });
    });

    describe('bad input', () => {
      it('duplicates, ways down without a way up, folders that are not there: nothing is half-written', async () => {
        const folders: Record<string, string>[] = [
          { '1_a.up.sql': 'select 1', '01_b.up.sql': 'select 1' },
          { '1_a.down.sql': 'select 1' },
          { '99999999999999999999_a.up.sql': 'select 1' },
          { '1_a.js': 'export default {}' },
        ];
        for (const folder of folders) {
          await rm(path, { recursive: true });
          await write(folder);
          await expect(failure(migrations().up())).resolves.toMatchObject({ code: 'DBM_MIGRATION_SOURCE' });
        }
        const fine: CodeMigration = { version: 1, description: 'fine', async up() {} };
        const wrong = [
          ...['x', -1, 1.5].map((version) => ({ ...fine, version })),
          { ...fine, down: 'drop table users' },
          { ...fine, description: undefined },
          { ...fine, transaction: 'no' },
          { ...fine, checksum: 5 },
          { ...fine, checksum: 'f'.repeat(65) },
          null,
        ] as CodeMigration[];
        for (const each of wrong) {
          await expect(failure(inCode(each).up())).resolves.toMatchObject({ code: 'DBM_MIGRATION_SOURCE' });
        }
        const nowhere = migrations({ path: join(path, 'nowhere') });
        await expect(failure(nowhere.status())).resolves.toMatchObject({ code: 'DBM_MIGRATION_SOURCE' });
        await expect(hasTable('schema_migrations')).resolves.toBe(false);
      });

      it('a migration without a way down is not begun on the way to it', async () => {
        await write({ ...FOLDER, '000002_add_mail.down.sql': '' });
        await rm(join(path, '000001_create_users.down.sql'));
        await migrations().up();
        await expect(failure(migrations().goto(null))).resolves.toMatchObject({ code: 'DBM_MIGRATION_SOURCE' });
        await expect(versionOf()).resolves.toBe(10n);
      });

      it.each([
        ['of other columns', 'create table schema_migrations (filename varchar(99))', undefined],
        [
          'of versions that are no numbers',
          `create table schema_migrations (version varchar(99), dirty ${flag.type})`,
          `insert into schema_migrations values ('v1', ${flag.off})`,
        ],
        [
          'of a row for each version',
          `create table schema_migrations (version bigint, dirty ${flag.type})`,
          `insert into schema_migrations values (1, ${flag.off}), (2, ${flag.off})`,
        ],
      ])('a foreign schema_migrations table %s is left alone', async (_what, create, insert) => {
        await write(FOLDER);
        await db.execute(create);
        if (insert !== undefined) await db.execute(insert);
        const error = await failure(migrations().up());
        expect(error).toMatchObject({ code: 'DBM_MIGRATION_TABLE', option: 'migrations_table' });
        await expect(hasTable('users')).resolves.toBe(false);
        await expect(hasTable('schema_migrations_history')).resolves.toBe(false);
      });

      it('a file that is not in UTF-8 is refused, and its bytes get nowhere', async () => {
        await writeFile(
          join(path, '1_a.up.sql'),
          Buffer.from("create table users (name varchar(50) default 'Zoë')", 'latin1'),
        );
        await expect(failure(migrations().up())).resolves.toMatchObject({ code: 'DBM_MIGRATION_SOURCE' });
        await expect(hasTable('users')).resolves.toBe(false);
      });

      // What callers without types may give: each would have had all migrations applied.
      it.each<[what: string, option: string, options: unknown]>([
        ['a misspelt number of steps', 'step', { step: 1 }],
        ['steps that are no options', 'options', 1],
        ['a controller for a signal', 'signal', { signal: new AbortController() }],
        ['a listener that is no function', 'onProgress', { onProgress: true }],
      ])('%s is refused, and nothing is applied', async (_what, option, options) => {
        await write(FOLDER);
        const asked = [
          migrations().up(options as RunOptions),
          migrations().down(options as RunOptions),
          migrations().goto(10, options as RunOptions),
          migrations().force(10, options as RunOptions),
        ];
        for (const each of asked) {
          await expect(failure(each)).resolves.toMatchObject({ code: 'DBM_INVALID_OPTION', option });
        }
        await expect(hasTable('schema_migrations')).resolves.toBe(false);
      });

      it.each<[option: string, options: unknown]>([
        ['tabel', { tabel: 'versions' }],
        ['migrations_table', { table: 5 }],
        ['migrations_path', { path: 5 }],
        ['migrations', { migrations: {} }],
        ['migrations_lock_timeout', { lockTimeoutMs: Number.NaN }],
        ['migrations_lock_timeout', { lockTimeoutMs: '5s' }],
      ])('%s of the migrations is refused when it cannot be meant', (option, options) => {
        const refused = expect.objectContaining({ code: 'DBM_INVALID_OPTION', option });
        expect(() => migrations(options as MigrationsOptions)).toThrow(refused);
      });

      it('numbers of steps and names of tables that are none', async () => {
        await write(FOLDER);
        for (const steps of [0, -1, 1.5, Number.NaN]) {
          await expect(failure(migrations().up({ steps }))).resolves.toMatchObject({ code: 'DBM_INVALID_OPTION' });
        }
        expect(() => migrations({ table: 'a.b.c' })).toThrow(expect.objectContaining({ code: 'DBM_INVALID_OPTION' }));
        for (const version of [1.5, undefined, '1'] as number[]) {
          await expect(failure(migrations().goto(version))).resolves.toMatchObject({ code: 'DBM_INVALID_OPTION' });
          await expect(failure(migrations().force(version))).resolves.toMatchObject({ code: 'DBM_INVALID_OPTION' });
        }
      });
    });

    describe('seeds 2: Migrations: {version, description, up, down} in code too', () => {
      const users: CodeMigration = {
        version: 5,
        description: 'two users',
        async up({ db }) {
          await db.execute('insert into users (id, name) values (?, ?), (?, ?)', [5, 'x', 6, 'y']);
        },
        async down({ db }) {
          await db.execute('delete from users where id > ?', [4]);
        },
      };

      it('are ordered among those of the folder, and are part of the history', async () => {
        await write(FOLDER);
        const both = migrations({ migrations: [users] });
        await both.up();
        await expect(db.query('select count(*) as n from users').then(([row]) => Number(row?.n))).resolves.toBe(3);
        const { migrations: entries } = await both.status();
        expect(entries.map(({ version, state }) => [version, state])).toEqual(
          [1n, 2n, 5n, 10n].map((v) => [v, 'applied']),
        );
        await both.goto(2);
        await expect(db.query('select count(*) as n from users').then(([row]) => Number(row?.n))).resolves.toBe(1);
      });

      it('may be a module beside the files', async () => {
        const module = `export const description = 'of a module';
          export async function up({ db }) { await db.execute("insert into users (id, name) values (7, 'm')"); }`;
        await write({ ...FOLDER, '7_module.mjs': module });
        await migrations().up();
        await expect(db.queryOne('select name from users where id = 7')).resolves.toEqual({ name: 'm' });
        await write({ '7_module.mjs': `${module}// edited` });
        await expect(migrations().verify()).resolves.toMatchObject([{ version: 7n, state: 'edited' }]);
      });

      it('that throw leave nothing of a transaction, and dirty', async () => {
        const thrown = new Error('no');
        const broken = inCode({
          version: 1,
          description: 'broken',
          transaction: true,
          async up({ transaction }) {
            await transaction?.execute('insert into numbers values (1)');
            throw thrown;
          },
        });
        await db.execute('create table numbers (n integer)');
        await expect(failure(broken.up())).resolves.toMatchObject({ code: 'DBM_MIGRATION_FAILED', cause: thrown });
        await expect(db.query('select n from numbers')).resolves.toEqual([]);
        await expect(broken.status()).resolves.toMatchObject({ version: 1n, dirty: true });
      });
    });

    describe('seeds 1: Migrations: two at once', () => {
      it('apply each step once', async () => {
        await write(FOLDER);
        const both = await Promise.all([migrations().up(), migrations().up()]);
        expect(
          both
            .flat()
            .map(({ version }) => version)
            .sort((a, b) => (a < b ? -1 : 1)),
        ).toEqual(ALL);
      });

      // On SQLite they wait in the pool already, for its one writer.
      if (engine !== SQLITE)
        it('the second gives up in time, and when it is told to', async () => {
          const entered = Promise.withResolvers<void>();
          const leave = Promise.withResolvers<void>();
          const slow = inCode({
            version: 1,
            description: 'slow',
            async up() {
              entered.resolve();
              await leave.promise;
            },
          });
          const first = slow.up();
          await entered.promise;
          try {
            const other = new Migrations(target, { migrations: [], lockTimeoutMs: 1 });
            await expect(failure(other.up())).resolves.toMatchObject({ code: 'DBM_MIGRATION_LOCKED', retryable: true });
            const controller = new AbortController();
            const waiting = failure(slow.up({ signal: controller.signal }));
            controller.abort();
            await expect(waiting).resolves.toMatchObject({ code: 'DBM_ABORTED' });
          } finally {
            leave.resolve();
            await first;
          }
        });
    });

    const theirs = locksOfGo(engine);
    if (theirs !== undefined)
      it('waits for golang-migrate itself, as it has the same lock', async () => {
        await write(FOLDER);
        const { names, take, give } = theirs;
        const [row] = await db.query<{ name: string }>(`select ${names} as name`);
        const number = lockNumber(String(row?.name).split(' '));
        const held = await db.begin();
        await held.execute(take(number));
        const impatient = migrations({ lockTimeoutMs: 1 });
        await expect(failure(impatient.up())).resolves.toMatchObject({ code: 'DBM_MIGRATION_LOCKED' });
        await held.execute(give(number));
        await held.rollback();
        await expect(impatient.up()).resolves.toHaveLength(3);
      });

    describe('a data migration of many rows', () => {
      const ROWS = engine === SQLITE ? 1_000_000 : 20_000;
      const BATCHES = 20;
      const fill: CodeMigration = { version: 1, description: 'fill', transaction: true, up: inBatches };

      async function inBatches({ db: tx, progress }: Parameters<CodeMigration['up']>[0]): Promise<void> {
        const size = ROWS / BATCHES;
        for (let batch = 1; batch <= BATCHES; batch++) {
          await tx.execute('update numbers set done = 1 where n > ? and n <= ?', [(batch - 1) * size, batch * size]);
          await progress(batch * size, ROWS);
        }
      }

      const done = async () => Number((await db.queryOne('select count(*) as n from numbers where done = 1'))?.n);

      beforeEach(async () => {
        await db.execute('create table numbers (n integer primary key, done integer not null default 0)');
        await db.execute(`insert into numbers (n) ${engine.series(ROWS)}`);
      });

      it('shows its progress', async () => {
        const shown: MigrationProgress[] = [];
        await inCode(fill).up({ onProgress: (progress) => shown.push(progress) });
        expect(shown).toHaveLength(BATCHES);
        expect(shown[BATCHES / 2 - 1]).toMatchObject({
          version: 1n,
          description: 'fill',
          direction: 'up',
          done: ROWS / 2,
          total: ROWS,
        });
        await expect(done()).resolves.toBe(ROWS);
      });

      it('is not harmed by who looks on', async () => {
        const onProgress = () => {
          throw new Error('nowhere to show it');
        };
        await expect(inCode({ ...fill, transaction: false }).up({ onProgress })).resolves.toHaveLength(1);
        await expect(done()).resolves.toBe(ROWS);
      });

      it('can be interrupted: nothing of it stays, and the next run is clean', async () => {
        const controller = new AbortController();
        const onProgress = (progress: MigrationProgress) => {
          if (progress.done === ROWS / 2) controller.abort();
        };
        const interrupted = inCode(fill).up({ signal: controller.signal, onProgress });
        await expect(failure(interrupted)).resolves.toMatchObject({ code: 'DBM_ABORTED' });
        await expect(done()).resolves.toBe(0);
        await expect(inCode(fill).status()).resolves.toMatchObject({ version: undefined, dirty: false });
        await inCode(fill).up();
        await expect(done()).resolves.toBe(ROWS);
      });

      it('without a transaction keeps what it has done when interrupted, and says so', async () => {
        const controller = new AbortController();
        const batches = inCode({ ...fill, transaction: false });
        const onProgress = () => controller.abort();
        await expect(failure(batches.up({ signal: controller.signal, onProgress }))).resolves.toMatchObject({
          code: 'DBM_ABORTED',
        });
        await expect(done()).resolves.toBe(ROWS / BATCHES);
        await expect(failure(batches.up())).resolves.toMatchObject({ code: 'DBM_MIGRATION_DIRTY' });
        await batches.force(null);
        await batches.up();
        await expect(done()).resolves.toBe(ROWS);
      });
    });

    it('are told to who keeps results before they are reported as applied', async () => {
      await write(FOLDER);
      let toldOf = 0;
      const told = async () => {
        toldOf = await db.query('select version from schema_migrations').then((rows) => Number(rows[0]?.version ?? 0));
      };
      const watched: BridgeTarget = Object.assign(bridgeTarget(connection), { writesTold: told });
      await new Migrations(watched, { path }).up();
      expect(toldOf).toBe(10);
    });

    it('that are neither in a folder nor in code are refused, not taken for none', async () => {
      const nowhere = new Migrations(target);
      for (const asked of [nowhere.up(), nowhere.status(), nowhere.plan(), nowhere.force(null)]) {
        await expect(rejection(asked)).resolves.toMatchObject({
          code: 'DBM_INVALID_OPTION',
          option: 'migrations_path',
        });
      }
      await expect(hasTable('schema_migrations')).resolves.toBe(false);
    });

    it('a pool of one connection is enough, unless a row is the lock, which takes a second one', async () => {
      const one = await files.open({ maxOpenConns: 1, acquireTimeoutMs: 5_000 });
      try {
        await write(FOLDER);
        const alone = new Migrations(bridgeTarget(one), { path });
        if (engine === COCKROACHDB) {
          await expect(failure(alone.up())).resolves.toMatchObject({ code: 'DBM_POOL_DEADLOCK' });
        } else {
          await expect(alone.up()).resolves.toHaveLength(3);
          await expect(alone.down({ steps: 3 })).resolves.toHaveLength(3);
        }
      } finally {
        await one.close();
      }
    });
  });
}

describe('Migrations of an engine that says nothing of them', () => {
  it('are refused, and nothing is held', async () => {
    const connection = await TestConnection.open<unknown, object>(new FakeProvider() as Provider);
    const target = bridgeTarget(connection);
    await expect(rejection(new Migrations(target).up())).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
    expect(target.counts.inUse).toBe(0);
    await connection.close();
  });
});

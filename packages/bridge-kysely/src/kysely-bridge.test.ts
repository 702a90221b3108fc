import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BridgeTarget } from '@dbmanager/core';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { CamelCasePlugin, type Generated, type Kysely, Kysely as KyselyClass, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import {
  bridgeTarget,
  COCKROACHDB,
  codeOf,
  MARIADB,
  MSSQL,
  PGBOUNCER,
  rejection,
  SQL_ENGINES,
  type SqlDatabase,
  until,
} from '../../../test/support/sql-engines.js';
import { kyselyBridge } from './kysely-bridge.js';
import { loadKysely } from './kysely-module.js';
import type { KyselyBridgeOptions } from './kysely-options.js';
import { sharedDialect } from './shared-dialects.js';

interface Database {
  items: { id: Generated<number>; name: string; amount: number };
}

/** What a driver says of a write where only reads are allowed. */
const READ_ONLY: Readonly<Record<string, string>> = {
  postgres: '25006',
  sqlite: 'SQLITE_READONLY',
  mariadb: 'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION',
  // It has no such transactions.
  mssql: 'DBM_UNSUPPORTED',
};

for (const engine of [...SQL_ENGINES, MARIADB, MSSQL, COCKROACHDB, PGBOUNCER]) {
  engine.describe('Kysely', () => {
    let database: SqlDatabase;
    let connection: TestConnection<unknown>;
    let target: BridgeTarget;
    let db: Kysely<Database>;

    function open(options?: KyselyBridgeOptions): Kysely<Database> {
      return kyselyBridge.open(target, options) as unknown as Kysely<Database>;
    }

    async function openConnection(options: object = {}): Promise<void> {
      connection = await database.open({ maxOpenConns: 4, acquireTimeoutMs: 5_000, ...options });
      target = bridgeTarget(connection);
      db = open();
    }

    async function names(on: Kysely<Database> = db): Promise<string[]> {
      return (await on.selectFrom('items').select('name').orderBy('id').execute()).map(({ name }) => name);
    }

    const insert = (name: string, on: Kysely<Database> = db) =>
      on.insertInto('items').values({ name, amount: 1 }).executeTakeFirstOrThrow();

    beforeAll(async () => {
      database = await engine.create();
      await openConnection();
      await sql`create table items (id ${sql.raw(engine.identityColumn)}, name varchar(50) unique,
        amount integer not null)`.execute(db);
      await connection.close();
    }, 60_000);

    afterAll(async () => {
      await database?.drop();
    });

    beforeEach(async () => {
      await openConnection();
      await db.deleteFrom('items').execute();
    });

    afterEach(async () => {
      await until(() => target.counts.inUse === 0 && target.counts.pending === 0);
      await connection.close();
    });

    describe('statements', () => {
      it('inserts, selects, updates and deletes', async () => {
        const { numInsertedOrUpdatedRows } = await insert('a');
        expect(numInsertedOrUpdatedRows).toBe(1n);
        await insert('b');
        const updated = await db.updateTable('items').set({ amount: 5 }).where('name', '=', 'a').executeTakeFirst();
        expect(updated.numUpdatedRows).toBe(1n);
        const deleted = await db.deleteFrom('items').where('name', '=', 'b').executeTakeFirst();
        expect(deleted.numDeletedRows).toBe(1n);
        await expect(db.selectFrom('items').select(['name', 'amount']).execute()).resolves.toEqual([
          { name: 'a', amount: 5 },
        ]);
      });

      if (engine.returning) {
        it('returns what an insert asks for', async () => {
          const insertion = db.insertInto('items').values({ name: 'a', amount: 3 });
          const asking =
            engine === MSSQL
              ? insertion.output(['inserted.name', 'inserted.amount'])
              : insertion.returning(['name', 'amount']);
          const row = await asking.executeTakeFirstOrThrow();
          expect(row).toEqual({ name: 'a', amount: 3 });
        });
      }

      it('passes errors of the driver on', async () => {
        await insert('a');
        expect(codeOf(await rejection(insert('a')))).toMatch(engine.uniqueViolation);
      });

      it('reads the tables of the database', async () => {
        const tables = await db.introspection.getTables();
        expect(tables.map(({ name }) => name)).toEqual(['items']);
      });

      it('takes plugins, for this handle only', async () => {
        const camel = open({ plugins: [new CamelCasePlugin()] });
        const column = sql<number>`1`.as('a_column');
        await expect(camel.selectNoFrom(column).execute()).resolves.toEqual([{ aColumn: 1 }]);
        await expect(db.selectNoFrom(column).execute()).resolves.toEqual([{ a_column: 1 }]);
      });

      it('migrates once, however many migrators run', async () => {
        let runs = 0;
        const migrations: Record<string, Migration> = {
          one: {
            async up(migrating: Kysely<unknown>) {
              runs++;
              await migrating.schema.createTable('migrated').addColumn('id', 'integer').execute();
            },
          },
        };
        const migrateOn = (on: Kysely<Database>) =>
          new Migrator({ db: on, provider: { getMigrations: async () => migrations } }).migrateToLatest();
        // A lock of a session would stay behind on a connection of the pooler.
        const pooled = engine === PGBOUNCER;
        if (pooled) await expect(migrateOn(db)).resolves.toMatchObject({ error: { code: 'DBM_UNSUPPORTED' } });
        const migrate = () => (pooled ? db.transaction().execute((trx) => migrateOn(trx)) : migrateOn(db));
        const results = await Promise.all([migrate(), migrate(), migrate()]);
        expect(results.map(({ error }) => error)).toEqual([undefined, undefined, undefined]);
        expect(runs).toBe(1);
        await db.schema.dropTable('migrated').execute();
        await db.schema.dropTable('kysely_migration').execute();
        await db.schema.dropTable('kysely_migration_lock').execute();
      });
    });

    describe('transactions', () => {
      it('commits when the callback resolves', async () => {
        await db.transaction().execute(async (trx) => {
          await insert('a', trx);
          await expect(names()).resolves.toEqual([]);
        });
        await expect(names()).resolves.toEqual(['a']);
      });

      it('rolls back when the callback throws', async () => {
        const failed = db.transaction().execute(async (trx) => {
          await insert('a', trx);
          throw new Error('no');
        });
        await expect(failed).rejects.toThrow('no');
        await expect(names()).resolves.toEqual([]);
      });

      it('takes an isolation level and an access mode', async () => {
        const reading = db.transaction().setIsolationLevel('serializable').setAccessMode('read only');
        if (engine !== MSSQL) await expect(reading.execute((trx) => names(trx))).resolves.toEqual([]);
        const refused = await rejection(reading.execute((trx) => insert('a', trx)));
        expect(refused.code).toBe(READ_ONLY[engine.name]);
      });

      it('has savepoints when it is controlled by hand', async () => {
        const trx = await db.startTransaction().execute();
        await insert('a', trx);
        const after = await trx.savepoint('a "b"').execute();
        await insert('b', after);
        await after.rollbackToSavepoint('a "b"').execute();
        await insert('c', after);
        await after.releaseSavepoint('a "b"').execute();
        await trx.commit().execute();
        await expect(names()).resolves.toEqual(['a', 'c']);
      });

      it('rolls back by hand', async () => {
        const trx = await db.startTransaction().execute();
        await insert('a', trx);
        await trx.rollback().execute();
        await expect(names()).resolves.toEqual([]);
      });

      it('tells at once that a query outside of it would wait for it', async () => {
        await connection.close();
        await openConnection({ maxOpenConns: 1 });
        for (const handle of [db, db.withSchema('public'), db.withoutPlugins()]) {
          const error = await rejection(handle.transaction().execute(() => insert('a')));
          expect(error).toMatchObject({ code: 'DBM_POOL_DEADLOCK' });
        }
        const reserved = db.connection().execute((one) => one.transaction().execute(() => insert('a')));
        await expect(rejection(reserved)).resolves.toMatchObject({ code: 'DBM_POOL_DEADLOCK' });
      });

      it('is not told so while it waits for others to begin', async () => {
        await connection.close();
        await openConnection({ maxOpenConns: 1 });
        await Promise.all(['a', 'b', 'c'].map((name) => db.transaction().execute((trx) => insert(name, trx))));
        await expect(names()).resolves.toEqual(['a', 'b', 'c']);
      });
    });

    describe('streams', () => {
      it('reads all rows in portions', async () => {
        const rows: number[] = [];
        const query = db
          .selectFrom(sql<{ n: number }>`(${sql.raw(engine.series(250))})`.as('s'))
          .select('n')
          .orderBy('n');
        for await (const { n } of query.stream(100)) rows.push(n);
        expect(rows).toHaveLength(250);
        expect(rows.at(-1)).toBe(250);
      });

      it('gives the connection back when the reader leaves early', async () => {
        const query = db.selectFrom(sql<{ n: number }>`(${sql.raw(engine.series(100_000))})`.as('s')).select('n');
        for await (const { n } of query.stream(10)) if (n === 15) break;
        await until(() => target.counts.inUse === 0);
        await insert('a');
      });

      it('passes on the error of a row', async () => {
        const query = db.selectFrom(sql<{ n: number }>`(${sql.raw(engine.failingSeries)})`.as('s')).select('n');
        const read = async () => {
          for await (const _ of query.stream(10));
        };
        await expect(read()).rejects.toThrow(engine.failure);
      });
    });

    describe('connections', () => {
      it('keeps one connection for the work of connection()', async () => {
        const mine = sql.table(engine === MSSQL ? '#mine' : 'mine');
        await db.connection().execute(async (one) => {
          await sql`create ${engine === MSSQL ? sql`` : sql`temporary`} table ${mine} (id integer)`.execute(one);
          await sql`insert into ${mine} values (1)`.execute(one);
          const { rows } = await sql<{ id: number }>`select id from ${mine}`.execute(one);
          expect(rows).toEqual([{ id: 1 }]);
          await sql`drop table ${mine}`.execute(one);
        });
      });

      it('goes on, with every other handle, when one is destroyed', async () => {
        const other = open();
        await names(other);
        await other.destroy();
        await expect(rejection(names(other))).resolves.toMatchObject({ code: 'DBM_CLOSED' });
        await expect(names()).resolves.toEqual([]);
      });

      it('serves another copy of Kysely, as an ORM brings it', async () => {
        const folder = await mkdtemp(join(tmpdir(), 'dbmanager-kysely-'));
        try {
          await cp(join('node_modules', 'kysely'), join(folder, 'node_modules', 'kysely'), { recursive: true });
          const other = loadKysely(join(folder, 'index.js'), 'a test', 'test');
          expect(other.Kysely).not.toBe(KyselyClass);
          const mixed = new KyselyClass<Database>({ dialect: sharedDialect(other, target) });
          await mixed.transaction().execute((trx) => insert('a', trx));
          await expect(names(mixed)).resolves.toEqual(['a']);
          await expect(mixed.introspection.getTables()).resolves.toMatchObject([{ name: 'items' }]);
          await mixed.destroy();
          await expect(names()).resolves.toEqual(['a']);
        } finally {
          await rm(folder, { recursive: true });
        }
      });

      it('refuses a dialect', () => {
        expect(() => open({ dialect: {} } as KyselyBridgeOptions)).toThrow(
          expect.objectContaining({ code: 'DBM_INVALID_OPTION', option: 'dialect' }),
        );
      });

      it('times out when the pool stays full', async () => {
        await connection.close();
        await openConnection({ maxOpenConns: 1, acquireTimeoutMs: 250 });
        // Connecting may take longer.
        const lease = await target.acquire({ lane: 'write', timeoutMs: 5_000 });
        await expect(rejection(insert('a'))).resolves.toMatchObject({ code: 'DBM_ACQUIRE_TIMEOUT' });
        lease.release();
      });

      it('waits no longer for a connection than its signal lets it', async () => {
        await connection.close();
        await openConnection({ maxOpenConns: 1 });
        const lease = await target.acquire({ lane: 'write' });
        const controller = new AbortController();
        const waiting = rejection(db.deleteFrom('items').execute({ signal: controller.signal }));
        await until(() => target.counts.pending === 1);
        controller.abort(new Error('enough'));
        await expect(waiting).resolves.toMatchObject({ message: expect.stringContaining('enough') });
        lease.release();
      });
    });
  });
}

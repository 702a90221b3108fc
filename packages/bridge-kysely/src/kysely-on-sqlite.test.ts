import type { BridgeTarget } from '@dbmanager/core';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { type Kysely, sql } from 'kysely';
import { bridgeTarget, rejection, SQLITE, type SqlDatabase, until } from '../../../test/support/sql-engines.js';
import { kyselyBridge } from './kysely-bridge.js';

SQLITE.describe('Kysely', () => {
  let database: SqlDatabase;
  let connection: TestConnection<unknown>;
  let target: BridgeTarget;
  let db: Kysely<{ numbers: { id: number } }>;

  beforeAll(async () => {
    database = await SQLITE.create();
  });

  afterAll(async () => {
    await database.drop();
  });

  beforeEach(async () => {
    connection = await database.open({ maxOpenConns: 3, acquireTimeoutMs: 1_000 });
    target = bridgeTarget(connection);
    db = kyselyBridge.open(target) as unknown as typeof db;
    await db.schema
      .createTable('numbers')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .execute();
  });

  afterEach(async () => {
    await db.schema.dropTable('numbers').execute();
    await until(() => target.counts.inUse === 0);
    await connection.close();
  });

  const insert = (id: number, on: Pick<typeof db, 'insertInto'> = db) =>
    on.insertInto('numbers').values({ id }).executeTakeFirstOrThrow();

  const ids = async () => (await db.selectFrom('numbers').selectAll().execute()).map(({ id }) => id);

  it('gives integers that a number cannot hold as bigints, and the id of the last insert', async () => {
    const { rows } = await sql`select 9007199254740993 as big, 1 as small`.execute(db);
    expect(rows).toEqual([{ big: 9007199254740993n, small: 1 }]);
    await expect(insert(7)).resolves.toEqual({ insertId: 7n, numInsertedOrUpdatedRows: 1n });
  });

  it('reads beside a write that is under way', async () => {
    await db.transaction().execute(async (trx) => {
      await insert(1, trx);
      await expect(ids()).resolves.toEqual([]);
    });
    await expect(ids()).resolves.toEqual([1]);
  });

  it('keeps the writer for the work of connection() once it has written', async () => {
    await db.connection().execute(async (one) => {
      await insert(41, one);
      const { rows } = await sql<{ id: number }>`select last_insert_rowid() as id`.execute(one);
      expect(rows).toEqual([{ id: 41 }]);
      expect(target.counts.inUse).toBe(1);
    });
  });

  it('puts foreign keys back that a statement, or the work of connection(), switched off', async () => {
    const foreignKeys = async (on: typeof db = db) => {
      const { rows } = await sql<{ foreign_keys: number }>`pragma foreign_keys`.execute(on);
      return rows[0]?.foreign_keys;
    };
    await sql`pragma foreign_keys = off`.execute(db);
    await expect(foreignKeys()).resolves.toBe(1);
    await db.connection().execute(async (one) => {
      await sql`PRAGMA foreign_keys(0)`.execute(one);
      await expect(foreignKeys(one)).resolves.toBe(0);
    });
    await expect(foreignKeys()).resolves.toBe(1);
  });

  it('never goes on outside a transaction that SQLite has rolled back', async () => {
    await insert(1);
    const swallowing = db.transaction().execute(async (trx) => {
      await rejection(sql`insert or rollback into numbers values (1)`.execute(trx));
      await rejection(insert(2, trx));
    });
    await expect(rejection(swallowing)).resolves.toMatchObject({ code: 'DBM_TRANSACTION_ABORTED' });
    await expect(ids()).resolves.toEqual([1]);
  });

  it('streams row by row', async () => {
    let seen = 0;
    for await (const _ of db
      .selectFrom(sql`(${sql.raw(SQLITE.series(1e12))})`.as('s'))
      .selectAll()
      .stream()) {
      if (++seen === 100) break;
    }
    expect(seen).toBe(100);
  });

  it('runs on a database in memory', async () => {
    await using alone = await database.open({ filepath: ':memory:' });
    const memory = kyselyBridge.open(bridgeTarget(alone));
    await sql`create table t (id integer)`.execute(memory);
    await Promise.all([1, 2, 3].map((id) => sql`insert into t values (${id})`.execute(memory)));
    await expect(sql`select count(*) as n from t`.execute(memory)).resolves.toMatchObject({ rows: [{ n: 3 }] });
  });
});

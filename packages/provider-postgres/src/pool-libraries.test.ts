import { Secret } from '@dbmanager/core';
import { describeWithPostgres, TestConnection } from '@dbmanager/testkit';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
// @ts-expect-error it comes without types
import connectPgSimple from 'connect-pg-simple';
import { eq } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { integer, pgTable, text } from 'drizzle-orm/pg-core';
import session from 'express-session';
import { Kysely, PostgresDialect } from 'kysely';
import { PgBoss } from 'pg-boss';
// @ts-expect-error it comes without types
import Cursor from 'pg-cursor';
import type { PgClient, PgPool } from './pg-driver.js';
import { postgresProvider } from './postgres-provider.js';

const people = pgTable('people', { id: integer().primaryKey(), name: text().notNull() });

describeWithPostgres('libraries that take a pg.Pool', (postgres) => {
  let database: string;
  let connection: TestConnection<PgClient>;
  let pool: PgPool;

  beforeEach(async () => {
    database = await postgres().createDatabase();
    const { password, ...rest } = postgres().connection(database);
    const options = { ...rest, password: new Secret(password), maxOpenConns: 3, sslmode: 'disable' as const };
    connection = await TestConnection.open(postgresProvider, options);
    pool = connection.engine.native?.(connection.lanes) as PgPool;
    await pool.query('CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL)');
  });

  afterEach(async () => {
    expect(connection.lanes.counts.inUse).toBe(0);
    expect((await postgres().backends(database)).length).toBeLessThanOrEqual(3);
    await connection.close();
    expect(await postgres().backends(database)).toEqual([]);
    await postgres().dropDatabase(database);
  });

  it('run Drizzle: queries, transactions that commit, roll back and nest, on one connection each', async () => {
    const db = drizzle(pool);
    await db.insert(people).values({ id: 1, name: 'Ada' });
    await db.transaction(async (tx) => {
      await tx.insert(people).values({ id: 2, name: 'Grace' });
      await tx
        .transaction(async (inner) => {
          await inner.insert(people).values({ id: 3, name: 'Nobody' });
          inner.rollback();
        })
        .catch(() => undefined);
      expect(connection.lanes.counts.inUse).toBe(1);
    });
    const undone = db.transaction(async (tx) => {
      await tx.insert(people).values({ id: 4, name: 'Nobody' });
      throw new Error('undo');
    });
    await expect(undone).rejects.toThrow('undo');
    expect(await db.select().from(people).orderBy(people.id)).toEqual([
      { id: 1, name: 'Ada' },
      { id: 2, name: 'Grace' },
    ]);
    expect(await db.select().from(people).where(eq(people.id, 2))).toEqual([{ id: 2, name: 'Grace' }]);
  });

  it('run Kysely: queries, transactions, streams; destroy() only detaches', async () => {
    const db = new Kysely<{ people: { id: number; name: string } }>({
      dialect: new PostgresDialect({ pool, cursor: Cursor }),
    });
    await db
      .insertInto('people')
      .values([1, 2, 3].map((id) => ({ id, name: `p${id}` })))
      .execute();
    await db.transaction().execute(async (tx) => {
      await tx.updateTable('people').set({ name: 'changed' }).where('id', '=', 1).execute();
    });
    const undone = db.transaction().execute(async (tx) => {
      await tx.deleteFrom('people').execute();
      throw new Error('undo');
    });
    await expect(undone).rejects.toThrow('undo');
    const names: string[] = [];
    for await (const { name } of db.selectFrom('people').select('name').orderBy('id').stream(2)) names.push(name);
    for await (const _row of db.selectFrom('people').select('name').stream(1)) break;
    expect(names).toEqual(['changed', 'p2', 'p3']);
    await db.destroy();
    expect(
      await connection.lanes.acquire().then(async (lease) => {
        const { rows } = await lease.connection.query('SELECT count(*)::int AS count FROM people');
        lease.release();
        return rows;
      }),
    ).toEqual([{ count: 3 }]);
  });

  it('run pg-boss: a job is sent, worked and done', async () => {
    const boss = new PgBoss({
      db: { executeSql: (sql, values) => pool.query(sql, values) },
      supervise: false,
      schedule: false,
    });
    await boss.start();
    try {
      await boss.createQueue('mail');
      const worked = Promise.withResolvers<unknown>();
      await boss.work('mail', { pollingIntervalSeconds: 0.5 }, async ([job]) => worked.resolve(job?.data));
      const id = (await boss.send('mail', { to: 'ada' })) as string;
      expect(await worked.promise).toEqual({ to: 'ada' });
      expect(id).toEqual(expect.any(String));
    } finally {
      await boss.stop({ graceful: true, timeout: 5_000 });
    }
  });

  it('run connect-pg-simple: a session is kept, touched, read and destroyed', async () => {
    const Store = connectPgSimple(session);
    const store = new Store({ pool, createTableIfMissing: true, pruneSessionInterval: false });
    const call = (method: string, ...args: unknown[]) =>
      new Promise((resolve, reject) => {
        store[method](...args, (error: unknown, value: unknown) => (error ? reject(error) : resolve(value)));
      });
    const cookie = { maxAge: 60_000, expires: new Date(Date.now() + 60_000) };
    await call('set', 'sid', { cookie, user: 'ada' });
    await call('touch', 'sid', { cookie });
    expect(await call('get', 'sid')).toMatchObject({ user: 'ada' });
    await call('destroy', 'sid');
    expect(await call('get', 'sid')).toBeUndefined();
    await store.close();
  });
});

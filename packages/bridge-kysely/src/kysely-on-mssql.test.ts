import type { BridgeTarget } from '@dbmanager/core';
import { createDatabase } from '@dbmanager/database';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import { type Kysely, sql } from 'kysely';
import { bridgeTarget, MSSQL, rejection, type SqlDatabase, until } from '../../../test/support/sql-engines.js';
import { kyselyBridge } from './kysely-bridge.js';

interface Database {
  accounts: { id: number; n: number };
}

MSSQL.describe('Kysely, for what only SQL Server has,', () => {
  let database: SqlDatabase;
  let connection: TestConnection<unknown>;
  let target: BridgeTarget;
  let db: Kysely<Database>;

  async function openConnection(options: object = {}): Promise<void> {
    connection = await database.open({ maxOpenConns: 4, acquireTimeoutMs: 5_000, ...options });
    target = bridgeTarget(connection);
    db = kyselyBridge.open(target) as unknown as Kysely<Database>;
  }

  const ids = async () => (await db.selectFrom('accounts').select('id').orderBy('id').execute()).map(({ id }) => id);
  const long = (on: Kysely<Database>) =>
    on.selectFrom(sql<{ n: number }>`(${sql.raw(MSSQL.series(1_000_000))})`.as('long')).select('n');

  beforeAll(async () => {
    database = await MSSQL.create();
    await openConnection();
    await sql`create table accounts (id integer primary key, n integer not null)`.execute(db);
    await connection.close();
  }, 60_000);
  afterAll(() => database?.drop());

  beforeEach(async () => {
    await openConnection();
    await db.deleteFrom('accounts').execute();
    await db.insertInto('accounts').values({ id: 1, n: 0 }).execute();
  });

  afterEach(async () => {
    await until(() => target.counts.inUse === 0);
    await connection.close();
    const { created, destroyed } = connection.lanes.stats();
    expect(destroyed).toBe(created);
  });

  it('reads a stream in portions, whatever the last one holds', async () => {
    for (const length of [0, 1, 2, 3, 4]) {
      const rows: unknown[] = [];
      for await (const row of long(db).where('n', '<=', length).stream(2)) rows.push(row);
      expect(rows).toHaveLength(length);
    }
  });

  it('stops a stream on the server when its reader leaves, also in transactions, and goes on there', async () => {
    await db.transaction().execute(async (trx) => {
      for await (const _ of long(trx).stream(10)) break;
      await trx.insertInto('accounts').values({ id: 2, n: 0 }).execute();
    });
    await createDatabase(target).transaction(async (tx) => {
      const bound = tx.use(kyselyBridge) as unknown as Kysely<Database>;
      for await (const _ of long(bound).stream(10)) break;
      await bound.insertInto('accounts').values({ id: 3, n: 0 }).execute();
    });
    await expect(ids()).resolves.toEqual([1, 2, 3]);
    expect(connection.lanes.stats()).toMatchObject({ destroyed: 0 });
  });

  it.each([
    ['cancel query', 0],
    ['kill session', 1],
  ] as const)('stops a query by "%s" without a second connection of the pool', async (strategy, closed) => {
    await connection.close();
    await openConnection({ maxOpenConns: 1 });
    const told = jest.spyOn(console, 'error').mockReturnValue(); // Kysely's own, for a query given up
    const controller = new AbortController();
    const query = sql<object>`waitfor delay '00:01:00'`.execute(db, {
      signal: controller.signal,
      inflightQueryAbortStrategy: strategy,
    });
    const given = rejection(query);
    await until(() => target.counts.inUse === 1);
    setImmediate(() => controller.abort(new Error('enough')));
    await expect(given).resolves.toMatchObject({ message: expect.stringContaining('enough') });
    await until(() => target.counts.inUse === 0);
    await expect(ids()).resolves.toEqual([1]);
    expect(connection.lanes.stats()).toMatchObject({ destroyed: closed });
    told.mockRestore();
  });

  it('lets one transaction alone when a query of another is given up', async () => {
    const controller = new AbortController();
    const told = jest.spyOn(console, 'error').mockReturnValue();
    await db.transaction().execute(async (trx) => {
      const options = { signal: controller.signal, inflightQueryAbortStrategy: 'cancel query' } as const;
      const given = rejection(sql`waitfor delay '00:01:00'`.execute(db, options));
      await until(() => target.counts.inUse === 2);
      controller.abort(new Error('enough'));
      await trx.insertInto('accounts').values({ id: 2, n: 0 }).execute();
      await given;
    });
    await expect(ids()).resolves.toEqual([1, 2]);
    told.mockRestore();
  });
});

import type { BridgeTarget } from '@dbmanager/core';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import { type Kysely, sql } from 'kysely';
import { bridgeTarget, POSTGRES, rejection, type SqlDatabase, until } from '../../../test/support/sql-engines.js';
import { kyselyBridge } from './kysely-bridge.js';

POSTGRES.describe('Kysely', () => {
  let database: SqlDatabase;
  let connection: TestConnection<unknown>;
  let target: BridgeTarget;
  let db: Kysely<unknown>;

  const pidOf = async (on: Kysely<unknown>) => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(on);
    return rows[0]?.pid as number;
  };

  const sleeps = async (on: Kysely<unknown>, pid: number) => {
    const { rows } = await sql`select from pg_stat_activity where pid = ${pid} and wait_event = 'PgSleep'`.execute(on);
    return rows.length === 1;
  };

  beforeAll(async () => {
    database = await POSTGRES.create();
  }, 60_000);

  afterAll(async () => {
    await database?.drop();
  });

  beforeEach(async () => {
    connection = await database.open({ maxOpenConns: 2 });
    target = bridgeTarget(connection);
    db = kyselyBridge.open(target);
  });

  afterEach(async () => {
    await until(() => target.counts.inUse === 0);
    await connection.close();
  });

  it('parses results as its own option says, and no other handle does', async () => {
    const types = { getTypeParser: (oid: number) => (value: string) => (oid === 20 ? BigInt(value) : value) };
    const exact = kyselyBridge.open(target, { types });
    const query = sql<{ big: unknown }>`select 9007199254740993::int8 as big`;
    expect((await query.execute(exact)).rows).toEqual([{ big: 9007199254740993n }]);
    expect((await query.execute(db)).rows).toEqual([{ big: '9007199254740993' }]);
    const streamed: unknown[] = [];
    for await (const row of exact.selectNoFrom(sql`7::int8`.as('big')).stream()) streamed.push(row);
    expect(streamed).toEqual([{ big: 7n }]);
  });

  it('gives the result of the last of several statements', async () => {
    const { rows } = await sql`select 1 as a; select 2 as b`.execute(db);
    expect(rows).toEqual([{ b: 2 }]);
  });

  it('says so when COMMIT rolled back', async () => {
    const swallowed = db.transaction().execute(async (trx) => {
      await rejection(sql`select 1 / 0`.execute(trx));
    });
    await expect(rejection(swallowed)).resolves.toMatchObject({ code: 'DBM_TRANSACTION_ABORTED' });
    const trx = await db.startTransaction().execute();
    await rejection(sql`select 1 / 0`.execute(trx));
    await expect(rejection(trx.commit().execute())).resolves.toMatchObject({ code: 'DBM_TRANSACTION_ABORTED' });
    expect(trx.isRolledBack).toBe(true);
    expect(target.counts.inUse).toBe(0);
    expect(connection.lanes.stats().dirtyReleases).toBe(0);
  });

  it('says so when the connection is lost in COMMIT', async () => {
    await sql`create table late (id integer)`.execute(db);
    await sql`create function kill() returns trigger language plpgsql as
      ${sql.lit('begin perform pg_terminate_backend(pg_backend_pid()); return null; end')}`.execute(db);
    await sql`create constraint trigger kill after insert on late deferrable initially deferred
      for each row execute function kill()`.execute(db);
    const lost = db.transaction().execute((trx) => sql`insert into late values (1)`.execute(trx));
    await expect(rejection(lost)).resolves.toMatchObject({ code: 'DBM_COMMIT_UNKNOWN' });
    await expect(sql`select * from late`.execute(db)).resolves.toMatchObject({ rows: [] });
  });

  it('lives on when the backend dies under a transaction, a stream and a query', async () => {
    const trx = await db.startTransaction().execute();
    await connection.lanes.write.probe(AbortSignal.timeout(5_000));
    await sql`select pg_terminate_backend(${await pidOf(trx)}, 5000)`.execute(db);
    await rejection(sql`select 1`.execute(trx));
    await trx.rollback().execute();
    expect(trx.isRolledBack).toBe(true);

    const reading = db.selectNoFrom(sql<number>`generate_series(1, 1000)`.as('n')).stream(10);
    await reading.next();
    await sql`select pg_terminate_backend(pid, 5000) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`.execute(db);
    const rest = async () => {
      for await (const _ of reading);
    };
    await expect(rest()).rejects.toThrow();
    await expect(rejection(sql`select pg_terminate_backend(pg_backend_pid())`.execute(db))).resolves.toBeInstanceOf(
      Error,
    );
    await expect(pidOf(db)).resolves.toBeGreaterThan(0);
  });

  it('stops a query on the server without a second connection of the pool', async () => {
    await connection.close();
    connection = await database.open({ maxOpenConns: 1 });
    target = bridgeTarget(connection);
    db = kyselyBridge.open(target);
    const told = jest.spyOn(console, 'error').mockImplementation(() => {}); // Kysely's own, for a query given up
    const pid = await pidOf(db);
    await using watching = await database.open({ maxOpenConns: 1 });
    const observer = kyselyBridge.open(bridgeTarget(watching));
    for (const [inflightQueryAbortStrategy, same] of [
      ['cancel query', true],
      ['kill session', false],
    ] as const) {
      const controller = new AbortController();
      const sleeping = rejection(
        db
          .selectNoFrom(sql`pg_sleep(60)`.as('slept'))
          .execute({ signal: controller.signal, inflightQueryAbortStrategy }),
      );
      while (!(await sleeps(observer, pid))) await new Promise((resolve) => setImmediate(resolve));
      controller.abort(new Error('enough'));
      await expect(sleeping).resolves.toMatchObject({ message: expect.stringContaining('enough') });
      expect((await pidOf(db)) === pid).toBe(same);
    }
    expect(told).toHaveBeenCalledTimes(2);
    told.mockRestore();
  });
});

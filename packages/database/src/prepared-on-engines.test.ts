import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
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
  until,
} from '../../../test/support/sql-engines.js';
import { createDatabase, type Database } from './database.js';

for (const engine of [SQLITE, POSTGRES, COCKROACHDB, PGBOUNCER, MARIADB, MSSQL]) {
  engine.describe('seeds 3: Statement: prepared statements', () => {
    let files: SqlDatabase;
    let connection: TestConnection<unknown>;
    let db: Database;

    beforeAll(async () => {
      files = await engine.create();
    }, 60_000);

    afterAll(async () => {
      await files?.drop();
    });

    beforeEach(async () => {
      connection = await files.open({ maxOpenConns: 1, acquireTimeoutMs: 5_000 });
      db = createDatabase(bridgeTarget(connection));
      await db.execute('create table users (id integer primary key, name varchar(50))');
    });

    afterEach(async () => {
      await db.execute('drop table users');
      await connection.close();
      const { created, destroyed, dirtyReleases } = connection.lanes.stats();
      expect({ destroyed, dirtyReleases }).toEqual({ destroyed: created, dirtyReleases: 0 });
    });

    it('run again and again with other values, by position and by name', async () => {
      await using insert = db.prepare('insert into users (id, name) values (?, ?)');
      for (const id of [1, 2, 3]) expect((await insert.execute([id, `n${id}`])).rowsAffected).toBe(1);
      await using byId = db.prepare('select name from users where id = :id');
      await expect(byId.query({ id: 2 })).resolves.toEqual([{ name: 'n2' }]);
      await expect(byId.queryOne({ id: 3 })).resolves.toEqual({ name: 'n3' });
      await expect(byId.queryOneOrThrow({ id: 3 })).resolves.toEqual({ name: 'n3' });
      await expect(rejection(byId.queryOneOrThrow({ id: 9 }))).resolves.toMatchObject({ code: 'DBM_NOT_FOUND' });
      const names: unknown[] = [];
      for await (const row of byId.stream({ id: 1 })) names.push(row);
      expect(names).toEqual([{ name: 'n1' }]);
    });

    it('seeds 0: prepare: are refused once they are closed; closing again does nothing', async () => {
      const statement = db.prepare('select id from users');
      await expect(statement.query()).resolves.toEqual([]);
      await statement.close();
      await statement.close();
      await expect(rejection(statement.query())).resolves.toMatchObject({
        code: 'DBM_CLOSED',
        connectionName: 'test',
      });
    });

    it('seeds 0: prepare: of a transaction are part of it, and end with it', async () => {
      const insert = await db.transaction(async (tx) => {
        const statement = tx.prepare('insert into users (id) values (?)');
        await statement.execute([1]);
        await expect(tx.query('select id from users')).resolves.toEqual([{ id: 1 }]);
        return statement;
      });
      await expect(rejection(insert.execute([2]))).resolves.toMatchObject({ code: 'DBM_LEASE_RELEASED' });
      await expect(db.query('select id from users')).resolves.toEqual([{ id: 1 }]);
    });

    it('of a transaction are refused after it was rolled back, too', async () => {
      const tx = await db.begin();
      await using insert = tx.prepare('insert into users (id) values (?)');
      await insert.execute([1]);
      await tx.rollback();
      await expect(rejection(insert.execute([2]))).resolves.toMatchObject({ code: 'DBM_LEASE_RELEASED' });
      await expect(db.query('select id from users')).resolves.toEqual([]);
    });

    it('can be given up, and go on', async () => {
      await using insert = db.prepare('insert into users (id) values (?)');
      const signal = AbortSignal.abort();
      await expect(rejection(insert.execute([1], { signal }))).resolves.toMatchObject({ code: 'DBM_ABORTED' });
      await insert.execute([2]);
      await expect(db.query('select id from users')).resolves.toEqual([{ id: 2 }]);
    });

    it('say what was refused, and go on', async () => {
      await using insert = db.prepare('insert into users (id) values (?)');
      await insert.execute([1]);
      await expect(rejection(insert.execute([1]))).resolves.toMatchObject({ cause: expect.anything() });
      await insert.execute([2]);
      await expect(db.query('select id from users order by id')).resolves.toEqual([{ id: 1 }, { id: 2 }]);
    });

    it('give the columns of the table as it is now', async () => {
      await using all = db.prepare('select * from users');
      await db.execute('insert into users (id, name) values (1, ?)', ['ann']);
      await expect(all.query()).resolves.toEqual([{ id: 1, name: 'ann' }]);
      await db.execute(`alter table users add ${engine === MSSQL ? '' : 'column '}age integer`);
      await expect(all.query()).resolves.toEqual([{ id: 1, name: 'ann', age: null }]);
    });
  });
}

for (const engine of [POSTGRES, COCKROACHDB]) {
  engine.describe('seeds 3: Statement: prepared on the server', () => {
    const prepared = 'select count(*)::int as count from pg_prepared_statements';
    let files: SqlDatabase;
    let connection: TestConnection<unknown>;
    let db: Database;

    beforeEach(async () => {
      files = await engine.create();
      connection = await files.open({ maxOpenConns: 1 });
      db = createDatabase(bridgeTarget(connection));
    });

    afterEach(async () => {
      await connection.close();
      await files.drop();
    });

    const count = async () => (await db.queryOneOrThrow<{ count: number }>(prepared)).count;

    it('are parsed once, and gone after they are closed', async () => {
      const statement = db.prepare('select ?::int as n');
      for (const n of [1, 2, 3]) await expect(statement.query([n])).resolves.toEqual([{ n }]);
      await expect(count()).resolves.toBe(1);
      await statement.close();
      await expect(count()).resolves.toBe(0);
    });

    it('seeds 2: QueryOptions: are parsed once for calls that ask for it', async () => {
      for (const n of [1, 2]) await db.query('select ?::int as n', [n], { prepared: true });
      await expect(count()).resolves.toBe(1);
    });

    it('are not kept without bounds', async () => {
      for (let n = 0; n < 150; n++) await db.query(`select ${n} as n`, [], { prepared: true });
      await expect(count()).resolves.toBe(100);
    });

    it('that were used last are kept', async () => {
      await db.query('select 0 as n', [], { prepared: true });
      for (let n = 1; n < 150; n++) {
        await db.query(`select ${n} as n`, [], { prepared: true });
        await db.query('select 0 as n', [], { prepared: true });
      }
      const kept = await db.query(`select name from pg_prepared_statements where statement = 'select 0 as n'`);
      expect(kept).toEqual([{ name: 'dbm_1' }]);
    });

    it('are prepared again when the connection has lost them', async () => {
      await using statement = db.prepare('select ?::int as n');
      await statement.query([1]);
      await db.execute('discard all');
      await expect(statement.query([2])).resolves.toEqual([{ n: 2 }]);
      await expect(count()).resolves.toBe(1);
    });

    it('go on after a value that cannot be sent', async () => {
      await using statement = db.prepare('select ?::json as value');
      await statement.query([{ a: 1 }]);
      const circular: { self?: unknown } = {};
      circular.self = circular;
      await db.transaction(async (tx) => {
        const inside = tx.prepare('select ?::json as value');
        await expect(rejection(inside.query([circular]))).resolves.toMatchObject({ code: 'DBM_QUERY_FAILED' });
        await expect(inside.query([{ a: 2 }])).resolves.toEqual([{ value: { a: 2 } }]);
      });
      await expect(statement.query([{ a: 3 }])).resolves.toEqual([{ value: { a: 3 } }]);
      await expect(count()).resolves.toBe(1);
    });

    it('abort a transaction when the table has changed, and the next is none the worse', async () => {
      await db.execute('create table changing (id int)');
      const text = 'select * from changing';
      await db.query(text, [], { prepared: true });
      await db.execute('alter table changing add column more int');
      const reading = () => db.transaction((tx) => tx.prepare(text).query());
      await expect(rejection(reading())).resolves.toMatchObject({ code: 'DBM_QUERY_FAILED' });
      await expect(reading()).resolves.toEqual([]);
    });

    it('are freed in a transaction that has failed, too', async () => {
      const statement = db.prepare('select ?::int as n');
      await statement.query([1]);
      const failing = db.transaction(async (tx) => {
        await rejection(tx.query('select 1 / 0'));
        await statement.close();
        await tx.query('select 1');
      });
      await expect(rejection(failing)).resolves.toMatchObject({ code: 'DBM_QUERY_FAILED' });
      await expect(count()).resolves.toBe(0);
    });

    it('are not repeated when they are cancelled', async () => {
      await using statement = db.prepare('select pg_sleep(60), ?::int');
      const controller = new AbortController();
      const sleeping = rejection(statement.query([1], { signal: controller.signal }));
      await until(() => connection.lanes.stats().inUse === 1);
      controller.abort();
      await expect(sleeping).resolves.toMatchObject({ code: 'DBM_ABORTED' });
      const late = rejection(statement.query([1], { timeout: 1 }));
      await expect(late).resolves.toMatchObject({ code: 'DBM_QUERY_TIMEOUT' });
    });

    it('leave nothing behind when they do not parse', async () => {
      const wrong = db.prepare('selekt 1');
      await expect(rejection(wrong.query())).resolves.toMatchObject({ code: 'DBM_SYNTAX' });
      await wrong.close();
      await expect(count()).resolves.toBe(0);
    });
  });
}

MARIADB.describe('seeds 3: Statement: prepared by the driver', () => {
  let files: SqlDatabase;
  let connection: TestConnection<unknown>;
  let db: Database;

  beforeEach(async () => {
    files = await MARIADB.create();
    connection = await files.open({ maxOpenConns: 1 });
    db = createDatabase(bridgeTarget(connection));
  });

  afterEach(async () => {
    await connection.close();
    await files.drop();
  });

  /** How often the server was asked for what on this connection. */
  async function asked(): Promise<Record<string, number>> {
    const rows = await db.query<{ Variable_name: string; Value: string }>("show session status like 'Com_stmt_%'");
    return Object.fromEntries(rows.map((row) => [row.Variable_name.replace('Com_stmt_', ''), Number(row.Value)]));
  }

  it('are parsed once, and gone after they are closed, however their rows were asked for', async () => {
    const statement = db.prepare('select ? as n');
    for (const n of [1, 2, 3]) await expect(statement.query([n])).resolves.toEqual([{ n }]);
    await expect(asked()).resolves.toMatchObject({ prepare: 1, execute: 3, close: 0 });
    for await (const row of statement.stream([4])) expect(row).toEqual({ n: 4 });
    await expect(asked()).resolves.toMatchObject({ prepare: 2, execute: 4, close: 0 });
    await statement.close();
    await expect(asked()).resolves.toMatchObject({ prepare: 2, close: 2 });
  });

  it('are gone after a stream alone, too', async () => {
    const statement = db.prepare('select ? as n');
    for await (const _row of statement.stream([1])) break;
    await statement.close();
    await expect(asked()).resolves.toMatchObject({ prepare: 1, close: 1 });
  });

  it('are sent as text when they have no parameters', async () => {
    await using statement = db.prepare('select 1 as n');
    await expect(statement.query()).resolves.toEqual([{ n: 1 }]);
    await expect(asked()).resolves.toMatchObject({ prepare: 0 });
  });
});

import { inspect } from 'node:util';
import { type Clock, type DbManagerError, Secret } from '@dbmanager/core';
import {
  describeWithMssql,
  FakeClock,
  MSSQL_DEADLOCK,
  slowedClock,
  TestConnection,
  type TestOptions,
} from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import * as sql from 'mssql';
import { ISOLATION_LEVEL, Request, TYPES } from 'tedious';
import type { ConnectionView } from './connection-view.js';
import type { LeasedConnection } from './leased-connection.js';
import type { MssqlConnection } from './mssql-connection.js';
import type { MssqlPool } from './mssql-driver.js';
import type { MssqlOptions } from './mssql-options.js';
import { mssqlProvider } from './mssql-provider.js';

/** node-mssql's pool, with what its types leave out. */
type LendingPool = MssqlPool & { acquire(requester: object): Promise<LeasedConnection>; release(lent: object): void };

describeWithMssql("node-mssql's pool over the shared one", (mssql) => {
  /** Of this file alone: its connections are ended. */
  let database: string;
  let connection: TestConnection<MssqlConnection>;
  let pool: LendingPool;

  /** By default limits last longer than they say, for machines that are busy. */
  const open = async (over: TestOptions<MssqlOptions> = {}, clock: Clock = slowedClock(10)) => {
    const { password, ...rest } = mssql().connection(database);
    const limits = { sslmode: 'disable' as const, maxOpenConns: 2, maxIdleConns: 2 };
    return TestConnection.open(
      mssqlProvider,
      { ...rest, password: new Secret(password), ...limits, ...over },
      { clock },
    );
  };
  const native = ({ engine, lanes }: TestConnection<MssqlConnection>) => engine.native?.(lanes) as LendingPool;
  const keys = async () => (await mssql().query('SELECT k FROM written ORDER BY k', database)).map(({ k }) => k);

  /** Runs a batch on a view; gives the rows, or rejects with what tedious calls back with. */
  const run = (view: ConnectionView, text: string, how: 'execSql' | 'execSqlBatch' = 'execSqlBatch') =>
    new Promise<Record<string, unknown>[]>((resolve, reject) => {
      const rows: Record<string, unknown>[] = [];
      const request = new Request(text, (error) => (error ? reject(error) : resolve(rows)));
      request.on('row', (columns) => {
        rows.push(
          Object.fromEntries(
            columns.map(({ metadata, value }: never) => [(metadata as { colName: string }).colName, value]),
          ),
        );
      });
      view[how](request);
    });
  const told = (work: (callback: (error?: Error | null) => void) => void) =>
    new Promise<void>((resolve, reject) => work((error) => (error ? reject(error) : resolve())));

  beforeAll(async () => {
    database = await mssql().createDatabase();
    await mssql().query('CREATE TABLE written (k int PRIMARY KEY)', database);
  });
  afterAll(() => mssql().dropDatabase(database));
  beforeEach(async () => {
    connection = await open();
    pool = native(connection);
    await mssql().query('DELETE FROM written', database);
  });
  afterEach(async () => {
    expect(connection.lanes.counts.inUse).toBe(0);
    await connection.close();
  });

  it('is taken for a pool of node-mssql, is connected, and shows counts and no password', async () => {
    expect(pool).toBeInstanceOf(sql.ConnectionPool);
    expect(pool.connected).toBe(true);
    expect(await pool.connect()).toBe(pool);
    const lent = await pool.acquire({});
    expect([pool.size, pool.borrowed, pool.available, pool.pending]).toEqual([1, 1, 0, 0]);
    expect(inspect([pool, lent], { depth: 12, showHidden: true })).not.toContain(mssql().password);
    lent.release();
    expect((pool as unknown as { config: object }).config).toMatchObject({ database, port: mssql().port });
  });

  it('runs queries, batches, procedures, prepared statements, templates and bulk loads', async () => {
    const one = [{ one: 1 }];
    expect((await pool.request().input('a', sql.Int, 1).query('SELECT @a AS one')).recordset).toEqual(one);
    expect((await pool.request().batch('SELECT 1 AS one')).recordset).toEqual(one);
    expect((await pool.query`SELECT ${1} AS one`).recordset).toEqual(one);
    const procedure = pool.request().input('stmt', sql.NVarChar, 'SELECT 1 AS one');
    expect((await procedure.execute('sp_executesql')).recordset).toEqual(one);
    const prepared = new sql.PreparedStatement(pool);
    prepared.input('a', sql.Int);
    await prepared.prepare('SELECT @a AS one');
    expect((await prepared.execute({ a: 1 })).recordset).toEqual(one);
    await prepared.unprepare();
    await expect(new sql.Request(pool).query('SELEKT 1')).rejects.toMatchObject({ name: 'RequestError' });
    expect(connection.lanes.stats()).toMatchObject({ created: 1, dirtyReleases: 0 });
  });

  it('streams rows', async () => {
    const request = pool.request();
    request.stream = true;
    let rows = 0;
    request.on('row', () => rows++);
    const done = new Promise((resolve) => request.on('done', resolve));
    request.query('SELECT 1 AS n UNION ALL SELECT 2');
    await done;
    expect(rows).toBe(2);
  });

  it('takes a transaction to its end, and rolls back one that was left open', async () => {
    const kept = pool.transaction();
    await kept.begin(sql.ISOLATION_LEVEL.SERIALIZABLE);
    await kept.request().query('INSERT INTO written VALUES (1)');
    await kept.commit();
    const left = await pool.acquire({});
    await told((callback) => left.beginTransaction(callback));
    await run(left, 'INSERT INTO written VALUES (2)');
    left.release();
    await pool.query('SELECT 1 AS one');
    expect(await keys()).toEqual([1]);
    expect(connection.lanes.stats().dirtyReleases).toBe(1);
  });

  it('lets node-mssql see that the server has rolled its transaction back: nothing runs in autocommit', async () => {
    const tx = pool.transaction();
    await tx.begin();
    await tx.request().query('INSERT INTO written VALUES (1)');
    const error = await tx
      .request()
      .query('SET XACT_ABORT ON; INSERT INTO written VALUES (1)')
      .catch((reason) => reason);
    expect(error).toMatchObject({ number: 2627 });
    await expect(tx.request().query('INSERT INTO written VALUES (2)')).rejects.toMatchObject({ code: 'ENOTBEGUN' });
    await expect(tx.commit()).rejects.toMatchObject({ code: 'EABORT' });
    expect(await keys()).toEqual([]);
  });

  it.each([
    ['XACT_ABORT', 'SET XACT_ABORT ON; INSERT INTO written VALUES (1); INSERT INTO written VALUES (1)', 2627],
    ['a deadlock', MSSQL_DEADLOCK, 1205],
  ])('runs nothing but a rollback on a connection whose transaction %s has ended', async (_, text, number) => {
    const lent = await pool.acquire({});
    const rolledBack = new Promise<void>((resolve) => lent.once('rollbackTransaction', resolve));
    await told((callback) => lent.beginTransaction(callback));
    await expect(run(lent, text)).rejects.toMatchObject({ number });
    await rolledBack;
    expect(lent.inTransaction).toBe(false);
    const aborted = { code: 'DBM_TRANSACTION_ABORTED', cause: { number } };
    await expect(run(lent, 'INSERT INTO written VALUES (2)')).rejects.toMatchObject(aborted);
    await expect(run(lent, 'INSERT INTO written VALUES (2)', 'execSql')).rejects.toMatchObject(aborted);
    await expect(told((callback) => lent.saveTransaction(callback, 'one'))).rejects.toMatchObject(aborted);
    await expect(told((callback) => lent.commitTransaction(callback))).rejects.toMatchObject(aborted);
    await told((callback) => lent.rollbackTransaction(callback));
    await run(lent, 'INSERT INTO written VALUES (3)');
    lent.release();
    expect(await keys()).toEqual([3]);
  });

  it('says of a COMMIT that cannot be told whether it was done that it is not known', async () => {
    const lent = await pool.acquire({});
    await told((callback) => lent.beginTransaction(callback));
    const commit = told((callback) => lent.commitTransaction(callback));
    (lent as unknown as { real: MssqlConnection }).real.destroy();
    await expect(commit).rejects.toMatchObject({ code: 'DBM_COMMIT_UNKNOWN' });
    await expect(told((callback) => lent.commitTransaction(callback))).rejects.toMatchObject({
      code: 'DBM_CONNECTION_LOST',
    });
    lent.release();
  });

  it('queues what is asked for at once, and is ready for more when a callback is called', async () => {
    const lent = await pool.acquire({});
    const order: number[] = [];
    const [, , nested] = await Promise.all([
      run(lent, 'SELECT 1 AS n').then(() => order.push(1)),
      run(lent, 'SELECT 2 AS n', 'execSql').then(() => order.push(2)),
      new Promise((resolve) => {
        lent.execSql(new Request('SELECT 3 AS n', () => resolve(run(lent, 'SELECT 4 AS n'))));
      }),
    ]);
    expect(nested).toEqual([{ n: 4 }]);
    expect(order).toEqual([1, 2]);
    lent.release();
  });

  it('ends a request with one error that has a number, whatever came with it', async () => {
    const lent = await pool.acquire({});
    const error = await run(lent, 'INSERT INTO written VALUES (1), (1); SELECT * FROM missing').catch(
      (reason) => reason,
    );
    expect(error).not.toBeInstanceOf(AggregateError);
    expect(error).toMatchObject({ number: 2627, errors: [{ number: 2627 }, { number: 208 }] });
    lent.release();
    const ofMssql = await pool
      .query('INSERT INTO written VALUES (1), (1); SELECT * FROM missing')
      .catch((reason) => reason);
    expect(ofMssql).toMatchObject({ number: 208, precedingErrors: [{ number: 2627 }] });
    const deadlocked = await pool
      .query(`BEGIN TRAN; ${MSSQL_DEADLOCK}; SELECT * FROM missing`)
      .catch((reason) => reason);
    expect(connection.engine.sql?.conflict?.(deadlocked)).toBe('deadlock');
  });

  it('limits the whole of a request, in the words of tedious', async () => {
    const narrow = await open({ queryTimeoutMs: 50 });
    const text = "SELECT REPLICATE('x', 8000) AS first; WAITFOR DELAY '00:01:00'";
    await expect(native(narrow).query(text)).rejects.toMatchObject({ code: 'ETIMEOUT' });
    const overridden = native(narrow) as unknown as { request(overrides: object): sql.Request };
    const own = overridden.request({ requestTimeout: 40 });
    await expect(own.query("WAITFOR DELAY '00:01:00'")).rejects.toMatchObject({ code: 'ETIMEOUT' });
    expect(narrow.lanes.stats().created).toBe(1);
    await narrow.close();
  });

  it('does not count the time that a reader has a request paused', async () => {
    const clock = new FakeClock();
    const narrow = await open({ queryTimeoutMs: 100 }, clock);
    const lent = await native(narrow).acquire({});
    let rows = 0;
    const ended = new Promise((resolve) => {
      const text =
        'WITH s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 5000) SELECT n FROM s OPTION (MAXRECURSION 0)';
      const request = new Request(text, resolve);
      request.once('row', () => {
        request.pause();
        void clock.advance(1_000).then(() => request.resume());
      });
      request.on('row', () => rows++);
      lent.execSqlBatch(request);
    });
    expect(await ended).toBeFalsy();
    expect(rows).toBe(5_000);
    lent.release();
    await narrow.close();
  });

  it('stops its own request by cancel(), sent or not', async () => {
    const lent = await pool.acquire({});
    expect(lent.cancel()).toBe(false);
    const running = run(lent, "WAITFOR DELAY '00:01:00'");
    const waiting = run(lent, 'INSERT INTO written VALUES (1)');
    while ((await mssql().sessions(database)).every(({ status }) => status !== 'running'));
    expect(lent.cancel()).toBe(true);
    await expect(running).rejects.toMatchObject({ code: 'ECANCEL' });
    await waiting;
    lent.release();
    expect(await keys()).toEqual([1]);
  });

  it('resets a connection though the first request of its borrower was called off before it was sent', async () => {
    const narrow = await open({ maxOpenConns: 1 });
    const first = await native(narrow).acquire({});
    await run(first, 'CREATE TABLE #left (n int)');
    first.release();
    const next = await native(narrow).acquire({});
    const calledOff = run(next, 'SELECT 1 AS one');
    expect(next.cancel()).toBe(true);
    await expect(calledOff).rejects.toMatchObject({ code: 'ECANCEL' });
    await expect(run(next, 'SELECT n FROM #left')).rejects.toMatchObject({ number: 208 });
    await run(next, 'CREATE TABLE #own (n int)');
    await run(next, 'SELECT n FROM #own');
    next.release();
    expect(narrow.lanes.stats().created).toBe(1);
    await narrow.close();
  });

  it('limits and stops what is sent before a request to make the connection what it should be', async () => {
    const clock = new FakeClock();
    const narrow = await open({ maxOpenConns: 1, queryTimeoutMs: 100 }, clock);
    const [first, stopped] = [await native(narrow).acquire({}), native(narrow).acquire({})];
    await run(first, 'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE');
    first.release();
    const lent = await stopped;
    const inserted = run(lent, 'INSERT INTO written VALUES (1)');
    expect(clock.nextTimerIn).toBe(100);
    expect(lent.cancel()).toBe(true);
    await expect(inserted).rejects.toMatchObject({ code: 'ECANCEL' });
    lent.release();
    expect(await keys()).toEqual([]);
    await narrow.close();
  });

  it('has several savepoints of one name, and goes back to its own', async () => {
    const lent = await pool.acquire({});
    await told((callback) => lent.beginTransaction(callback, 'outer', ISOLATION_LEVEL.READ_COMMITTED));
    await run(lent, 'INSERT INTO written VALUES (1)');
    await told((callback) => lent.saveTransaction(callback, 'trx1'));
    await run(lent, 'INSERT INTO written VALUES (2); SAVE TRANSACTION trx1; INSERT INTO written VALUES (3)');
    await told((callback) => lent.rollbackTransaction(callback, 'trx1'));
    await told((callback) => lent.commitTransaction(callback, 'outer'));
    expect(await keys()).toEqual([1]);
    // The name of the transaction itself is no savepoint.
    await told((callback) => lent.beginTransaction(callback, 'outer'));
    await told((callback) => lent.rollbackTransaction(callback, 'outer'));
    expect(lent.inTransaction).toBe(false);
    lent.release();
  });

  it("serves tedious' own helper of transactions", async () => {
    const lent = await pool.acquire({});
    await new Promise<void>((resolve, reject) => {
      lent.transaction((error, done) => {
        if (error || done === undefined) return reject(error);
        run(lent, 'INSERT INTO written VALUES (1)').then(
          () => done(null, (last) => (last ? reject(last) : resolve())),
          reject,
        );
      });
    });
    lent.release();
    expect(await keys()).toEqual([1]);
  });

  it('lends a connection once: released twice it goes back once, and is dead after that', async () => {
    const first = await pool.acquire({});
    first.release();
    pool.release(first);
    const second = await pool.acquire({});
    first.release();
    first.close();
    expect(connection.lanes.counts.inUse).toBe(1);
    const released = { code: 'DBM_LEASE_RELEASED' };
    await expect(run(first, 'SELECT 1')).rejects.toMatchObject(released);
    await expect(told((callback) => first.beginTransaction(callback))).rejects.toMatchObject(released);
    expect([first.closed, first.cancel(), first.inTransaction]).toEqual([true, false, false]);
    expect(await run(second, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    second.release();
  });

  it('stops what is left running when a connection comes back, and withdraws what waits', async () => {
    const lent = await pool.acquire({});
    const left = [run(lent, "WAITFOR DELAY '00:01:00'"), run(lent, 'INSERT INTO written VALUES (1)')];
    const outcomes = Promise.all(left.map((each) => each.catch((error: DbManagerError) => error.code)));
    lent.release();
    expect(await outcomes).toEqual(['ECANCEL', 'DBM_LEASE_RELEASED']);
    expect((await pool.query('SELECT 1 AS one')).recordset).toEqual([{ one: 1 }]);
    while (connection.lanes.counts.inUse > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(connection.lanes.stats()).toMatchObject({ created: 1, dirtyReleases: 0 });
  });

  it('closes a connection by close()', async () => {
    const lent = await pool.acquire({});
    const ended = new Promise<void>((resolve) => lent.once('end', resolve));
    lent.close();
    await ended;
    await pool.query('SELECT 1 AS one');
    expect(connection.lanes.stats()).toMatchObject({ created: 2, destroyed: 1 });
  });

  it('ends nothing when a lent connection dies unheard; whoever listens is told', async () => {
    const [deaf, hearing] = [await pool.acquire({}), await pool.acquire({})];
    const events = Promise.all(['error', 'end'].map((event) => new Promise((resolve) => hearing.once(event, resolve))));
    await mssql().killAll(database);
    await events;
    expect(hearing.closed).toBe(true);
    await expect(run(deaf, 'SELECT 1')).rejects.toMatchObject({ code: 'EINVALIDSTATE' });
    for (const lent of [deaf, hearing]) lent.release();
    expect((await pool.query('SELECT 1 AS one')).recordset).toEqual([{ one: 1 }]);
  });

  it('only detaches by close(): the pool goes on, and what is lent stays good', async () => {
    const lent = await pool.acquire({});
    await pool.close();
    await expect(pool.query('SELECT 1')).rejects.toMatchObject({ code: 'ECONNCLOSED' });
    expect(await run(lent, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    lent.release();
    expect((await native(connection).query('SELECT 1 AS one')).recordset).toEqual([{ one: 1 }]);
    await pool.connect();
    expect((await pool.query('SELECT 1 AS one')).recordset).toEqual([{ one: 1 }]);
  });

  it('rejects with the error of the shared pool when no connection is to be had', async () => {
    const narrow = await open({ maxOpenConns: 1, acquireTimeoutMs: 250 });
    // Connecting may take longer.
    const holder = await narrow.lanes.acquire({ timeoutMs: 15_000 });
    await expect(native(narrow).query('SELECT 1')).rejects.toMatchObject({ code: 'DBM_ACQUIRE_TIMEOUT' });
    holder.release();
    await narrow.close();
  });

  it('calls back as node-mssql does', async () => {
    const lent = await new Promise<LeasedConnection>((resolve, reject) => {
      (pool as unknown as { acquire(r: object, c: (e: unknown, l: LeasedConnection) => void): void }).acquire(
        {},
        (error, given) => (error ? reject(error) : resolve(given)),
      );
    });
    const request = new Request('SELECT @a AS a', () => lent.release());
    request.addParameter('a', TYPES.Int, 7);
    const ended = new Promise((resolve) => request.once('requestCompleted', resolve));
    lent.execSql(request);
    await ended;
    await new Promise((resolve) => pool.connect(resolve));
    await new Promise((resolve) => pool.close(resolve));
    expect(pool.connected).toBe(false);
  });
});

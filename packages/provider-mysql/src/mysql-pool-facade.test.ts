import { inspect } from 'node:util';
import { Secret } from '@dbmanager/core';
import { describeWithMariadb, TestConnection, type TestOptions } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import mysql from 'mysql2';
import type { MysqlConnection, MysqlPool, MysqlPoolConnection } from './mysql-driver.js';
import type { MysqlOptions } from './mysql-options.js';
import { mariadbProvider } from './mysql-provider.js';

describeWithMariadb("mysql2's pool over the shared one", (mariadb) => {
  /** Of this file alone: its connections are ended. */
  let database: string;
  let connection: TestConnection<MysqlConnection>;
  let pool: MysqlPool;

  const open = async (over: TestOptions<MysqlOptions> = {}) => {
    const { password, ...rest } = mariadb().connection(database);
    const limits = { maxOpenConns: 2, maxIdleConns: 2 };
    const options = { ...rest, password: new Secret(password), ...limits, ...over };
    return TestConnection.open(mariadbProvider, options);
  };
  const native = ({ engine, lanes }: TestConnection<MysqlConnection>) => engine.native?.(lanes) as MysqlPool;

  beforeAll(async () => {
    database = await mariadb().createDatabase();
    await mariadb().query('CREATE TABLE written (n INT PRIMARY KEY)', [], database);
  });
  afterAll(() => mariadb().dropDatabase(database));
  beforeEach(async () => {
    connection = await open();
    pool = native(connection);
  });
  afterEach(async () => {
    expect(connection.lanes.counts.inUse).toBe(0);
    await connection.close();
    await mariadb().query('TRUNCATE written', [], database);
  });

  it('is taken for a pool of mysql2, and its connections for connections of one', async () => {
    expect(pool).toBeInstanceOf((mysql as unknown as { Pool: new () => unknown }).Pool);
    const lent = await pool.promise().getConnection();
    expect(lent.connection).toBeInstanceOf((mysql as unknown as { PoolConnection: new () => unknown }).PoolConnection);
    lent.release();
  });

  it.each([
    ['a text', (run: MysqlPool) => run.promise().query('SELECT 1 AS one')],
    ['a text and values', (run: MysqlPool) => run.promise().query('SELECT ? AS one', [1])],
    ['an object', (run: MysqlPool) => run.promise().query({ sql: 'SELECT ? AS one', values: [1] })],
    [
      'named placeholders',
      (run: MysqlPool) =>
        run.promise().query({ sql: 'SELECT :n AS one', namedPlaceholders: true, values: { n: 1 } } as never),
    ],
    ['a prepared statement', (run: MysqlPool) => run.promise().execute('SELECT CAST(? AS INT) AS one', [1])],
  ])('runs %s', async (_, run) => {
    expect((await run(pool))[0]).toEqual([{ one: 1 }]);
    expect((await run(pool))[0]).toEqual([{ one: 1 }]);
  });

  it('calls back, with rows and columns, or with the error of the driver', async () => {
    const [rows, fields] = await new Promise<unknown[]>((resolve, reject) => {
      pool.query('SELECT ? AS one', [1], (error, ...results) => (error ? reject(error) : resolve(results)));
    });
    expect(rows).toEqual([{ one: 1 }]);
    expect(fields).toEqual([expect.objectContaining({ name: 'one' })]);
    const error = await new Promise((resolve) => pool.query('SELEKT', resolve));
    expect(error).toMatchObject({ errno: 1064 });
    expect(await new Promise((resolve) => pool.execute('SELEKT', [], resolve))).toMatchObject({ errno: 1064 });
    expect(connection.lanes.stats()).toMatchObject({ created: 1, dirtyReleases: 0 });
  });

  it('streams rows, also from a connection that is lent', async () => {
    const read = async (stream: AsyncIterable<unknown>) => {
      let count = 0;
      for await (const _row of stream) count++;
      return count;
    };
    expect(await read(pool.query('SELECT seq FROM seq_1_to_1000').stream())).toBe(1000);
    const lent = await pool.promise().getConnection();
    expect(
      await read((lent.connection as unknown as MysqlConnection).query('SELECT seq FROM seq_1_to_1000').stream()),
    ).toBe(1000);
    lent.release();
  });

  it('stops a stream on the server that was left open when its connection came back', async () => {
    const lent = await pool.promise().getConnection();
    const real = lent.connection as unknown as MysqlConnection;
    for await (const _row of real.query("SELECT REPEAT('x', 1000) FROM seq_1_to_5000000").stream()) break;
    lent.release();
    expect((await pool.promise().query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }]);
    while (connection.lanes.counts.inUse > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(connection.lanes.stats()).toMatchObject({ destroyed: 0, dirtyReleases: 0 });
  });

  it('goes on with a connection that came back while nobody read its stream, whose reader is told', async () => {
    const lent = (await pool.promise().getConnection()).connection as unknown as MysqlPoolConnection;
    const failed = new Promise((resolve) => {
      const rows = lent.query('SELECT seq FROM seq_1_to_20000').stream();
      rows.once('error', resolve);
      rows.once('data', () => {
        rows.pause();
        lent.release();
      });
    });
    await expect(failed).resolves.toMatchObject({ code: 'DBM_LEASE_RELEASED' });
    while (connection.lanes.counts.inUse > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(connection.lanes.stats()).toMatchObject({ destroyed: 0, dirtyReleases: 0 });
  });

  it('tells the reader of a stream that its connection dies, or has died before', async () => {
    const lent = (await pool.promise().getConnection()).connection as unknown as MysqlPoolConnection;
    const { stream: socket } = lent as never as MysqlConnection;
    const read = async () => {
      for await (const _ of lent.query('SELECT seq FROM seq_1_to_100000').stream()) socket.destroy();
    };
    for (let time = 0; time < 2; time++) {
      await expect(read()).rejects.toMatchObject({ code: 'PROTOCOL_CONNECTION_LOST' });
    }
    lent.destroy();
  });

  it('gives the connection of a stream of the pool back when it has died', async () => {
    const lent = new Promise<MysqlConnection>((resolve) => pool.once('acquire', resolve as never));
    const rows = pool.query('SELECT seq FROM seq_1_to_100000').stream();
    const read = async () => {
      for await (const _ of rows) (await lent).stream.destroy();
    };
    await expect(read()).rejects.toMatchObject({ code: 'PROTOCOL_CONNECTION_LOST' });
  });

  it.each([
    ['a query', (run: MysqlPool) => run.promise().query('SELECT SLEEP(600)')],
    ['a prepared statement', (run: MysqlPool) => run.promise().execute('SELECT SLEEP(600)')],
  ])('gives the connection of %s of the pool back when it has died', async (_, run) => {
    const lent = new Promise<MysqlConnection>((resolve) => pool.once('acquire', resolve as never));
    const failed = expect(run(pool)).rejects.toMatchObject({ code: 'PROTOCOL_CONNECTION_LOST' });
    const { threadId } = await lent;
    await mariadb().kill(threadId as number);
    await failed;
    // What mysql2's pool does at the end of a query comes before the next turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
  });

  it('lends a connection once: released twice it goes back once, and is dead after that', async () => {
    const first = await pool.promise().getConnection();
    first.release();
    first.release();
    const second = await pool.promise().getConnection();
    expect(second.threadId).toEqual(expect.any(Number));
    first.release();
    first.connection.destroy();
    expect(connection.lanes.counts.inUse).toBe(1);
    await expect(first.query('SELECT 1')).rejects.toMatchObject({ code: 'DBM_LEASE_RELEASED' });
    expect((await second.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }]);
    pool.releaseConnection(second.connection as never);
  });

  it('gives a connection back by end(), and closes it by destroy()', async () => {
    const ended = await pool.promise().getConnection();
    await ended.end();
    expect(connection.lanes.stats()).toMatchObject({ created: 1, destroyed: 0, inUse: 0 });
    const destroyed = await pool.promise().getConnection();
    destroyed.destroy();
    await pool.promise().query('SELECT 1');
    expect(connection.lanes.stats()).toMatchObject({ created: 2, destroyed: 1 });
  });

  it('takes a transaction to its end, and rolls one back that was left open', async () => {
    const kept = await pool.promise().getConnection();
    await kept.beginTransaction();
    await kept.query('INSERT INTO written VALUES (1)');
    await kept.commit();
    kept.release();
    const left = await pool.promise().getConnection();
    await left.beginTransaction();
    await left.query('INSERT INTO written VALUES (2)');
    left.release();
    const [rows] = await pool.promise().query('SELECT n FROM written');
    expect(rows).toEqual([{ n: 1 }]);
    expect(connection.lanes.stats().dirtyReleases).toBe(1);
  });

  it('takes the listeners of a borrower away with its connection', async () => {
    const lent = await pool.promise().getConnection();
    const told: string[] = [];
    lent.on('error', () => told.push('promised'));
    lent.connection.on('error', () => told.push('called'));
    lent.release();
    await using lease = await connection.lanes.acquire();
    const before = told.length;
    lease.connection.emit('error', new Error('of the next borrower'));
    expect(told.length).toBe(before);
  });

  it('tells of connections, once each, and of what it lends', async () => {
    const events: string[] = [];
    for (const event of ['connection', 'acquire', 'release', 'enqueue']) pool.on(event, () => events.push(event));
    await pool.promise().query('SELECT 1');
    await pool.promise().query('SELECT 1');
    expect(events).toEqual(['connection', 'acquire', 'release', 'acquire', 'release']);
    const lent = [await pool.promise().getConnection(), await pool.promise().getConnection()];
    const waiting = pool.promise().query('SELECT 1');
    expect(events).toContain('enqueue');
    for (const each of lent) each.release();
    await waiting;
  });

  it('lets a listener prepare each new connection before its borrower uses it', async () => {
    pool.on('connection', (made) => made.query('SET @mark = 42'));
    const [rows] = await pool.promise().query('SELECT @mark AS mark');
    expect(rows).toEqual([{ mark: 42 }]);
  });

  it('only detaches by end(): the pool goes on, and what is lent stays good', async () => {
    const lent = await pool.promise().getConnection();
    await pool.promise().end();
    await expect(pool.promise().query('SELECT 1')).rejects.toThrow('Pool is closed.');
    expect((await lent.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }]);
    lent.release();
    expect((await native(connection).promise().query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }]);
  });

  it('shows its limits and counts, and no password', async () => {
    const lent = await pool.promise().getConnection();
    const lists = pool as unknown as Record<string, { length: number }>;
    expect(lists._allConnections?.length).toBe(1);
    expect(lists._freeConnections?.length).toBe(0);
    lent.release();
    expect(pool.config).toMatchObject({ connectionLimit: 2, maxIdle: 2 });
    expect(inspect([pool, lent], { depth: 10, showHidden: true })).not.toContain(mariadb().password);
    expect(pool.escape("O'Brien")).toBe(String.raw`'O\'Brien'`);
    expect(pool.format('SELECT ??', ['a'])).toBe('SELECT `a`');
  });

  it('leaves no timer behind when it is made', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const other = await open({ maxOpenConns: 10, maxIdleConns: 1 });
    const before = timers();
    native(other);
    expect(timers()).toBe(before);
    await other.close();
  });

  it('rejects with the error of the shared pool when no connection is to be had', async () => {
    const narrow = await open({ maxOpenConns: 1, acquireTimeoutMs: 250 });
    // Connecting may take longer.
    const holder = await narrow.lanes.acquire({ timeoutMs: 15_000 });
    await expect(native(narrow).promise().query('SELECT 1')).rejects.toMatchObject({ code: 'DBM_ACQUIRE_TIMEOUT' });
    holder.release();
    await narrow.close();
  });
});

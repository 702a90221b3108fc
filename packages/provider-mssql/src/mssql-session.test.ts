import { PinnedSource, Secret, type SqlSession } from '@dbmanager/core';
import {
  describeWithMssql,
  failure,
  MSSQL_DEADLOCK,
  slowedClock,
  TestConnection,
  type TestOptions,
} from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Request } from 'tedious';
import { requestJob } from './job.js';
import type { MssqlConnection } from './mssql-connection.js';
import type { MssqlOptions } from './mssql-options.js';
import { mssqlProvider } from './mssql-provider.js';

describeWithMssql('sessions on SQL Server', (mssql) => {
  let database: string;
  const opened: TestConnection<MssqlConnection>[] = [];
  const sessions: SqlSession[] = [];

  beforeAll(async () => {
    database = await mssql().createDatabase();
    await mssql().query('CREATE TABLE accounts (id int PRIMARY KEY, n int)', database);
  });
  afterAll(() => mssql().dropDatabase(database));
  beforeEach(() => mssql().query('DELETE FROM accounts', database));
  afterEach(async () => {
    for (const session of sessions.splice(0)) session.release();
    for (const connection of opened.splice(0)) await connection.close();
  });

  async function open(over: TestOptions<MssqlOptions> = {}) {
    const { password, ...rest } = mssql().connection(database);
    const options = { ...rest, password: new Secret(password), sslmode: 'disable' as const, maxOpenConns: 2, ...over };
    // A stopped statement's connection is given up after a second, which is little on a busy machine.
    const connection = await TestConnection.open(mssqlProvider, options, { clock: slowedClock(10) });
    opened.push(connection);
    return connection;
  }
  const sessionOf = ({ engine, lanes }: TestConnection<MssqlConnection>) => {
    const session = engine.sql?.session(lanes) as SqlSession;
    sessions.push(session);
    return session;
  };
  const session = async (over?: TestOptions<MssqlOptions>) => sessionOf(await open(over));
  const ids = async () => (await mssql().query('SELECT id FROM accounts ORDER BY id', database)).map(({ id }) => id);
  const insert = (own: SqlSession, id: number) => own.query({ sql: `INSERT INTO accounts (id) VALUES (${id})` });

  it('sends each parameter as what it is', async () => {
    const own = await session();
    const params = [2147483647, 2147483648, 9007199254740993n, 1.5, true, 'x', null, undefined, { a: [1] }];
    const { rows } = await own.query({
      sql: 'SELECT @p1 AS int, @p2 AS big, @p3 AS bigger, @p4 AS flt, @p5 AS bit, @p6 AS txt, @p7 AS nul, @p8 AS und, @p9 AS obj',
      params,
    });
    expect(rows).toEqual([
      {
        int: 2147483647,
        big: '2147483648',
        bigger: '9007199254740993',
        flt: 1.5,
        bit: true,
        txt: 'x',
        nul: null,
        und: null,
        obj: '{"a":[1]}',
      },
    ]);
    const { rows: decimal } = await own.query({
      sql: 'SELECT @p1 AS n',
      params: [18446744073709551615n],
    });
    expect(decimal).toEqual([{ n: '18446744073709551615' }]);
  });

  it('tells of a value that cannot be sent, and goes on', async () => {
    const own = await session();
    const error = await failure(own.query({ sql: 'SELECT @p1 AS n', params: [Number.NaN] }), 'DBM_QUERY_FAILED');
    expect(error.cause).toMatchObject({ code: 'EPARAM' });
    expect((await own.query({ sql: 'SELECT 1 AS one' })).rows).toEqual([{ one: 1 }]);
  });

  it('gives what came of the last of several statements', async () => {
    const own = await session();
    const { rowsAffected } = await own.query({
      sql: 'INSERT INTO accounts (id) VALUES (1), (2); UPDATE accounts SET n = 1 WHERE id > @p1',
      params: [1],
    });
    expect(rowsAffected).toBe(1);
    const result = await own.query({ sql: 'DELETE FROM accounts; SELECT 1 AS n; SELECT 2 AS n UNION SELECT 3' });
    expect(result).toMatchObject({ rows: [{ n: 2 }, { n: 3 }], rowsAffected: 2 });
  });

  it('makes one error of several, the one that says what became of the transaction first', async () => {
    const own = await session();
    await insert(own, 1);
    const error = await failure(
      own.query({ sql: 'INSERT INTO accounts (id) VALUES (1); SELECT * FROM missing' }),
      'DBM_QUERY_FAILED',
    );
    expect(error.cause).toMatchObject({ number: 2627, errors: [{ number: 2627 }, { number: 208 }] });
    await own.begin();
    const lost = failure(own.query({ sql: `INSERT INTO accounts (id) VALUES (1); ${MSSQL_DEADLOCK}` }), 'DBM_DEADLOCK');
    expect((await lost).cause).toMatchObject({ number: 1205, errors: [{ number: 2627 }, { number: 1205 }] });
  });

  it.each([
    ['XACT_ABORT', (table: string) => `SET XACT_ABORT ON; INSERT INTO ${table} (id) VALUES (1)`, 2627],
    ['a deadlock', () => MSSQL_DEADLOCK, 1205],
    ['a text', () => 'ROLLBACK', undefined],
    ['a text that fails after it', () => "ROLLBACK; RAISERROR('over', 16, 1)", 50_000],
  ])('runs nothing but a rollback after the transaction was ended by %s', async (_, sql, number) => {
    const connection = await open();
    const own = sessionOf(connection);
    await insert(own, 1);
    await own.begin();
    await insert(own, 2);
    const outcome = await own.query({ sql: sql('accounts') }).then(
      () => undefined,
      (error: { cause: { number: number } }) => error.cause.number,
    );
    expect(outcome).toBe(number);
    expect(own.inTransaction).toBe(false);
    for (const attempt of [insert(own, 3), own.query({ sql: 'SELECT 1' }), own.begin(), own.savepoint('one')]) {
      const error = await failure(attempt, 'DBM_TRANSACTION_ABORTED');
      if (number !== undefined) expect(error.cause).toMatchObject({ number });
    }
    await own.rollback();
    await insert(own, 4);
    expect(await ids()).toEqual([1, 4]);
    expect(connection.lanes.stats()).toMatchObject({ created: 1 });
  });

  it('never takes the end of an inner BEGIN TRANSACTION for a commit', async () => {
    const connection = await open();
    const own = sessionOf(connection);
    await own.begin();
    await own.query({ sql: 'BEGIN TRANSACTION; INSERT INTO accounts (id) VALUES (1)' });
    await failure(own.commit(), 'DBM_TRANSACTION_ABORTED');
    await failure(insert(own, 2), 'DBM_TRANSACTION_ABORTED');
    await own.rollback();
    own.release();
    expect(await ids()).toEqual([]);
    expect(connection.lanes.stats().dirtyReleases).toBe(0);
  });

  it('leaves a transaction of a text to its texts, unless the server rolls it back', async () => {
    const own = await session();
    await own.query({ sql: 'BEGIN TRAN; INSERT INTO accounts (id) VALUES (1)' });
    expect(own.inTransaction).toBe(true);
    await own.query({ sql: 'IF @@TRANCOUNT = 1 COMMIT ELSE ROLLBACK' });
    await insert(own, 2);
    await own.query({ sql: 'BEGIN TRAN; INSERT INTO accounts (id) VALUES (3)' });
    await own.query({ sql: 'ROLLBACK TRANSACTION' });
    await insert(own, 4);
    await own.query({ sql: 'BEGIN TRAN; SET XACT_ABORT ON' });
    await failure(insert(own, 4), 'DBM_QUERY_FAILED');
    await failure(insert(own, 5), 'DBM_TRANSACTION_ABORTED');
    await own.query({ sql: 'ROLLBACK' });
    await insert(own, 6);
    expect(await ids()).toEqual([1, 2, 4, 6]);
  });

  it('says of a failed commit why, and lets the session go on', async () => {
    const own = await session();
    await own.begin();
    await failure(own.query({ sql: MSSQL_DEADLOCK }), 'DBM_DEADLOCK');
    const error = await failure(own.commit(), 'DBM_TRANSACTION_ABORTED');
    expect(error.cause).toMatchObject({ number: 1205 });
    await insert(own, 1);
    expect(await ids()).toEqual([1]);
  });

  it('does not know what became of a COMMIT to which the server only says that it goes', async () => {
    const connection = await open({ maxOpenConns: 1 });
    const lease = await connection.lanes.acquire();
    const { tedious } = lease.connection;
    lease.release();
    const own = sessionOf(connection);
    await own.begin();
    const going = Object.assign(new Error('the session is in the kill state'), { number: 596, class: 21 });
    tedious.commitTransaction = (callback) => setImmediate(callback, going);
    own.release(await failure(own.commit(), 'DBM_COMMIT_UNKNOWN'));
    await insert(sessionOf(connection), 1);
    expect(connection.lanes.stats().created).toBe(2);
  });

  it('begins with the isolation it is told, and is back at the usual one after it', async () => {
    const own = await session();
    const level = async () => {
      const sql = 'SELECT transaction_isolation_level AS level FROM sys.dm_exec_sessions WHERE session_id = @@SPID';
      return (await own.query({ sql })).rows[0]?.level;
    };
    expect(await level()).toBe(2);
    for (const [isolation, number] of [
      ['read uncommitted', 1],
      ['repeatable read', 3],
      ['serializable', 4],
      ['snapshot', 5],
    ] as const) {
      await own.begin({ isolation });
      expect(await level()).toBe(number);
      await own.commit();
      expect(await level()).toBe(2);
    }
  });

  it('tells of an update conflict under snapshot isolation that the transaction may be repeated', async () => {
    const connection = await open();
    const [own, other] = [sessionOf(connection), sessionOf(connection)];
    await insert(other, 1);
    await own.begin({ isolation: 'snapshot' });
    await own.query({ sql: 'SELECT * FROM accounts' });
    await other.query({ sql: 'UPDATE accounts SET n = 1' });
    const error = await failure(own.query({ sql: 'UPDATE accounts SET n = 2' }), 'DBM_SERIALIZATION_FAILURE');
    expect(error).toMatchObject({ retryable: true, cause: { number: 3960 } });
    await own.rollback();
  });

  it('goes on with the transaction after a lock that could not be had', async () => {
    const connection = await open();
    const [holder, other] = [sessionOf(connection), sessionOf(connection)];
    await holder.begin();
    await insert(holder, 1);
    await other.begin();
    const error = await failure(
      other.query({ sql: 'SET LOCK_TIMEOUT 20; INSERT INTO accounts (id) VALUES (1)' }),
      'DBM_QUERY_FAILED',
    );
    expect(error).toMatchObject({ retryable: true, cause: { number: 1222 } });
    expect(other.inTransaction).toBe(true);
    await holder.rollback();
    await insert(other, 2);
    await other.commit();
    expect(await ids()).toEqual([2]);
  });

  it('writes nothing in a read-only transaction, not even by what it cannot see', async () => {
    const own = await session();
    await own.begin({ readOnly: true });
    for (const sql of [
      'select 1 insert into accounts (id) values (1)',
      '/* select */ DELETE FROM accounts',
      'WITH a AS (SELECT 1 AS n) UPDATE accounts SET n = 1',
      'SELECT id INTO copy FROM accounts',
    ]) {
      await failure(own.query({ sql }), 'DBM_READ_ONLY');
    }
    await own.query({ sql: "SELECT 'insert', [update] FROM (SELECT 1 AS [update]) AS t -- delete" });
    await own.query({ sql: "EXEC ('INSERT INTO accounts (id) VALUES (1)')" });
    await own.commit();
    expect(await ids()).toEqual([]);
    await insert(own, 2);
    expect(await ids()).toEqual([2]);
  });

  it('keeps its savepoints apart from those of others on the same connection', async () => {
    const own = await session();
    await own.begin();
    await insert(own, 1);
    await own.savepoint('trx1');
    await insert(own, 2);
    // Another user of the connection has kept a savepoint of that name.
    await own.query({ sql: 'SAVE TRANSACTION trx1; INSERT INTO accounts (id) VALUES (3)' });
    await own.rollbackTo('trx1');
    await own.commit();
    expect(await ids()).toEqual([1]);
    await own.begin();
    await failure(own.rollbackTo('trx1'), 'DBM_QUERY_FAILED');
    await own.savepoint('a name that is far longer than the thirty-two characters allowed');
    await own.rollback();
  });

  it('resets what a borrower has left, with the first request of the next', async () => {
    const connection = await open({ maxOpenConns: 1 });
    const state = async (own: SqlSession) => {
      const sql = `SELECT DB_NAME() AS db, @@OPTIONS & 16384 AS abort, transaction_isolation_level AS level
                   FROM sys.dm_exec_sessions WHERE session_id = @@SPID`;
      return (await own.query({ sql })).rows[0];
    };
    const usual = { db: database, abort: 0, level: 2 };
    for (const sql of [
      'SET XACT_ABORT ON; CREATE TABLE #own (n int)',
      'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE',
      'USE master',
    ]) {
      const first = sessionOf(connection);
      await first.query({ sql });
      expect(await state(first)).not.toEqual(usual);
      first.release();
      const next = sessionOf(connection);
      expect(await state(next)).toEqual(usual);
      await failure(next.query({ sql: 'SELECT * FROM #own' }), 'DBM_QUERY_FAILED');
      next.release();
      const third = sessionOf(connection);
      await third.begin();
      expect(await state(third)).toEqual(usual);
      third.release();
    }
    expect(connection.lanes.stats().created).toBe(1);
  });

  it('resets nothing between sessions that follow each other on one lease', async () => {
    const { engine, lanes } = await open({ maxOpenConns: 1 });
    const source = new PinnedSource(lanes);
    const first = engine.sql?.session(source) as SqlSession;
    await first.query({ sql: 'CREATE TABLE #kept (n int)' });
    first.release();
    const second = engine.sql?.session(source) as SqlSession;
    await expect(second.query({ sql: 'SELECT n FROM #kept' })).resolves.toMatchObject({ rows: [] });
    second.release();
    source.release();
    const next = engine.sql?.session(lanes) as SqlSession;
    sessions.push(next);
    await failure(next.query({ sql: 'SELECT n FROM #kept' }), 'DBM_SYNTAX');
  });

  it('restores the database and the isolation by itself where the bit might not', async () => {
    const connection = await open({ maxOpenConns: 1 });
    const lease = await connection.lanes.acquire();
    const { tedious } = lease.connection;
    lease.release();
    const sent: unknown[] = [];
    const { execSqlBatch } = tedious;
    tedious.execSqlBatch = (request) => {
      sent.push(request.sqlTextOrProcedure);
      Reflect.apply(execSqlBatch, tedious, [request]);
    };
    const first = sessionOf(connection);
    await first.query({ sql: 'SET TRANSACTION ISOLATION LEVEL SNAPSHOT; USE master' });
    first.release();
    const next = sessionOf(connection);
    await next.query({ sql: 'SELECT 1 AS one' });
    await next.query({ sql: 'SELECT 2 AS two' });
    expect(sent.slice(1)).toEqual([
      `use [${database}] set transaction isolation level read committed`,
      'SELECT 1 AS one',
      'SELECT 2 AS two',
    ]);
  });

  it('resets nothing within a session', async () => {
    const own = await session();
    await own.query({ sql: 'CREATE TABLE #own (n int)' });
    await own.query({ sql: 'INSERT INTO #own VALUES (1)' });
    expect((await own.query({ sql: 'SELECT n FROM #own' })).rows).toEqual([{ n: 1 }]);
  });

  it.each(["EXEC sp_set_session_context N'tenant', N'me'", 'SET CONTEXT_INFO 0x01'])(
    'closes a connection after %s, which no reset takes away for certain',
    async (sql) => {
      const connection = await open({ maxOpenConns: 1 });
      const own = sessionOf(connection);
      await own.query({ sql });
      own.release();
      const next = sessionOf(connection);
      const { rows } = await next.query({ sql: "SELECT SESSION_CONTEXT(N'tenant') AS tenant" });
      expect(rows).toEqual([{ tenant: null }]);
      expect(connection.lanes.stats().created).toBe(2);
    },
  );

  it('stops a statement by an attention, on its own connection, and keeps the transaction', async () => {
    const connection = await open({ maxOpenConns: 1 });
    const own = sessionOf(connection);
    await own.begin();
    await insert(own, 1);
    const waiting = { sql: "WAITFOR DELAY '00:01:00'" };
    await failure(own.query(waiting, { timeoutMs: 50 }), 'DBM_QUERY_TIMEOUT');
    const abort = new AbortController();
    const query = failure(own.query(waiting, { signal: abort.signal }), 'DBM_ABORTED');
    while ((await mssql().sessions(database)).every(({ status }) => status !== 'running'));
    abort.abort();
    await query;
    expect(own.inTransaction).toBe(true);
    await own.commit();
    expect(await ids()).toEqual([1]);
    expect(connection.lanes.stats().created).toBe(1);
  });

  it('limits the whole of a statement, not the wait for its first rows', async () => {
    const own = await session();
    const sql = "SELECT REPLICATE('x', 8000) AS first; WAITFOR DELAY '00:01:00'";
    await failure(own.query({ sql }, { timeoutMs: 50 }), 'DBM_QUERY_TIMEOUT');
    expect((await own.query({ sql: 'SELECT 1 AS one' })).rows).toEqual([{ one: 1 }]);
  });

  it('hits no later statement when the request to stop one comes late', async () => {
    const connection = await open({ maxOpenConns: 1 });
    for (let round = 0; round < 30; round++) {
      const own = sessionOf(connection);
      const abort = new AbortController();
      const query = own.query({ sql: 'SELECT 1 AS one' }, { signal: abort.signal });
      setImmediate(() => abort.abort());
      await query.catch((error) => expect(error).toMatchObject({ code: 'DBM_ABORTED' }));
      expect((await own.query({ sql: 'SELECT 1 AS one' })).rows).toEqual([{ one: 1 }]);
      own.release();
    }
    expect(connection.lanes.stats().created).toBe(1);
  });

  const series = (rows: number) =>
    `WITH s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < ${rows})
     SELECT n, REPLICATE('x', 1000) AS text FROM s OPTION (MAXRECURSION 0)`;

  it('streams in bounded memory, and stops the statement when the loop is left', async () => {
    const connection = await open({ maxOpenConns: 1 });
    const own = sessionOf(connection);
    const before = process.memoryUsage().arrayBuffers;
    let seen = 0;
    for await (const row of own.stream({ sql: series(1_000_000) })) {
      expect(row.n).toBe(++seen);
      if (seen % 128 === 0) await new Promise((resolve) => setImmediate(resolve));
      if (seen === 5_000) break;
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
    expect((await own.query({ sql: 'SELECT 1 AS one' })).rows).toEqual([{ one: 1 }]);
    own.release();
    expect(connection.lanes.stats()).toMatchObject({ created: 1, dirtyReleases: 0 });
  });

  it('streams with parameters, refuses others meanwhile, and tells of an error in the middle', async () => {
    const own = await session();
    const seen: unknown[] = [];
    for await (const row of own.stream({ sql: 'SELECT @p1 AS n UNION ALL SELECT @p2', params: [1, 2] })) {
      if (seen.length === 0) await failure(own.query({ sql: 'SELECT 1' }), 'DBM_UNSUPPORTED');
      seen.push(row.n);
    }
    expect(seen).toEqual([1, 2]);
    const failing = (async () => {
      for await (const row of own.stream({ sql: 'SELECT 1 AS n; SELECT 1 / 0 AS n' })) expect(row).toEqual({ n: 1 });
    })();
    await failure(failing, 'DBM_QUERY_FAILED');
    expect((await own.query({ sql: 'SELECT 1 AS one' })).rows).toEqual([{ one: 1 }]);
  });

  it('tells a stream that its connection has died', async () => {
    const own = await session();
    const read = async () => {
      for await (const row of own.stream({ sql: "SELECT 1 AS n; WAITFOR DELAY '00:01:00'" })) expect(row).toBeDefined();
    };
    const reading = failure(read(), 'DBM_CONNECTION_LOST');
    while ((await mssql().killAll(database, 'running')) === 0);
    own.release(await reading);
  });

  it('has stopped and rolled back what a borrower left running, before the next has the connection', async () => {
    const connection = await open({ maxOpenConns: 1 });
    const lease = await connection.lanes.acquire();
    const ended: unknown[] = [];
    for (const sql of ['BEGIN TRAN INSERT INTO accounts (id) VALUES (1)', "WAITFOR DELAY '00:01:00'"]) {
      const request = new Request(sql, (error) => ended.push((error as { code?: string } | undefined)?.code));
      lease.connection.submit(requestJob('execSqlBatch', request, undefined, { timeoutMs: 0 }));
    }
    lease.release();
    const own = sessionOf(connection);
    expect((await own.query({ sql: 'SELECT @@TRANCOUNT AS depth' })).rows).toEqual([{ depth: 0 }]);
    expect(ended).toEqual(['DBM_LEASE_RELEASED', 'ECANCEL']);
    expect(connection.lanes.stats()).toMatchObject({ created: 1, dirtyReleases: 1 });
    expect(await ids()).toEqual([]);
  });

  it('goes on with the next when whoever asked throws', async () => {
    const connection = await open({ maxOpenConns: 1 });
    const lease = await connection.lanes.acquire();
    const thrown = Promise.withResolvers<unknown>();
    lease.connection.submit({
      kind: 'statement',
      text: '',
      timeoutMs: 0,
      send: (_, done) =>
        setImmediate(() => {
          try {
            done();
          } catch (error) {
            thrown.resolve(error);
          }
        }),
      deliver() {
        throw new Error('of the caller');
      },
    });
    await lease.connection.run('SELECT 1 AS one');
    expect(await thrown.promise).toMatchObject({ message: 'of the caller' });
    lease.release();
  });

  it('notes what a leaked connection ran last, without its values', async () => {
    const connection = await open({ leakDetectionMs: 60_000 });
    const own = sessionOf(connection);
    await own.query({ sql: `SELECT N'secret' AS a, 0xFF AS b, 42 AS [c]` });
    const { held } = await connection.lanes.close({ drainTimeoutMs: 0 });
    expect(held).toEqual([expect.objectContaining({ lastStatement: 'SELECT ? AS a, ? AS b, ? AS [c]' })]);
  });

  it('closes a connection that cannot be made what the borrower expects', async () => {
    const own = await mssql().createDatabase();
    const connection = await open({ maxOpenConns: 1, database: own });
    const first = sessionOf(connection);
    await first.query({ sql: 'USE master' });
    first.release();
    await mssql().dropDatabase(own);
    const next = sessionOf(connection);
    next.release(await failure(next.query({ sql: 'SELECT DB_NAME() AS db' })));
    while (connection.lanes.stats().destroyed === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(connection.lanes.stats().created).toBe(1);
  });
});

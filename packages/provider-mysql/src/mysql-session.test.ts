import { isDbManagerError, Secret, type SqlSession } from '@dbmanager/core';
import { describeWithMariadb, failure, TestConnection, type TestOptions } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import type { MysqlConnection, MysqlPool } from './mysql-driver.js';
import type { MysqlOptions } from './mysql-options.js';
import { mariadbProvider } from './mysql-provider.js';

describeWithMariadb('sessions on MariaDB', (mariadb) => {
  let database: string;
  const opened: TestConnection<MysqlConnection>[] = [];

  beforeAll(async () => {
    database = await mariadb().createDatabase();
    await mariadb().query('CREATE TABLE accounts (id INT PRIMARY KEY, n INT)', [], database);
    await mariadb().query('CREATE TABLE numbered (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, n INT)', [], database);
  });
  afterAll(() => mariadb().dropDatabase(database));
  afterEach(async () => {
    for (const connection of opened.splice(0)) await connection.close();
    for (const table of ['accounts', 'numbered']) await mariadb().query(`TRUNCATE ${table}`, [], database);
  });

  async function open(over: TestOptions<MysqlOptions> = {}) {
    const { password, ...rest } = mariadb().connection(database);
    const options = { ...rest, password: new Secret(password), ...over };
    const connection = await TestConnection.open(mariadbProvider, options);
    opened.push(connection);
    return connection;
  }
  const sessionOf = ({ engine, lanes }: TestConnection<MysqlConnection>) => engine.sql?.session(lanes) as SqlSession;
  const session = async (over?: TestOptions<MysqlOptions>) => sessionOf(await open(over));
  const accounts = () => mariadb().query('SELECT id, n FROM accounts ORDER BY id', [], database);

  it('sends whole numbers as such: LIMIT takes them, and large keys keep their last digits', async () => {
    const own = await session();
    const key = 9007199254740993n;
    await own.query({ sql: 'INSERT INTO numbered (id, n) VALUES (?, ?)', params: [key, 1] });
    const { rows } = await own.query({ sql: 'SELECT id FROM numbered WHERE id = ? LIMIT ?', params: [key, 1] });
    expect(rows).toEqual([{ id: '9007199254740993' }]);
    const { rows: largest } = await own.query({ sql: 'SELECT ? AS n', params: [18446744073709551615n] });
    expect(largest).toEqual([{ n: '18446744073709551615' }]);
    own.release();
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'refuses %p, which the server would store as another number',
    async (value) => {
      const own = await session();
      await failure(own.query({ sql: 'INSERT INTO numbered (n) VALUES (?)', params: [value] }), 'DBM_QUERY_FAILED');
      await failure(own.query({ sql: 'SELECT CAST(? AS DECIMAL) AS n', params: [value] }), 'DBM_QUERY_FAILED');
      own.release();
    },
  );

  it('does not lend a connection again that the server closes for too large a statement', async () => {
    const connection = await open({ maxOpenConns: 1 });
    const [{ size }] = (await mariadb().query('SELECT @@max_allowed_packet AS size')) as [{ size: number }];
    const large = sessionOf(connection);
    const error = await failure(
      large.query({ sql: 'SELECT LENGTH(?) AS length', params: [Buffer.alloc(Number(size) + 1)] }),
      'DBM_QUERY_FAILED',
    );
    expect(error.retryable).toBe(false);
    large.release(error);
    const next = sessionOf(connection);
    await next.query({ sql: 'SELECT 1' });
    next.release();
    expect(connection.lanes.stats()).toMatchObject({ created: 2, closedBy: { error: 1 } });
  });

  it('never takes an object for a piece of SQL', async () => {
    const own = await session();
    const { rows } = await own.query({ sql: 'SELECT ? AS value', params: [{ value: 1 }] });
    expect(rows).toEqual([{ value: '{"value":1}' }]);
    own.release();
  });

  it('gives the key that was generated, also one that is too large for a number', async () => {
    const own = await session();
    const insertion = { sql: 'INSERT INTO numbered (n) VALUES (?)', params: [1] };
    expect((await own.query(insertion)).lastInsertId).toEqual(expect.any(Number));
    await own.query({ sql: 'INSERT INTO numbered (id) VALUES (9007199254740992)' });
    expect((await own.query(insertion)).lastInsertId).toBe(9007199254740993n);
    expect((await own.query({ sql: 'SELECT 1' })).lastInsertId).toBeUndefined();
    own.release();
  });

  it('counts the rows that an update found, changed or not', async () => {
    const own = await session();
    await own.query({ sql: 'INSERT INTO accounts VALUES (1, 1)' });
    expect((await own.query({ sql: 'UPDATE accounts SET n = 1' })).rowsAffected).toBe(1);
    own.release();
  });

  it('gives the rows of a procedure, and of the last of several statements where they are allowed', async () => {
    await mariadb().query('CREATE OR REPLACE PROCEDURE two() SELECT 2 AS n', [], database);
    const own = await session({ multipleStatements: true });
    expect((await own.query({ sql: 'CALL two()' })).rows).toEqual([{ n: 2 }]);
    expect((await own.query({ sql: 'SELECT 1 AS n; SELECT 2 AS n' })).rows).toEqual([{ n: 2 }]);
    own.release();
    const strict = await session();
    await failure(strict.query({ sql: 'SELECT 1; SELECT 2' }), 'DBM_QUERY_FAILED');
    strict.release();
  });

  it('takes dates to be in the time zone that it is told, and sets the session to it', async () => {
    const date = new Date('2024-02-29T12:00:00Z');
    for (const [timezone, text] of [
      ['Z', '2024-02-29 12:00:00'],
      ['+02:00', '2024-02-29 14:00:00'],
    ]) {
      const own = await session({ timezone: timezone as string });
      const { rows } = await own.query({
        sql: 'SELECT CAST(? AS DATETIME) AS d, CAST(? AS CHAR) AS t, TIMEDIFF(NOW(), UTC_TIMESTAMP()) AS off',
        params: [date, date],
      });
      expect(rows).toEqual([{ d: date, t: expect.stringContaining(text as string), off: expect.any(String) }]);
      expect(String(rows[0]?.off).startsWith(timezone === 'Z' ? '00:00' : '02:00')).toBe(true);
      own.release();
    }
  });

  it('begins with the isolation and access it is told, for one transaction', async () => {
    const own = await session();
    await own.begin({ isolation: 'serializable', readOnly: true });
    const sql = `SELECT trx_isolation_level AS level, trx_is_read_only AS readOnly FROM information_schema.innodb_trx
                 WHERE trx_mysql_thread_id = CONNECTION_ID()`;
    // The list of transactions is filled from a cache that is refreshed every tenth of a second.
    let found: unknown;
    while (found === undefined) {
      await own.query({ sql: 'SELECT * FROM accounts' });
      [found] = (await own.query({ sql })).rows;
    }
    expect(found).toEqual({ level: 'SERIALIZABLE', readOnly: 1 });
    await own.commit();
    await own.begin();
    await own.query({ sql: 'INSERT INTO accounts VALUES (1, 1)' });
    await own.commit();
    own.release();
    expect(await accounts()).toEqual([{ id: 1, n: 1 }]);
  });

  it('refuses to begin twice: the server would commit the first', async () => {
    const own = await session();
    await own.begin();
    await own.query({ sql: 'INSERT INTO accounts VALUES (1, 1)' });
    await failure(own.begin(), 'DBM_QUERY_FAILED');
    await own.rollback();
    own.release();
    expect(await accounts()).toEqual([]);
  });

  it.each([
    'CREATE TABLE other (n INT)',
    '/* comment */ -- another\n# and another\nALTER TABLE accounts ADD COLUMN x INT',
    '/*!50000 DROP */ TABLE accounts',
    'TRUNCATE accounts',
    'LOCK TABLES accounts WRITE',
    'SET STATEMENT max_statement_time = 10 FOR TRUNCATE accounts',
    'SELECT 1; TRUNCATE accounts',
    'SET @x = 1, autocommit = 0',
  ])('refuses %j in a transaction: the server would commit it', async (sql) => {
    const own = await session();
    await own.begin();
    await own.query({ sql: 'INSERT INTO accounts VALUES (1, 1)' });
    const error = await failure(own.query({ sql }), 'DBM_UNSUPPORTED');
    expect(error.message).toMatch(/commit/);
    expect(own.inTransaction).toBe(true);
    await own.rollback();
    own.release();
    expect(await accounts()).toEqual([]);
  });

  it('allows temporary tables in a transaction, and tables outside', async () => {
    const own = await session();
    await own.query({ sql: 'CREATE TABLE outside (n INT)' });
    await own.begin();
    await own.query({ sql: 'CREATE TEMPORARY TABLE inside (n INT)' });
    await own.query({ sql: 'DROP TEMPORARY TABLE inside' });
    await own.query({ sql: 'ANALYZE SELECT n FROM accounts' });
    await own.query({ sql: "SET @before = @@autocommit, @word = 'create table'" });
    expect(own.inTransaction).toBe(true);
    await own.rollback();
    await own.query({ sql: 'DROP TABLE outside' });
    own.release();
  });

  it('does not know what became of a COMMIT to which the server, or a proxy, only says that it goes', async () => {
    const connection = await open({ maxOpenConns: 1 });
    const lease = await connection.lanes.acquire();
    const real = lease.connection;
    lease.release();
    const own = sessionOf(connection);
    await own.begin();
    const going = Object.assign(new Error('Connection was killed'), { errno: 1927, sqlState: '70100' });
    real.query = ((_: unknown, callback: (error: Error) => void) => setImmediate(callback, going)) as never;
    own.release(await failure(own.commit(), 'DBM_COMMIT_UNKNOWN'));
    expect((await sessionOf(connection).query({ sql: 'SELECT 1 AS one' })).rows).toEqual([{ one: 1 }]);
    expect(connection.lanes.stats().created).toBe(2);
  });

  it('says of a deadlock that it may be repeated; nothing runs after it but the end', async () => {
    const connection = await open();
    await mariadb().query('INSERT INTO accounts VALUES (1, 0), (2, 0)', [], database);
    const own = [sessionOf(connection), sessionOf(connection)] as const;
    const touch = (who: 0 | 1, id: number) => own[who].query({ sql: `UPDATE accounts SET n = n + 1 WHERE id = ${id}` });
    for (const each of own) await each.begin();
    await touch(0, 1);
    await touch(1, 2);
    const crossed = await Promise.allSettled([touch(0, 2), touch(1, 1)]);
    const loser = crossed[0].status === 'rejected' ? 0 : 1;
    const { reason } = crossed[loser] as PromiseRejectedResult;
    expect(reason).toMatchObject({ code: 'DBM_DEADLOCK', retryable: true });
    expect(connection.engine.sql?.conflict?.(reason)).toBe('deadlock');
    expect(own[loser].inTransaction).toBe(false);
    await failure(touch(loser, 1), 'DBM_TRANSACTION_ABORTED');
    const error = await failure(own[loser].commit(), 'DBM_TRANSACTION_ABORTED');
    expect(isDbManagerError(error.cause, 'DBM_DEADLOCK')).toBe(true);
    await own[1 - loser]?.commit();
    for (const each of own) each.release();
    expect(await accounts()).toEqual([
      { id: 1, n: 1 },
      { id: 2, n: 1 },
    ]);
    expect(connection.lanes.stats().dirtyReleases).toBe(0);
  });

  it('goes on with the transaction after a lock that could not be had', async () => {
    const connection = await open();
    await mariadb().query('INSERT INTO accounts VALUES (1, 0)', [], database);
    const [holder, other] = [sessionOf(connection), sessionOf(connection)];
    await holder.begin();
    await holder.query({ sql: 'UPDATE accounts SET n = 1 WHERE id = 1' });
    await other.begin();
    await other.query({ sql: 'INSERT INTO accounts VALUES (2, 2)' });
    const error = await failure(
      other.query({ sql: 'SELECT n FROM accounts WHERE id = 1 FOR UPDATE NOWAIT' }),
      'DBM_QUERY_FAILED',
    );
    expect(error.retryable).toBe(true);
    expect(connection.engine.sql?.conflict?.(error)).toBeUndefined();
    expect(other.inTransaction).toBe(true);
    await other.commit();
    await holder.rollback();
    for (const each of [holder, other]) each.release();
    expect(await accounts()).toContainEqual({ id: 2, n: 2 });
  });

  it('finds out whether an error has ended the transaction, and loses nothing of it when it has not', async () => {
    const own = await session();
    await own.begin();
    await own.query({ sql: 'INSERT INTO accounts VALUES (1, 1)' });
    await failure(own.query({ sql: 'INSERT INTO accounts VALUES (1, 1)' }), 'DBM_QUERY_FAILED');
    await failure(own.query({ sql: 'SELEKT' }), 'DBM_QUERY_FAILED');
    await own.commit();
    own.release();
    expect(await accounts()).toEqual([{ id: 1, n: 1 }]);
  });

  it('cleans a connection whose borrower has turned autocommit off, or begun and failed', async () => {
    const connection = await open({ maxOpenConns: 1 });
    for (const sql of [
      'SET autocommit = 0',
      `BEGIN NOT ATOMIC START TRANSACTION; INSERT INTO accounts VALUES (1, 1); SIGNAL SQLSTATE '45000'; END`,
    ]) {
      const lease = await connection.lanes.acquire();
      await lease.connection
        .promise()
        .query(sql)
        .catch((error) => expect(error).toMatchObject({ sqlState: '45000' }));
      lease.release();
      const own = sessionOf(connection);
      const { rows } = await own.query({ sql: 'SELECT @@autocommit AS auto, @@in_transaction AS open' });
      expect(rows).toEqual([{ auto: 1, open: 0 }]);
      own.release();
    }
    expect(await accounts()).toEqual([]);
    expect(connection.lanes.stats()).toMatchObject({ created: 1, dirtyReleases: 2 });
  });

  it('cleans a connection on which more is asked for while it is being cleaned', async () => {
    const connection = await open({ maxOpenConns: 1 });
    const lease = await connection.lanes.acquire();
    const real = lease.connection;
    real.query({ sql: 'DO SLEEP(0.05)' } as never, () => real.ping());
    lease.release();
    expect((await sessionOf(connection).query({ sql: 'SELECT 1 AS one' })).rows).toEqual([{ one: 1 }]);
    expect(connection.lanes.stats()).toMatchObject({ created: 1, dirtyReleases: 1 });
  });

  it('says that a connection was lost, too, where its limit was to be lifted', async () => {
    const connection = await open({ maxOpenConns: 1 });
    const lease = await connection.lanes.acquire();
    const gone = Object.assign(new Error('Connection lost'), { code: 'PROTOCOL_CONNECTION_LOST', fatal: true });
    const lost = ((_statement: unknown, done: (error: Error) => void) => done(gone)) as MysqlConnection['query'];
    jest.spyOn(lease.connection, 'query').mockImplementation(lost);
    lease.release();
    const own = sessionOf(connection);
    await failure(own.query({ sql: 'SELECT 1' }, { timeoutMs: 3_600_000 }), 'DBM_CONNECTION_LOST');
    own.release(gone);
  });

  it('has the server limit statements, and lifts the limit for one that may take longer', async () => {
    const own = await session({ queryTimeoutMs: 300 });
    const error = await failure(own.query({ sql: 'SELECT SLEEP(5)' }), 'DBM_QUERY_TIMEOUT');
    expect(error.cause).toMatchObject({ errno: 1969 });
    const slow = { sql: 'SELECT SLEEP(0.5) AS interrupted' };
    expect((await own.query(slow, { timeoutMs: 5_000 })).rows).toEqual([{ interrupted: 0 }]);
    await failure(own.query(slow), 'DBM_QUERY_TIMEOUT');
    own.release();
  });

  it('hits no later statement when the request to stop one comes late', async () => {
    const connection = await open({ maxOpenConns: 1 });
    for (let round = 0; round < 30; round++) {
      const own = sessionOf(connection);
      const abort = new AbortController();
      const query = own.query({ sql: `SELECT SLEEP(${round / 10_000})` }, { signal: abort.signal });
      setImmediate(() => abort.abort());
      await query.catch((error) => expect(error).toMatchObject({ code: 'DBM_ABORTED' }));
      expect((await own.query({ sql: 'SELECT 1 AS one' })).rows).toEqual([{ one: 1 }]);
      own.release();
    }
    expect(connection.lanes.stats().created).toBe(1);
  });

  it('streams in bounded memory, and stops the statement when the loop is left', async () => {
    const connection = await open({ maxOpenConns: 1 });
    const own = sessionOf(connection);
    const sql = `SELECT seq, REPEAT('x', 1000) AS text FROM seq_1_to_1000000`;
    const before = process.memoryUsage().arrayBuffers;
    let seen = 0;
    for await (const row of own.stream({ sql })) {
      expect(row.seq).toBe(++seen);
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
    for await (const row of own.stream({ sql: 'SELECT seq FROM seq_1_to_1000 WHERE seq > ?', params: [990] })) {
      if (seen.length === 0) await failure(own.query({ sql: 'SELECT 1' }), 'DBM_UNSUPPORTED');
      seen.push(row.seq);
    }
    expect(seen).toEqual([991, 992, 993, 994, 995, 996, 997, 998, 999, 1000]);
    const failing = (async () => {
      const sql = 'SELECT IF(seq = 9000, (SELECT 1 UNION SELECT 2), seq) AS n FROM seq_1_to_10000';
      for await (const _row of own.stream({ sql }));
    })();
    await failure(failing, 'DBM_QUERY_FAILED');
    expect((await own.query({ sql: 'SELECT 1 AS one' })).rows).toEqual([{ one: 1 }]);
    own.release();
  });

  it('tells a stream that its connection has died', async () => {
    const own = await session();
    const sql = 'SELECT seq, SLEEP(IF(seq = 1, 0, 60)) FROM seq_1_to_200';
    const read = async () => {
      for await (const row of own.stream({ sql })) expect(row).toBeDefined();
    };
    const reading = failure(read(), 'DBM_CONNECTION_LOST');
    while ((await mariadb().killAll(database, 'Query')) === 0);
    own.release(await reading);
  });

  it('notes what a leaked connection ran last, without its values', async () => {
    const connection = await open({ leakDetectionMs: 60_000 });
    const own = sessionOf(connection);
    await own.query({ sql: `SELECT 'secret', "quoted", 42` });
    const { held } = await connection.lanes.close({ drainTimeoutMs: 0 });
    expect(held).toEqual([expect.objectContaining({ lastStatement: 'SELECT ?, ?, ?' })]);
    own.release();
  });

  it('keeps no password on its connections', async () => {
    const connection = await open({ maxOpenConns: 1 });
    const pool = connection.engine.native?.(connection.lanes) as MysqlPool;
    const lent = await pool.promise().getConnection();
    expect(lent.connection.config.password).toBeUndefined();
    lent.release();
  });
});

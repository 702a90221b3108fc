import { type DbManagerError, type Row, Secret, type SqlSession } from '@dbmanager/core';
import { describeWithPostgres, FaultProxy, TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { PgClient } from './pg-driver.js';
import { postgresProvider } from './postgres-provider.js';

/** `query_timeout` of the connection, which the server enforces. */
const SERVER_LIMIT_MS = 300;

describeWithPostgres('a PostgreSQL session', (postgres) => {
  let database: string;
  let proxy: FaultProxy;
  let connection: TestConnection<PgClient>;

  beforeAll(async () => {
    database = await postgres().createDatabase();
    proxy = await FaultProxy.start(postgres());
  });

  beforeEach(async () => {
    const { password, user } = postgres();
    connection = await TestConnection.open(postgresProvider, {
      host: proxy.host,
      port: proxy.port,
      user,
      database,
      password: new Secret(password),
      sslmode: 'disable',
      queryTimeoutMs: SERVER_LIMIT_MS,
      maxOpenConns: 1,
      maxIdleConns: 1,
    });
  });

  afterEach(async () => {
    expect(connection.lanes.counts.inUse).toBe(0);
    proxy.heal();
    await proxy.accept();
    await connection.close();
    await proxy.untilLive(0);
  });

  afterAll(async () => {
    proxy?.close();
    await postgres().dropDatabase(database);
  });

  async function withSession<T>(work: (session: SqlSession) => Promise<T>): Promise<T> {
    const session = connection.engine.sql?.session(connection.lanes) as SqlSession;
    try {
      return await work(session);
    } finally {
      session.release();
    }
  }

  const one = async (session: SqlSession, sql: string, ...params: unknown[]): Promise<unknown> =>
    Object.values((await session.query({ sql, params })).rows[0] as Row)[0];
  const pid = (session: SqlSession) => one(session, 'SELECT pg_backend_pid()');
  const rejection = (work: Promise<unknown>): Promise<DbManagerError> =>
    work.then(
      () => Promise.reject(new Error('it did not fail')),
      (error: DbManagerError) => error,
    );
  const active = async () => (await postgres().backends(database)).filter(({ state }) => state === 'active');
  const untilActive = async () => {
    while ((await active()).length === 0);
  };

  it('lets the server end a statement at query_timeout, and goes on with the same backend', async () => {
    await withSession(async (session) => {
      const before = await pid(session);
      const error = await rejection(session.query({ sql: 'SELECT pg_sleep(60)' }));
      expect(error).toMatchObject({ code: 'DBM_QUERY_TIMEOUT', option: 'query_timeout', cause: { code: '57014' } });
      expect(await pid(session)).toBe(before);
    });
  });

  it('cancels a statement at a shorter timeout of its own, and goes on with the same backend', async () => {
    await withSession(async (session) => {
      const before = await pid(session);
      const error = await rejection(session.query({ sql: 'SELECT pg_sleep(60)' }, { timeoutMs: 50 }));
      expect(error).toMatchObject({ code: 'DBM_QUERY_TIMEOUT', message: expect.stringContaining('50 ms') });
      expect(await active()).toEqual([]);
      expect(await pid(session)).toBe(before);
    });
  });

  it.each([
    ['longer timeout', SERVER_LIMIT_MS * 10],
    ['timeout of 0', 0],
  ])('lifts the limit of the server for a statement with a %s, and for no other', async (_, timeoutMs) => {
    await withSession(async (session) => {
      const slept = session.query({ sql: `SELECT pg_sleep(${(SERVER_LIMIT_MS * 1.5) / 1000})` }, { timeoutMs });
      expect((await slept).rows).toHaveLength(1);
      expect(await one(session, 'SHOW statement_timeout')).toBe(`${SERVER_LIMIT_MS}ms`);
      await session.begin();
      await rejection(session.query({ sql: 'SELEKT' }, { timeoutMs }));
      await session.rollback();
      expect(await one(session, 'SHOW statement_timeout')).toBe(`${SERVER_LIMIT_MS}ms`);
    });
  });

  it('cancels a statement when its caller gives up, and goes on with the same backend', async () => {
    await withSession(async (session) => {
      const before = await pid(session);
      const abort = new AbortController();
      const query = rejection(session.query({ sql: 'SELECT pg_sleep(60)' }, { signal: abort.signal }));
      await untilActive();
      abort.abort(new Error('enough'));
      expect(await query).toMatchObject({ code: 'DBM_ABORTED', cause: { message: 'enough' } });
      expect(await active()).toEqual([]);
      expect(await pid(session)).toBe(before);
    });
  });

  it('never cancels the statement after the one that was to be cancelled', async () => {
    await withSession(async (session) => {
      for (let round = 0; round < 40; round++) {
        // The first is over at about the moment when its cancel request goes out.
        await session.query({ sql: 'SELECT pg_sleep(0.005)' }, { timeoutMs: 5 }).catch(() => undefined);
        await session.query({ sql: 'SELECT pg_sleep(0.005)' });
      }
    });
  });

  it('gives up a connection that cannot be cancelled, and never uses it again', async () => {
    await withSession(async (session) => {
      await pid(session);
      proxy.blackHole();
      proxy.refuse();
      const error = await rejection(session.query({ sql: 'SELECT 1' }, { timeoutMs: 50 }));
      expect(error.code).toBe('DBM_QUERY_TIMEOUT');
    });
    await proxy.untilLive(0);
    await proxy.accept();
    await withSession(pid);
    expect(connection.lanes.stats()).toMatchObject({ created: 2 });
  });

  it('gives up a connection when the cancel request meets silence', async () => {
    await withSession(async (session) => {
      await pid(session);
      proxy.blackHole();
      proxy.silent = true;
      const error = await rejection(session.query({ sql: 'SELECT 1' }, { timeoutMs: 50 }));
      expect(error.code).toBe('DBM_QUERY_TIMEOUT');
    });
    await proxy.untilLive(0);
  });

  it('tells a cancel by somebody else from a timeout', async () => {
    await withSession(async (session) => {
      const query = rejection(session.query({ sql: 'SELECT pg_sleep(60)' }, { timeoutMs: 60_000 }));
      await untilActive();
      await postgres().query('SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = $1', [database]);
      expect(await query).toMatchObject({ code: 'DBM_QUERY_FAILED', cause: { code: '57014' } });
    });
  });

  it('lets the engine cancel what runs on a connection', async () => {
    const lease = await connection.lanes.acquire();
    const query = lease.connection.query('SELECT pg_sleep(60)');
    const failed = expect(query).rejects.toMatchObject({ code: '57014' });
    await untilActive();
    await connection.engine.sql?.cancel?.(lease.connection);
    await failed;
    lease.release();
  });

  it('shows no value that a statement was given, wherever the server puts it', async () => {
    await withSession(async (session) => {
      const error = await rejection(session.query({ sql: 'SELECT $1::int', params: ['hunter2'] }));
      expect(error).toMatchObject({ code: 'DBM_QUERY_FAILED', cause: { code: '22P02' } });
      expect(error.message).not.toContain('hunter2');
      expect(error.message).toContain('22P02');
    });
  });

  it('gives the last result of several commands in one text', async () => {
    await withSession(async (session) => {
      expect((await session.query({ sql: 'SELECT 1 AS a; SELECT 2 AS b' })).rows).toEqual([{ b: 2 }]);
      expect((await session.query({ sql: '' })).rowsAffected).toBe(0);
    });
  });

  it('marks a lost race between transactions as retryable', async () => {
    const admin = (sql: string) => postgres().query(sql, [], database);
    await admin('CREATE TABLE race (id int); INSERT INTO race VALUES (1)');
    await withSession(async (session) => {
      await session.begin({ isolation: 'serializable' });
      await session.query({ sql: 'SELECT * FROM race' });
      await admin('UPDATE race SET id = 2');
      const error = await rejection(session.query({ sql: 'UPDATE race SET id = 3' }));
      expect(error).toMatchObject({ code: 'DBM_SERIALIZATION_FAILURE', retryable: true, cause: { code: '40001' } });
      await session.rollback();
    });
  });

  it('passes on what the server says at COMMIT, and is in no transaction afterwards', async () => {
    await withSession(async (session) => {
      await session.query({ sql: 'CREATE TABLE IF NOT EXISTS late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)' });
      await session.begin();
      await session.query({ sql: 'INSERT INTO late VALUES (1), (1)' });
      expect(await rejection(session.commit())).toMatchObject({
        code: 'DBM_UNIQUE_VIOLATION',
        cause: { code: '23505' },
      });
      expect(session.inTransaction).toBe(false);
    });
  });

  it('keeps its connections when a write is refused in a transaction begun read-only', async () => {
    await withSession(pid);
    const { generation } = connection.lanes.stats();
    const session = connection.engine.sql?.session(connection.lanes) as SqlSession;
    await session.begin({ readOnly: true });
    const error = await rejection(session.query({ sql: 'CREATE TABLE never (id int)' }));
    expect(error.code).toBe('DBM_READ_ONLY');
    await session.rollback();
    session.release(error);
    await withSession(pid);
    expect(connection.lanes.stats()).toMatchObject({ created: 1, generation });
  });

  it('leaves nothing borrowed when it is released while it waits for its connection', async () => {
    const holder = await connection.lanes.acquire();
    const session = connection.engine.sql?.session(connection.lanes) as SqlSession;
    const query = rejection(session.query({ sql: 'SELECT 1' }));
    while (connection.lanes.counts.pending === 0) await Promise.resolve();
    session.release();
    holder.release();
    expect(await query).toMatchObject({ code: 'DBM_LEASE_RELEASED' });
    expect(connection.lanes.counts).toMatchObject({ inUse: 0, pending: 0 });
  });

  it('gives up waiting for a connection when the caller of begin does', async () => {
    const holder = await connection.lanes.acquire();
    const abort = new AbortController();
    await withSession(async (session) => {
      const begin = rejection(session.begin({ signal: abort.signal }));
      abort.abort();
      expect(await begin).toMatchObject({ code: 'DBM_ABORTED' });
    });
    holder.release();
  });

  it('says that the connection was lost when the server ended it', async () => {
    await withSession(async (session) => {
      const query = rejection(session.query({ sql: 'SELECT pg_sleep(60)' }, { timeoutMs: 60_000 }));
      await untilActive();
      await postgres().terminateBackends(database, 'active');
      expect(await query).toMatchObject({ code: 'DBM_CONNECTION_LOST', retryable: false });
      expect(await rejection(session.query({ sql: 'SELECT 1' }))).toMatchObject({ connectionName: 'test' });
    });
    await withSession(pid);
  });

  it('streams in bounded memory', async () => {
    await withSession(async (session) => {
      const rows = 100_000;
      const statement = {
        sql: `SELECT n, repeat('x', 1000) AS filler FROM generate_series(1, $1::int) AS n`,
        params: [rows],
      };
      let seen = 0;
      let misplaced = 0;
      let baseline = 0;
      for await (const row of session.stream(statement, { timeoutMs: 60_000 })) {
        if (++seen === 1) baseline = process.memoryUsage().heapUsed;
        if (row.n !== seen) misplaced++;
      }
      expect(misplaced).toBe(0);
      expect(seen).toBe(rows);
      // All rows together are 100 MB.
      expect(process.memoryUsage().heapUsed - baseline).toBeLessThan(50e6);
    });
  }, 60_000);

  it('does not count the time of a stream’s consumer, only its own', async () => {
    await withSession(async (session) => {
      let seen = 0;
      for await (const _row of session.stream({ sql: 'SELECT generate_series(1, 300)' })) {
        if (++seen === 1) await postgres().query(`SELECT pg_sleep(${(SERVER_LIMIT_MS * 1.5) / 1000})`);
      }
      expect(seen).toBe(300);
      expect(await one(session, 'SHOW statement_timeout')).toBe(`${SERVER_LIMIT_MS}ms`);
    });
  });

  it('stops the server’s work when a stream ends early', async () => {
    await withSession(async (session) => {
      const before = await pid(session);
      for await (const _row of session.stream({
        sql: 'SELECT a FROM generate_series(1, 10000) AS a, generate_series(1, 10000) AS b',
      }))
        break;
      expect(await active()).toEqual([]);
      expect(await pid(session)).toBe(before);
    });
  });

  it('refuses a statement inside the loop of a stream rather than waiting for ever', async () => {
    await withSession(async (session) => {
      for await (const _row of session.stream({ sql: 'SELECT generate_series(1, 3)' })) {
        expect(await rejection(session.query({ sql: 'SELECT 1' }))).toMatchObject({ code: 'DBM_UNSUPPORTED' });
        expect(await rejection(session.begin())).toMatchObject({ code: 'DBM_UNSUPPORTED' });
      }
      await pid(session);
    });
  });

  it.each<[string, string, unknown[] | undefined, object]>([
    [
      'whose value cannot be sent',
      'SELECT $1::text',
      [
        {
          toPostgres: () => {
            throw new TypeError('unsendable');
          },
        },
      ],
      { cause: { message: 'unsendable' } },
    ],
    [
      'that fails after rows',
      'SELECT 1 / (200 - n) FROM generate_series(1, 300) AS n',
      undefined,
      { cause: { code: '22012' } },
    ],
    ['of COPY out', 'COPY (SELECT 1) TO STDOUT', undefined, { code: 'DBM_QUERY_FAILED' }],
    ['of COPY in', 'COPY pg_class FROM STDIN', undefined, { code: 'DBM_QUERY_FAILED' }],
  ])('rejects a stream %s, and goes on', async (_, sql, params, expected) => {
    await withSession(async (session) => {
      const before = await pid(session);
      const reading = (async () => {
        for await (const _row of session.stream({ sql, params }));
      })();
      expect(await rejection(reading)).toMatchObject(expected);
      expect(await pid(session)).toBe(before);
    });
  });

  it('streams what an INSERT returns, and nothing from the empty statement', async () => {
    await withSession(async (session) => {
      const read = async (sql: string) => {
        const rows: unknown[] = [];
        for await (const row of session.stream({ sql })) rows.push(row);
        return rows;
      };
      await session.query({ sql: 'CREATE TEMP TABLE kept (id int)' });
      expect(await read('INSERT INTO kept SELECT generate_series(1, 300) RETURNING id')).toHaveLength(300);
      expect(await read('')).toEqual([]);
      expect(await one(session, 'SELECT count(*)::int FROM kept')).toBe(300);
    });
  });

  it('cancels a stream at its timeout and when its caller gives up', async () => {
    await withSession(async (session) => {
      const before = await pid(session);
      const read = async (options: object) => {
        for await (const _row of session.stream({ sql: 'SELECT pg_sleep(60)' }, options));
      };
      expect(await rejection(read({ timeoutMs: 50 }))).toMatchObject({ code: 'DBM_QUERY_TIMEOUT' });
      const abort = new AbortController();
      const aborted = rejection(read({ signal: abort.signal }));
      await untilActive();
      abort.abort();
      expect(await aborted).toMatchObject({ code: 'DBM_ABORTED' });
      expect(await pid(session)).toBe(before);
    });
  });
});

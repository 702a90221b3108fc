import { type Row, Secret, type SqlSession, type StatementResult } from '@dbmanager/core';
import { describeWithCockroachdb, TestConnection, testConfig } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import QueryStream from 'pg-query-stream';
import type { CockroachdbOptions } from './cockroachdb-options.js';
import { cockroachdbProvider } from './cockroachdb-provider.js';
import { type PgClient, type PgPool, wireOf } from './pg-driver.js';
import { checkTarget, resolveTarget } from './postgres-target.js';

describe('where to connect to CockroachDB', () => {
  const config = (options: Partial<CockroachdbOptions>) =>
    testConfig(cockroachdbProvider, { user: 'app', ...options }, 'primary');

  it('has the defaults of CockroachDB', () => {
    expect(resolveTarget(config({}))).toMatchObject({
      hosts: [{ host: 'localhost', port: 26_257 }],
      database: 'defaultdb',
      sessionAttrs: 'any',
      serverOptions: undefined,
    });
  });

  it('may name the cluster, before the search path and after the options of the DSN', () => {
    const dsn = new Secret('postgres://u@h/d?options=-c%20autocommit_before_ddl%3Doff');
    expect(resolveTarget(config({ dsn, cluster: 'funny-skunk-123', schema: 'app' })).serverOptions).toBe(
      '-c autocommit_before_ddl=off --cluster=funny-skunk-123 -c search_path="app"',
    );
    const inDsn = new Secret('postgres://u@h/d?options=--cluster%3Dfunny-skunk-123');
    expect(resolveTarget(config({ dsn: inDsn })).serverOptions).toBe('--cluster=funny-skunk-123');
  });

  it.each<[string, Partial<CockroachdbOptions>, string[]]>([
    ['a cluster that would be more than one option', { cluster: 'a -c b=c' }, ['cluster', 'malformed']],
    [
      'a wish for a standby',
      { dsn: new Secret('postgres://u@h/?target_session_attrs=standby') },
      ['dsn', 'invalid-dsn'],
    ],
  ])('is refused with %s', (_, options, problem) => {
    expect(checkTarget(config(options)).map(({ path, rule }) => [...path, rule])).toEqual([problem]);
  });
});

describeWithCockroachdb('a session of the type cockroachdb', (server) => {
  let database: string;
  let connection: TestConnection<PgClient>;
  let session: SqlSession;
  /** What the server warned of. */
  let notices: unknown[];

  /** The SQLSTATE that every COMMIT after an insert into `doomed` fails with. */
  const failCommitsWith = (state: string) =>
    server().query(
      `CREATE TABLE doomed (n int);
       CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN RAISE EXCEPTION 'restart transaction: made up' USING ERRCODE = '${state}'; END $$;
       CREATE CONSTRAINT TRIGGER refuses AFTER INSERT ON doomed DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION refuse()`,
      [],
      database,
    );
  const inner = () => inUse[0] as PgClient;
  const inUse: PgClient[] = [];
  const rows = async (sql: string) => (await server().query(sql, [], database)) as Row[];

  beforeAll(async () => {
    database = await server().createDatabase();
  });
  afterAll(() => server().dropDatabase(database));

  beforeEach(async () => {
    const { password, ...rest } = server().connection(database);
    const options = { ...rest, password: new Secret(password), maxOpenConns: 1, maxIdleConns: 1, queryTimeoutMs: 300 };
    connection = await TestConnection.open(cockroachdbProvider, options);
    const lease = await connection.lanes.acquire();
    inUse[0] = lease.connection;
    notices = [];
    inner().on('notice', (notice) => notices.push(notice.message));
    lease.release();
    session = connection.engine.sql?.session(connection.lanes) as SqlSession;
  });

  afterEach(async () => {
    session.release();
    await connection.close();
    await server().query('DROP TABLE IF EXISTS doomed, streamed; DROP FUNCTION IF EXISTS refuse', [], database);
  });

  it('reads a stream in a transaction of its own, as portions are given in no other place', async () => {
    const seen: unknown[] = [];
    for await (const row of session.stream({ sql: 'SELECT n FROM generate_series(1, $1::int) AS n', params: [300] })) {
      seen.push(row.n);
      expect(inner().getTransactionStatus()).toBe('T');
    }
    expect(seen).toHaveLength(300);
    expect(inner().getTransactionStatus()).toBe('I');
    expect(notices).toEqual([]);
  });

  it('keeps what a stream has written, read to its end or left', async () => {
    await session.query({ sql: 'CREATE TABLE streamed (n int)' });
    const insert = { sql: 'INSERT INTO streamed SELECT generate_series(1, 300) RETURNING n' };
    for await (const _ of session.stream(insert));
    for await (const _ of session.stream(insert)) break;
    expect(await rows('SELECT count(*)::int AS n FROM streamed')).toEqual([{ n: 600 }]);
  });

  it('leaves nothing open behind a stream that fails', async () => {
    const failing = session.stream({ sql: 'SELECT 1 / (200 - n) AS n FROM generate_series(1, 300) AS n' });
    const read = async () => {
      for await (const _ of failing);
    };
    await expect(read()).rejects.toMatchObject({ code: 'DBM_QUERY_FAILED' });
    expect(inner().getTransactionStatus()).toBe('I');
  });

  it('reads a stream in the transaction that there is, and leaves that open', async () => {
    await session.begin();
    for await (const _ of session.stream({ sql: 'SELECT generate_series(1, 300) AS n' }));
    expect(session.inTransaction).toBe(true);
    await session.rollback();
    expect(notices).toEqual([]);
  });

  it('asks for whole results outside of transactions, for cursors and streams of others too', async () => {
    session.release();
    const pool = connection.engine.native?.(connection.lanes) as PgPool;
    let suspended = 0;
    wireOf(inner()).on('portalSuspended', () => suspended++);
    const read = async (from: { query: PgPool['query'] }) => {
      const stream = from.query(new QueryStream('SELECT generate_series(1, 1000) AS n'));
      const rows: unknown[] = [];
      for await (const row of stream) rows.push(row);
      return rows.length;
    };
    expect(await read(pool)).toBe(1000);
    expect(suspended).toBe(0);
    const client = await pool.connect();
    await client.query('BEGIN');
    expect(await read(client)).toBe(1000);
    expect(suspended).toBeGreaterThan(0);
    await client.query('COMMIT');
    client.release();
  });

  it('has no deferrable transactions, and says so before it asks the server', async () => {
    await expect(session.begin({ deferrable: true })).rejects.toMatchObject({ code: 'DBM_UNSUPPORTED' });
    expect(session.inTransaction).toBe(false);
    await session.begin({ isolation: 'serializable', readOnly: true, deferrable: false });
    await session.rollback();
  });

  it('sends no ROLLBACK after a COMMIT that failed, which CockroachDB would refuse', async () => {
    await failCommitsWith('40001');
    await session.begin();
    await session.query({ sql: 'INSERT INTO doomed VALUES (1)' });
    const failed = session.commit();
    await expect(failed).rejects.toMatchObject({ code: 'DBM_SERIALIZATION_FAILURE', retryable: true });
    await session.rollback();
    expect(notices).toEqual([]);
  });

  it('calls a COMMIT unknown of which the cluster does not know the outcome', async () => {
    await failCommitsWith('40003');
    await session.begin();
    await session.query({ sql: 'INSERT INTO doomed VALUES (1)' });
    await expect(session.commit()).rejects.toMatchObject({ code: 'DBM_COMMIT_UNKNOWN', retryable: false });
  });

  it('limits one statement of a transaction for that transaction alone', async () => {
    const limit = async () => Object.values((await session.query({ sql: 'SHOW statement_timeout' })).rows[0] as Row)[0];
    await session.begin();
    const slow: StatementResult = await session.query({ sql: 'SELECT pg_sleep(0.4)' }, { timeoutMs: 5_000 });
    expect(slow.rowsAffected).toBe(1);
    expect(await limit()).toBe('300ms');
    await session.commit();
    expect(await limit()).toBe('300ms');
  });

  it('is told of a transaction that lost to another one', async () => {
    await server().query('CREATE TABLE doomed (n int); INSERT INTO doomed VALUES (1)', [], database);
    const { password, ...rest } = server().connection(database);
    await using other = await TestConnection.open(cockroachdbProvider, { ...rest, password: new Secret(password) });
    const rival = other.engine.sql?.session(other.lanes) as SqlSession;
    for (const each of [session, rival]) {
      await each.begin({ isolation: 'serializable' });
      await each.query({ sql: 'SELECT sum(n) FROM doomed' });
      await each.query({ sql: 'INSERT INTO doomed SELECT max(n) + 1 FROM doomed' });
    }
    await rival.commit();
    rival.release();
    const lost = await session.commit().catch((error: unknown) => error);
    expect(lost).toMatchObject({ code: 'DBM_SERIALIZATION_FAILURE', retryable: true });
    expect(connection.engine.sql?.conflict?.(lost)).toBe('serialization_failure');
  });
});

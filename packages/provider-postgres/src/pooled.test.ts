import { type Row, Secret, type SqlSession } from '@dbmanager/core';
import {
  describeWithPgbouncer,
  describeWithPostgres,
  PgbouncerServer,
  TestConnection,
  testConfig,
} from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { PgClient, PgPool } from './pg-driver.js';
import type { PostgresOptions } from './postgres-options.js';
import { postgresProvider } from './postgres-provider.js';
import { checkTarget } from './postgres-target.js';

/** More than the connections that the pooler keeps to the server. */
const CONNECTIONS = 12;
const LIMIT_MS = 300;

describe('a connection through a pooler of transactions', () => {
  it.each<[string, Partial<PostgresOptions>, string]>([
    ['a search path', { schema: 'app' }, 'schema'],
    ['options of the server', { dsn: new Secret('postgres://u@h/d?options=-c%20geqo%3Doff') }, 'dsn'],
    ['a kind of server to look for', { targetSessionAttrs: 'primary' }, 'target_session_attrs'],
    ['the same in the DSN', { dsn: new Secret('postgres://u@h/d?target_session_attrs=primary') }, 'dsn'],
  ])('is refused with %s, which would not outlast a transaction', (_, options, key) => {
    const config = testConfig(postgresProvider, { user: 'app', pooler: 'transaction' as const, ...options });
    expect(checkTarget(config)).toEqual([expect.objectContaining({ path: [key], rule: 'unsupported' })]);
  });
});

describeWithPostgres('PostgreSQL behind a pooler', (postgres) => {
  describeWithPgbouncer('of transactions', (pgbouncer) => {
    let database: string;
    let connection: TestConnection<PgClient>;
    let pool: PgPool;

    const options = (over: Partial<PostgresOptions> = {}) => {
      const { password, ...rest } = pgbouncer().connection(database);
      const own = { password: new Secret(password), pooler: 'transaction' as const, sslmode: 'disable' as const };
      return {
        ...rest,
        ...own,
        maxOpenConns: CONNECTIONS,
        maxIdleConns: CONNECTIONS,
        queryTimeoutMs: LIMIT_MS,
        ...over,
      };
    };
    async function withSession<T>(work: (session: SqlSession) => Promise<T>): Promise<T> {
      const session = connection.engine.sql?.session(connection.lanes) as SqlSession;
      try {
        return await work(session);
      } finally {
        session.release();
      }
    }
    const value = async (session: SqlSession, sql: string) =>
      Object.values((await session.query({ sql })).rows[0] as Row)[0];
    const together = <T>(count: number, work: (n: number) => Promise<T>) =>
      Promise.all(Array.from({ length: count }, (_, n) => work(n)));
    /** `statement_timeout` of all connections that the pooler has to the server. */
    const limits = async () => {
      const shown = await together(CONNECTIONS, async () => {
        const { rows } = await pool.query(`SELECT current_setting('statement_timeout') AS ms FROM pg_sleep(0.02)`);
        return rows[0].ms;
      });
      return [...new Set(shown)];
    };

    beforeAll(async () => {
      database = await postgres().createDatabase();
    });
    afterAll(() => postgres().dropDatabase(database));
    beforeEach(async () => {
      connection = await TestConnection.open(postgresProvider, options());
      pool = connection.engine.native?.(connection.lanes) as PgPool;
    });
    afterEach(async () => {
      expect(connection.lanes.counts.inUse).toBe(0);
      await connection.close();
    });

    it('is told to say so when it connects as if there were none', async () => {
      await using plain = await TestConnection.open(postgresProvider, options({ pooler: 'none' }));
      const failed = plain.engine.factory.create({ signal: new AbortController().signal, lost() {} });
      await expect(failed).rejects.toMatchObject({ code: 'DBM_CONNECT_FAILED', option: 'pooler', retryable: false });
    });

    it('says which database there is not, and when there are too many clients', async () => {
      const full = await PgbouncerServer.start(postgres(), { settings: { max_client_conn: 1 } });
      const create = async (over: Partial<PostgresOptions>) => {
        await using other = await TestConnection.open(postgresProvider, options(over));
        const client = await other.engine.factory.create({ signal: new AbortController().signal, lost() {} });
        await other.engine.factory.destroy(client, new AbortController().signal);
      };
      await expect(create({ database: 'nowhere' })).rejects.toMatchObject({ code: 'DBM_DATABASE_NOT_FOUND' });
      const first = new pg.Client({ connectionString: full.url(), ssl: false });
      await first.connect();
      await expect(create({ port: full.port })).rejects.toMatchObject({
        code: 'DBM_TOO_MANY_CONNECTIONS',
        retryable: true,
      });
      await first.end();
      await full.close();
    });

    it('prepares nothing by name, whoever asks for it', async () => {
      const named = (n: number) => ({ name: 'by-name', text: 'SELECT $1::int AS n', values: [n] });
      const byPool = await together(60, async (n) => (await pool.query(named(n))).rows[0].n);
      expect(byPool).toEqual(Array.from({ length: 60 }, (_, n) => n));
      const byClient = await together(CONNECTIONS, async (n) => {
        const client = await pool.connect();
        await client.query(named(n));
        const { rows } = await client.query(named(n));
        client.release();
        return rows[0].n;
      });
      expect(byClient).toEqual(Array.from({ length: CONNECTIONS }, (_, n) => n));
      const driven = await together(CONNECTIONS, async (n) => {
        const { promise, resolve, reject } = Promise.withResolvers<{ rows: { n: number }[] }>();
        pool.query(
          new pg.Query(named(n), undefined, (error, result) => (error ? reject(error) : resolve(result as never))),
        );
        return (await promise).rows[0]?.n;
      });
      expect(driven).toEqual(Array.from({ length: CONNECTIONS }, (_, n) => n));
      expect((await pool.query('SELECT name FROM pg_prepared_statements')).rows).toEqual([]);
    });

    it('sets nothing that outlasts a transaction', async () => {
      await withSession(async (session) => {
        await session.query({ sql: 'SELECT 1' }, { timeoutMs: 60_000 });
        for await (const _ of session.stream({ sql: 'SELECT generate_series(1, 300)' }));
        await session.begin();
        expect(await value(session, 'SHOW statement_timeout')).toBe(`${LIMIT_MS}ms`);
        await session.query({ sql: 'SELECT 1' }, { timeoutMs: 60_000 });
        for await (const _ of session.stream({ sql: 'SELECT generate_series(1, 300)' }));
        expect(await value(session, 'SHOW statement_timeout')).toBe(`${LIMIT_MS}ms`);
        await session.commit();
      });
      expect(await limits()).toEqual(['0']);
    });

    it('limits statements: in a transaction by the server, outside by a cancel request through the pooler', async () => {
      for (const begun of [true, false]) {
        await withSession(async (session) => {
          if (begun) await session.begin();
          const slow = session.query({ sql: 'SELECT pg_sleep(60)' });
          await expect(slow).rejects.toMatchObject({ code: 'DBM_QUERY_TIMEOUT', cause: { code: '57014' } });
          await session.rollback();
        });
      }
      const active = (await postgres().backends(database)).filter(({ state }) => state === 'active');
      expect(active).toEqual([]);
    });

    it('cancels its own statement and nobody else’s', async () => {
      const neighbours = together(6, async () => {
        for (let n = 0; n < 40; n++) await pool.query('SELECT pg_sleep(0.005)');
      });
      for (let n = 0; n < 10; n++) {
        await withSession(async (session) => {
          const stopped = session.query({ sql: 'SELECT pg_sleep(60)' }, { timeoutMs: 20 });
          await expect(stopped).rejects.toMatchObject({ code: 'DBM_QUERY_TIMEOUT' });
          expect(await value(session, 'SELECT 1 AS one')).toBe(1);
        });
      }
      await neighbours;
    });

    it('keeps each transaction on one connection of the server, with more of them than there are connections', async () => {
      await postgres().query('CREATE TABLE kept (n int, backend int)', [], database);
      const backends = await together(CONNECTIONS * 3, (n) =>
        withSession(async (session) => {
          await session.begin();
          const backend = await value(session, 'SELECT pg_backend_pid()');
          for (let each = 0; each < 3; each++) {
            await session.query({ sql: 'INSERT INTO kept VALUES ($1, pg_backend_pid())', params: [n] });
          }
          await session.commit();
          return backend;
        }),
      );
      expect(new Set(backends).size).toBeLessThan(CONNECTIONS);
      const kept = await postgres().query(
        'SELECT n, min(backend) AS backend FROM kept GROUP BY n HAVING count(*) = 3 AND count(DISTINCT backend) = 1 ORDER BY n',
        [],
        database,
      );
      expect(kept.map(({ backend }) => backend)).toEqual(backends);
    });

    it('waits for a pooler that restarts, and is served', async () => {
      const own = await PgbouncerServer.start(postgres());
      await using other = await TestConnection.open(postgresProvider, options({ port: own.port }));
      const facade = other.engine.native?.(other.lanes) as PgPool;
      await facade.query('SELECT 1');
      await own.stop();
      // Its end has been noticed.
      while (other.lanes.counts.open > 0) await new Promise((resolve) => setImmediate(resolve));
      const meanwhile = facade.query('SELECT 2 AS two');
      await own.start();
      expect((await meanwhile).rows).toEqual([{ two: 2 }]);
      await own.close();
    });
  });
});

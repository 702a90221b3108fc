import { once } from 'node:events';
import { inspect } from 'node:util';
import { Secret } from '@dbmanager/core';
import {
  describeWithPgbouncer,
  describeWithPostgres,
  type PgbouncerEndpoint,
  type PostgresEndpoint,
  TestConnection,
} from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import pg from 'pg';
// @ts-expect-error it comes without types
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import type { PgClient, PgPool } from './pg-driver.js';
import { postgresProvider } from './postgres-provider.js';

/** Members of pg-pool that are its own affair. */
const INTERNAL = /^_|^(?:constructor|log|Promise|Client|newClient)$/;

/** One way to a PostgreSQL. */
interface Way {
  readonly postgres: () => PostgresEndpoint;
  /** Where connections go. */
  readonly place: () => PostgresEndpoint | PgbouncerEndpoint;
  /** Further options of every connection. */
  readonly options: object;
  /** False: what is set for a session may be another session's. */
  readonly sessions: boolean;
  /** Ends the connections of a database that nobody uses at the moment, lent out or not. */
  endIdle(database: string): Promise<unknown>;
  /** The SQLSTATE of that. */
  readonly ended: string;
}

describeWithPostgres('the pg.Pool facade', (postgres) => {
  facadeSuite({
    postgres,
    place: postgres,
    options: {},
    sessions: true,
    endIdle: (database) => postgres().terminateBackends(database, 'idle'),
    ended: '57P01',
  });

  describeWithPgbouncer('behind PgBouncer', (pgbouncer) =>
    facadeSuite({
      postgres,
      place: pgbouncer,
      options: { pooler: 'transaction' },
      sessions: false,
      endIdle: (database) => pgbouncer().endConnections(database),
      ended: '08P01',
    }),
  );
});

function facadeSuite({ postgres, place, options, sessions, endIdle, ended }: Way): void {
  /** Of this file alone: its backends are terminated. */
  let database: string;
  let connection: TestConnection<PgClient>;
  let pool: PgPool;

  beforeAll(async () => {
    database = await postgres().createDatabase();
  });

  afterAll(() => postgres().dropDatabase(database));

  beforeEach(async () => {
    const { password, ...rest } = place().connection(database);
    connection = await TestConnection.open(postgresProvider, {
      ...rest,
      ...options,
      password: new Secret(password),
      maxOpenConns: 2,
      maxIdleConns: 2,
      sslmode: 'disable',
    });
    pool = connection.engine.native?.(connection.lanes) as PgPool;
  });

  afterEach(async () => {
    expect(connection.lanes.counts.inUse).toBe(0);
    await connection.close();
  });

  /** The error that `work` rejects with or throws. */
  const failure = async (work: () => unknown): Promise<Error> => {
    try {
      await work();
    } catch (error) {
      return error as Error;
    }
    throw new Error('it did not fail');
  };

  it('has every public member of pg.Pool', () => {
    const original = new pg.Pool();
    const members = [
      ...Object.getOwnPropertyNames(original),
      ...Object.getOwnPropertyNames(Object.getPrototypeOf(Object.getPrototypeOf(original))),
    ].filter((member) => !INTERNAL.test(member));
    expect(members).toEqual(expect.arrayContaining(['connect', 'query', 'end', 'totalCount', 'options', 'ending']));
    for (const member of members) {
      expect([member, typeof (pool as never)[member]]).toEqual([member, typeof (original as never)[member]]);
    }
  });

  it('is taken for a pool by its class name, its clients are not, and it has no Client', async () => {
    expect(pool.constructor.name).toContain('Pool');
    expect(pool).not.toHaveProperty('Client');
    const client = await pool.connect();
    expect(client.constructor.name).not.toContain('Pool');
    expect(client).toBeInstanceOf(pg.Client);
    client.release();
  });

  it.each([
    ['a text', (run: PgPool) => run.query('SELECT 1 AS one'), [{ one: 1 }]],
    ['a text and values', (run: PgPool) => run.query('SELECT $1::int AS one', [1]), [{ one: 1 }]],
    ['a config', (run: PgPool) => run.query({ text: 'SELECT $1::int AS one', values: [1] }), [{ one: 1 }]],
    ['a config and values', (run: PgPool) => run.query({ text: 'SELECT $1::int AS one' }, [1]), [{ one: 1 }]],
    [
      'a named statement',
      (run: PgPool) => run.query({ name: 'n', text: 'SELECT $1::int AS one', values: [1] }),
      [{ one: 1 }],
    ],
    ['rows as arrays', (run: PgPool) => run.query({ text: 'SELECT 1, 2', rowMode: 'array' }), [[1, 2]]],
  ])('runs %s', async (_, run, rows) => {
    expect((await run(pool)).rows).toEqual(rows);
    expect((await run(pool)).rows).toEqual(rows);
  });

  it('runs several commands in one text, and a query object of pg', async () => {
    const results = (await pool.query('SELECT 1 AS a; SELECT 2 AS b')) as unknown as { rows: unknown[] }[];
    expect(results.map(({ rows }) => rows)).toEqual([[{ a: 1 }], [{ b: 2 }]]);
    const result = await (pool.query(new pg.Query('SELECT 3 AS c')) as unknown as Promise<{ rows: unknown[] }>);
    expect(result.rows).toEqual([{ c: 3 }]);
  });

  it('calls back, with and without values, outside of any promise', async () => {
    const rows = await new Promise((resolve, reject) => {
      pool.query('SELECT $1::int AS one', [1], (error, result) => (error ? reject(error) : resolve(result.rows)));
    });
    expect(rows).toEqual([{ one: 1 }]);
    const error = await new Promise((resolve) => pool.query('SELEKT', (reason) => resolve(reason)));
    expect(error).toBeInstanceOf(pg.DatabaseError);
  });

  it('refuses a function in place of a text, as pg-pool does', async () => {
    const error = await new Promise((resolve) => (pool.query as (callback: unknown) => void)(resolve));
    expect(String(error)).toMatch(/Passing a function as the first parameter/);
  });

  it('passes the errors of the driver on unchanged, with a stack that leads to the caller', async () => {
    const error = await failure(async function theCaller() {
      return await pool.query('SELECT * FROM nowhere');
    });
    expect(error).toBeInstanceOf(pg.DatabaseError);
    expect(error).toMatchObject({ code: '42P01' });
    expect(error.stack).toContain('theCaller');
  });

  it('keeps the connection of a query that failed, and does not take it for dirty', async () => {
    await pool.query('SELECT 1');
    await failure(() => pool.query('SELEKT'));
    await failure(() => pool.query('SELECT $1::int', ['x']));
    await failure(() => (pool.query as (text: unknown) => Promise<unknown>)(null));
    await pool.query('SELECT 1');
    expect(connection.lanes.stats()).toMatchObject({ created: 1, destroyed: 0, dirtyReleases: 0 });
  });

  it('lends clients by promise and by callback, each its own object', async () => {
    const first = await pool.connect();
    first.release();
    const second = await new Promise<pg.PoolClient>((resolve, reject) => {
      pool.connect((error, client, done) => {
        if (error !== undefined || client === undefined) return reject(error);
        expect(done).toBe(client.release);
        resolve(client);
      });
    });
    expect(second).not.toBe(first);
    expect((await second.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    second.release();
  });

  it('lends clients that have every member of a pg.Client', async () => {
    const client = await pool.connect();
    const own = new pg.Client() as unknown as Record<string, unknown>;
    for (const member of Object.getOwnPropertyNames(own)) expect(member in client).toBe(true);
    expect(client.database).toBe(database);
    expect(client.getTransactionStatus()).toBe('I');
    expect(client.escapeIdentifier('a"b')).toBe('"a""b"');
    await client.query('BEGIN');
    expect(client.getTransactionStatus()).toBe('T');
    await client.query('ROLLBACK');
    client.release();
  });

  it('lets a second release pass without giving back what somebody else holds by then', async () => {
    let released = 0;
    pool.on('release', () => released++);
    const first = await pool.connect();
    first.release();
    const second = await pool.connect();
    first.release();
    expect(released).toBe(1);
    expect(connection.lanes.counts.inUse).toBe(1);
    expect((await second.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    second.release();
  });

  it('refuses a client after its release, but lets listeners be taken off', async () => {
    const client = await pool.connect();
    client.release();
    const error = await failure(() => client.query('SELECT 1'));
    expect(error).toMatchObject({ code: 'DBM_LEASE_RELEASED' });
    expect(client.off('error', () => {})).toBe(client);
  });

  it.each([
    ['true', true],
    ['an error', new Error('broken')],
  ])('closes a client that is released with %s', async (_, reason) => {
    const client = await pool.connect();
    client.release(reason);
    await pool.query('SELECT 1');
    expect(connection.lanes.stats()).toMatchObject({ created: 2, closedBy: { error: 1 } });
  });

  it('takes the listeners of a borrower off with its release, and no others', async () => {
    const client = await pool.connect();
    const { connection: wire } = client as unknown as { connection: unknown };
    let heard = 0;
    client.on('notice', () => heard++);
    client.once('notice', () => heard++);
    client.removeAllListeners();
    client.on('notification', () => heard++);
    await client.query(`LISTEN here`);
    await client.query(`DO $$ BEGIN RAISE NOTICE 'x'; END $$`);
    client.release();
    const next = await pool.connect();
    expect((next as unknown as { connection: unknown }).connection).toBe(wire);
    expect(next.listenerCount('notice')).toBe(0);
    await next.query(`NOTIFY here`);
    next.release(true);
    expect(heard).toBe(0);
  });

  it('rolls back what a borrower left open before the next one gets it', async () => {
    const client = await pool.connect();
    await client.query('BEGIN');
    client.release();
    const next = await pool.connect();
    expect(next.getTransactionStatus()).toBe('I');
    next.release();
    expect(connection.lanes.stats().dirtyReleases).toBe(1);
  });

  it('reads a cursor, and has its connection back when it is closed early', async () => {
    const cursor = pool.query(new Cursor('SELECT * FROM generate_series(1, 1000) AS n'));
    expect(await cursor.read(2)).toEqual([{ n: 1 }, { n: 2 }]);
    expect(connection.lanes.counts.inUse).toBe(1);
    await cursor.close();
    await connection.lanes.acquire().then((lease) => lease.release());
    expect(connection.lanes.counts.inUse).toBe(0);
  });

  it('streams, to the end and not', async () => {
    const seen: number[] = [];
    for await (const { n } of pool.query(new QueryStream('SELECT * FROM generate_series(1, 500) AS n'))) seen.push(n);
    expect(seen).toHaveLength(500);
    for await (const _row of pool.query(new QueryStream('SELECT * FROM generate_series(1, 500) AS n'))) break;
    const failed = pool.query(new QueryStream('SELEKT'));
    failed.resume();
    const [error] = await once(failed, 'error');
    expect(error).toMatchObject({ code: '42601' });
    // As many as there may be: none is held back.
    const clients = await Promise.all([pool.connect(), pool.connect()]);
    for (const client of clients) client.release();
  });

  it('tells of connections, checkouts, releases and removals', async () => {
    const log: string[] = [];
    pool.on('connect', () => log.push('connect'));
    pool.on('acquire', () => log.push('acquire'));
    pool.on('release', (error: unknown) => log.push(`release ${error}`));
    pool.on('remove', () => log.push('remove'));
    await pool.query('SELECT 1');
    const client = await pool.connect();
    const removed = once(pool, 'remove');
    client.release(true);
    await removed;
    expect(log).toEqual(['connect', 'acquire', 'release undefined', 'acquire', 'release true', 'remove']);
  });

  if (sessions) {
    it('runs what a connect listener asks for before the borrower’s own queries', async () => {
      pool.on('connect', (client) => void client.query(`SET search_path = hooked`));
      expect((await pool.query('SHOW search_path')).rows).toEqual([{ search_path: 'hooked' }]);
    });
  }

  it('tells of an idle connection that died, and lives on when nobody listens', async () => {
    await pool.query('SELECT 1');
    const error = once(pool, 'error');
    await endIdle(database);
    expect((await error)[0]).toMatchObject({ code: ended });
    pool.removeAllListeners('error');
    await pool.query('SELECT 1');
    await endIdle(database);
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('leaves the death of a client that is lent out to its borrower', async () => {
    const told: unknown[] = [];
    pool.on('error', (error) => told.push(error));
    const client = await pool.connect();
    const died = new Promise((resolve) => client.on('error', resolve));
    await endIdle(database);
    expect(await died).toMatchObject({ code: ended });
    client.release();
    expect(told).toEqual([]);
  });

  it('keeps no password in its clients', async () => {
    const client = await pool.connect();
    expect(inspect(client, { showHidden: true, depth: 4, getters: true })).not.toContain(place().password);
    client.release();
  });

  it('counts as the shared pool does, and shows its options without the password', async () => {
    const clients = await Promise.all([pool.connect(), pool.connect()]);
    const waiting = pool.connect();
    expect([pool.totalCount, pool.idleCount, pool.waitingCount, pool.expiredCount]).toEqual([2, 0, 1, 0]);
    for (const client of clients) client.release();
    (await waiting).release();
    expect([pool.totalCount, pool.idleCount, pool.waitingCount]).toEqual([2, 2, 0]);
    expect(pool.options).toMatchObject({ max: 2, min: 0, host: '127.0.0.1', user: 'postgres', database });
    expect(JSON.stringify(pool.options)).not.toContain(place().password);
  });

  it('only detaches when it is ended: it refuses as pg-pool does, others go on, clients lent out stay good', async () => {
    const other = connection.engine.native?.(connection.lanes) as PgPool;
    const client = await pool.connect();
    await pool.end();
    expect([pool.ending, pool.ended]).toEqual([true, true]);
    for (const use of [() => pool.query('SELECT 1'), () => pool.connect()]) {
      expect((await failure(use)).message).toBe('Cannot use a pool after calling end on the pool');
    }
    expect((await failure(() => pool.end())).message).toBe('Called end on pool more than once');
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    client.release();
    expect((await other.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await new Promise<void>((resolve) => other.end(resolve));
  });

  it('listens to a connection no more than the others that do, and no longer than until it is ended', async () => {
    const { lanes, engine } = connection;
    const newPool = () => engine.native?.(lanes) as PgPool;
    const held = await Promise.all([lanes.acquire(), lanes.acquire()]);
    const clients = held.map((lease) => lease.connection);
    const listeners = () => clients.map((client) => [client.listenerCount('error'), client.listenerCount('end')]);
    const before = listeners();
    const ended = newPool();
    const waiting = ended.query('SELECT 1');
    await ended.end();
    for (const lease of held) lease.release();
    await waiting;
    expect(listeners()).toEqual(before);
    const pools = Array.from({ length: 20 }, newPool);
    for (const each of pools) await Promise.all([each.query('SELECT 1'), each.query('SELECT 1')]);
    expect(listeners()).toEqual(before.map((counts) => counts.map((count) => count + 1)));
    for (const each of pools) await each.end();
    expect(listeners()).toEqual(before);
  });

  it('notes the last statement for leak reports, without its literals', async () => {
    const { password, ...rest } = place().connection(database);
    const own = { password: new Secret(password), leakDetectionMs: 60_000, sslmode: 'disable' as const };
    await using watched = await TestConnection.open(postgresProvider, { ...rest, ...options, ...own });
    const facade = watched.engine.native?.(watched.lanes) as PgPool;
    const client = await facade.connect();
    await client.query(`SELECT 'hunter2', 42`);
    expect(watched.lanes.write.borrows()).toMatchObject([{ lastStatement: 'SELECT ?, ?' }]);
    client.release();
  });
}

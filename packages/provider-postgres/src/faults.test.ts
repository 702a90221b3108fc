import { setTimeout as sleep } from 'node:timers/promises';
import {
  ConnectionManager,
  type DbManagerError,
  type Lease,
  ManagedConnection,
  type PoolEvents,
  Secret,
  type SqlSession,
} from '@dbmanager/core';
import {
  describeWithPostgres,
  FakeClock,
  FaultProxy,
  PostgresEndpoint,
  PostgresServer,
  TestConnection,
  type TestOptions,
  testConfig,
} from '@dbmanager/testkit';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import pg from 'pg';
import type { PgClient, PgPool } from './pg-driver.js';
import type { PostgresOptions } from './postgres-options.js';
import { postgresProvider } from './postgres-provider.js';

type Options = TestOptions<PostgresOptions>;
type Fixture = { close(): unknown };

/** The fault scenarios, on a real server behind a proxy that fails as networks do. */
describeWithPostgres('PostgreSQL under faults', (postgres) => {
  let database: string;
  let proxy: FaultProxy;
  /** Closed in reverse order. */
  const opened: Fixture[] = [];
  const keep = <T extends Fixture>(fixture: T): T => {
    opened.push(fixture);
    return fixture;
  };

  beforeEach(async () => {
    database = await postgres().createDatabase();
    proxy = await FaultProxy.start(postgres());
  });

  afterEach(async () => {
    for (const fixture of opened.splice(0).reverse()) await fixture.close();
    proxy.close();
    await proxy.untilLive(0);
    await postgres().dropDatabase(database);
  });

  const options = (over: Options = {}): Options => ({
    host: proxy.host,
    port: proxy.port,
    user: postgres().user,
    password: new Secret(postgres().password),
    database,
    sslmode: 'disable',
    retryDelayMs: 100,
    retryMaxDelayMs: 500,
    ...over,
  });
  /** The pool of one connection. Its close fails unless as many connections were destroyed as created. */
  const open = async (over?: Options, clock?: FakeClock) =>
    keep(await TestConnection.open(postgresProvider, options(over), clock && { clock }));
  const manage = (connections: Record<string, Options>) =>
    keep(
      new ConnectionManager(
        {
          defaultConnection: undefined,
          connections: Object.entries(connections).map(([name, over]) =>
            testConfig(postgresProvider, options(over), name),
          ),
        },
        { providers: [postgresProvider], createConnection: (setup) => new ManagedConnection(setup) },
      ),
    );
  const native = (connection: TestConnection<PgClient>) => connection.engine.native?.(connection.lanes) as PgPool;
  const session = (connection: TestConnection<PgClient>) =>
    connection.engine.sql?.session(connection.lanes) as SqlSession;
  async function run(connection: TestConnection<PgClient>, sql: string, timeoutMs?: number) {
    const own = session(connection);
    try {
      const { rows } = await own.query({ sql }, { timeoutMs });
      own.release();
      return rows;
    } catch (error) {
      own.release(error);
      throw error;
    }
  }
  /** Fills the pool with so many idle connections. */
  async function warm(connection: TestConnection<PgClient>, count: number): Promise<void> {
    const leases = await Promise.all(Array.from({ length: count }, () => connection.lanes.acquire()));
    for (const lease of leases) lease.release();
    expect(connection.lanes.counts.idle).toBe(count);
  }
  const next = <E extends keyof PoolEvents>(
    connection: TestConnection<PgClient>,
    event: E,
    fits: (payload: PoolEvents[E]) => boolean = () => true,
  ) =>
    new Promise<PoolEvents[E]>((resolve) => {
      connection.lanes.on(event, (payload) => fits(payload) && resolve(payload));
    });
  const rejection = (work: Promise<unknown>): Promise<DbManagerError> =>
    work.then(
      () => Promise.reject(new Error('it did not fail')),
      (error: DbManagerError) => error,
    );
  const timed = async <T>(work: Promise<T>): Promise<[result: T, ms: number]> => {
    const startedAt = performance.now();
    const result = await work;
    return [result, performance.now() - startedAt];
  };

  it('1: a closed port fails the start within its timeout, names the connection, and leaves nothing open', async () => {
    const manager = manage({ good: {}, gone: { port: 1, startupTimeoutMs: 700, retryAttempts: 100 } });
    const [error, ms] = await timed(rejection(manager.connect()));
    expect(ms).toBeLessThan(1_000);
    expect(error).toMatchObject({ code: 'DBM_STARTUP_FAILED', message: expect.stringContaining('connection "gone"') });
    await proxy.untilLive(0);
    expect(await postgres().backends(database)).toEqual([]);
  });

  it('2: with startup optional it starts at once, and heals by itself', async () => {
    proxy.refuse();
    const manager = manage({ healing: { startup: 'optional' } });
    const ready = new Promise<void>((resolve) => {
      manager.events.on('state', ({ to }) => to === 'ready' && resolve());
    });
    const [, startMs] = await timed(manager.connect());
    expect(startMs).toBeLessThan(250);
    const connection = manager.get('healing');
    await rejection(connection.healthCheck());
    await proxy.accept();
    const [, healMs] = await timed(ready);
    expect(healMs).toBeLessThan(500 + 1_000);
    const lease = await connection.acquire();
    lease.release();
  });

  it('3: a server that accepts and says nothing fails the acquire at its timeout; the half-made socket goes', async () => {
    proxy.silent = true;
    const connection = await open({ connectTimeoutMs: 250, acquireTimeoutMs: 600 });
    const [error, ms] = await timed(rejection(connection.lanes.acquire()));
    expect(error).toMatchObject({ code: 'DBM_ACQUIRE_TIMEOUT', cause: { code: 'DBM_CONNECT_TIMEOUT' } });
    expect(ms).toBeGreaterThan(590);
    expect(ms).toBeLessThan(700);
    await proxy.untilLive(0);
    expect(connection.lanes.counts).toMatchObject({ open: 0, inUse: 0, pending: 0 });
    expect(connection.lanes.stats().connecting).toBe(0);
  });

  it('4: all idle backends terminated: no query fails', async () => {
    const connection = await open({ maxOpenConns: 8, maxIdleConns: 8 });
    for (let round = 0; round < 5; round++) {
      await warm(connection, 8);
      // Once the pool has seen the first die it closes the others itself, so that fewer may be left to terminate.
      expect(await postgres().terminateBackends(database)).toBeGreaterThan(0);
      expect(await postgres().backends(database)).toEqual([]);
      await Promise.all(Array.from({ length: 50 }, () => native(connection).query('SELECT 1')));
    }
    expect(connection.lanes.stats()).toMatchObject({ inUse: 0, pending: 0 });
  });

  it('5: a checked-out backend terminated: its query rejects, the process lives, the pool refills', async () => {
    const connection = await open({ maxOpenConns: 2 });
    const client = await native(connection).connect();
    const query = rejection(client.query('SELECT pg_sleep(60)'));
    while ((await postgres().terminateBackends(database, 'active')) === 0);
    expect(await query).toMatchObject({ code: '57P01' });
    client.release();
    const observed = await native(connection).connect();
    const told = new Promise((resolve) => observed.on('error', resolve));
    await postgres().terminateBackends(database);
    expect(await told).toMatchObject({ code: '57P01' });
    observed.release();
    await Promise.all(Array.from({ length: 10 }, () => native(connection).query('SELECT 1')));
  });

  it('6: idle sockets black-holed: one timeout and at most one failure, however many there were', async () => {
    const validationTimeoutMs = 300;
    const connection = await open({ maxOpenConns: 10, maxIdleConns: 10, validateAfterMs: 0, validationTimeoutMs });
    await warm(connection, 10);
    proxy.blackHole();
    const [results, ms] = await timed(
      Promise.allSettled(Array.from({ length: 10 }, () => native(connection).query('SELECT 1'))),
    );
    expect(results.filter(({ status }) => status === 'rejected').length).toBeLessThanOrEqual(1);
    expect(ms).toBeLessThan(validationTimeoutMs + 500);
    expect(connection.lanes.stats().generation).toBeGreaterThan(0);
  });

  it('7: a black hole in mid-query: the query times out; its connection is destroyed, never reused', async () => {
    const connection = await open({ maxOpenConns: 1, queryTimeoutMs: 200 });
    const [{ pid }] = (await run(connection, 'SELECT pg_backend_pid() AS pid')) as [{ pid: number }];
    const own = session(connection);
    const query = rejection(own.query({ sql: 'SELECT pg_sleep(0.1)' }));
    while (!(await postgres().backends(database)).some(({ state }) => state === 'active'));
    proxy.blackHole();
    proxy.silent = true;
    const [error, ms] = await timed(query);
    own.release(error);
    expect(error).toMatchObject({ code: 'DBM_QUERY_TIMEOUT' });
    expect(ms).toBeLessThan(200 + 250 + 1_000 + 300);
    proxy.heal();
    expect(await run(connection, 'SELECT pg_backend_pid() AS pid')).not.toEqual([{ pid }]);
  });

  it.each([
    ['reset in the middle of a result', 'reset', 50_000],
    ['closed in the middle of a row', 'end', 50_000],
    ['reset before the first byte of an answer', 'reset', 0],
  ] as const)('8: %s: a clean error, and the next query is fine', async (_, cutBy, cutAfterBytes) => {
    const connection = await open({ maxOpenConns: 1 });
    const sql = `SELECT repeat('x', 1000) FROM generate_series(1, 1000)`;
    const cutIn = async (work: () => Promise<unknown>) => {
      await run(connection, 'SELECT 1');
      Object.assign(proxy.toClient, { cutBy, cutAfterBytes });
      return await rejection(work());
    };
    const error = await cutIn(() => run(connection, sql));
    expect(error).toMatchObject({ code: 'DBM_CONNECTION_LOST', connectionName: 'test' });
    const ofDriver = await cutIn(() => native(connection).query(sql));
    expect(ofDriver.message).toMatch(/ECONNRESET|Connection terminated/);
    expect(await run(connection, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(connection.lanes.stats()).toMatchObject({ created: 3 });
  });

  it('8: one byte at a time in both directions: the right rows, and errors that cost no connection', async () => {
    const connection = await open({ maxOpenConns: 1 });
    proxy.toClient.sliceBytes = 1;
    proxy.toServer.sliceBytes = 1;
    const expected = Array.from({ length: 50 }, (_, n) => ({ n: n + 1, text: `row ${n + 1}` }));
    const sql = `SELECT n, 'row ' || n AS text FROM generate_series(1, 50) AS n`;
    expect(await run(connection, sql)).toEqual(expected);
    expect((await native(connection).query(sql)).rows).toEqual(expected);
    const streamed: unknown[] = [];
    const own = session(connection);
    for await (const row of own.stream({ sql })) streamed.push(row);
    own.release();
    expect(streamed).toEqual(expected);
    await rejection(native(connection).query('SELEKT'));
    await rejection(run(connection, 'SELEKT'));
    expect(connection.lanes.stats()).toMatchObject({ created: 1, dirtyReleases: 0 });
  });

  it('9: the server stopped 5 s under 64-way load: typed transient errors, few connects, quick recovery', async () => {
    const server = keep(await PostgresServer.start());
    const connection = await open({
      host: server.host,
      port: server.port,
      password: new Secret(server.password),
      database: 'postgres',
      maxOpenConns: 16,
      maxIdleConns: 16,
      maxConnecting: 2,
      acquireTimeoutMs: 1_500,
    });
    const { lanes } = connection;
    const codes = new Map<string, number>();
    const healed = new Set<number>();
    let peakConnecting = 0;
    let restartedAt = Number.POSITIVE_INFINITY;
    let recoveredAfterMs = Number.POSITIVE_INFINITY;
    let connects = 0;
    lanes.on('createFailed', () => connects++);
    const worker = async (id: number) => {
      while (healed.size < 64) {
        peakConnecting = Math.max(peakConnecting, lanes.stats().connecting);
        try {
          await run(connection, 'SELECT 1');
          if (performance.now() < restartedAt) continue;
          recoveredAfterMs = Math.min(recoveredAfterMs, performance.now() - restartedAt);
          healed.add(id);
        } catch (error) {
          const { code = String(error), retryable } = error as DbManagerError;
          codes.set(code, (codes.get(code) ?? 0) + 1);
          if (code !== 'DBM_CONNECTION_LOST') expect([code, retryable]).toEqual([code, true]);
        }
      }
    };
    const load = Promise.all(Array.from({ length: 64 }, (_, id) => worker(id)));
    while (lanes.stats().acquired < 500) await sleep(1);
    await server.stop('fast');
    // The fault itself lasts this long.
    await sleep(5_000);
    await server.start();
    restartedAt = performance.now();
    await load;
    const { DBM_ACQUIRE_TIMEOUT: timeouts, DBM_CONNECTION_LOST: lost = 0, ...others } = Object.fromEntries(codes);
    expect(others).toEqual({});
    expect(timeouts).toBeGreaterThan(0);
    // Each connection takes at most one statement with it.
    expect(lost).toBeLessThanOrEqual(16);
    expect(peakConnecting).toBeLessThanOrEqual(2);
    expect(recoveredAfterMs).toBeLessThan(500 + 1_000);
    // One prober; its delays are random below 100, 200, 400, 500, 500 … ms.
    expect(connects).toBeLessThan(60);
  }, 40_000);

  it('10: too many clients is retried inside the deadline', async () => {
    const settings = { max_connections: 3, superuser_reserved_connections: 0, reserved_connections: 0 };
    const server = keep(await PostgresServer.start({ settings }));
    const clients = Array.from({ length: 3 }, () => new pg.Client({ connectionString: server.url() }));
    for (const client of clients) await client.connect();
    const { host, port, password } = server;
    const connection = await open({ host, port, password: new Secret(password), database: 'postgres' });
    const refused = next(connection, 'createFailed');
    const acquire = connection.lanes.acquire();
    expect((await refused).error).toMatchObject({ code: 'DBM_TOO_MANY_CONNECTIONS', retryable: true });
    await clients.pop()?.end();
    (await acquire).release();
    for (const client of clients) await client.end();
  });

  it('10: a server that is shutting down and starting up is waited for inside the deadline', async () => {
    const server = keep(await PostgresServer.start());
    const guest = new pg.Client({ connectionString: server.url() });
    await guest.connect();
    const { host, port, password } = server;
    const connection = await open({ host, port, password: new Secret(password), database: 'postgres' });
    // As long as the guest stays, the server answers newcomers that it is shutting down.
    const stopped = server.stop('smart');
    const refused = next(
      connection,
      'createFailed',
      ({ error }) => (error as DbManagerError).code === 'DBM_SERVER_STARTING',
    );
    const acquire = connection.lanes.acquire();
    expect((await refused).error).toMatchObject({ retryable: true, cause: { code: '57P03' } });
    await guest.end();
    await stopped;
    await server.start();
    (await acquire).release();
  });

  it('11: the primary turns read-only: only the first write fails, the others go to the new primary', async () => {
    const { password } = postgres();
    const former = keep(await PostgresServer.start({ password }));
    const admin = new PostgresEndpoint(former.url());
    await admin.createDatabase(database);
    for (const server of [admin, postgres()]) await server.query('CREATE TABLE written (n int)', [], database);
    const connection = await open({
      host: `${former.host}:${former.port},${postgres().host}:${postgres().port}`,
      targetSessionAttrs: 'read-write',
      maxOpenConns: 4,
      maxIdleConns: 4,
    });
    await warm(connection, 4);
    await admin.query(`ALTER SYSTEM SET default_transaction_read_only = on`);
    await admin.query('SELECT pg_reload_conf()');
    const codes: string[] = [];
    let refused = false;
    for (let n = 0; n < 20 || !refused; n++) {
      // The server takes up its new settings in its own time: writes before that are no failures.
      await run(connection, `INSERT INTO written VALUES (${n})`).catch((error: DbManagerError) => {
        refused = true;
        codes.push(error.code);
      });
    }
    for (let n = 0; n < 10; n++) await run(connection, `INSERT INTO written VALUES (${n})`);
    expect(codes).toEqual(['DBM_READ_ONLY']);
    const [row] = await postgres().query('SELECT count(*)::int AS count FROM written', [], database);
    expect(row?.count).toBeGreaterThanOrEqual(10);
    expect(connection.lanes.stats().closedBy.failover).toBe(4);
  });

  it('13: one of 20 databases hangs: the other 19 are checked on schedule, and stats answer at once', async () => {
    const healthy = { ...postgres().connection(database), password: new Secret(postgres().password), maxOpenConns: 1 };
    const checked = { healthCheckIntervalMs: 200, healthCheckTimeoutMs: 2_000 };
    const names = Array.from({ length: 19 }, (_, n) => `good${n}`);
    const manager = manage({
      ...Object.fromEntries(names.map((name) => [name, { ...healthy, ...checked }])),
      hung: checked,
    });
    await manager.connect();
    proxy.silent = true;
    proxy.blackHole();
    const counts = new Map<string, number>();
    let unhealthy = 0;
    const [, ms] = await timed(
      new Promise<void>((resolve) => {
        manager.events.on('health', ({ name, status }) => {
          if (name !== 'hung' && status !== 'healthy') unhealthy++;
          counts.set(name, (counts.get(name) ?? 0) + 1);
          if (names.every((good) => (counts.get(good) ?? 0) >= 6)) resolve();
        });
      }),
    );
    expect(unhealthy).toBe(0);
    // Six intervals with their jitter, and what a busy machine takes.
    expect(ms).toBeLessThan(6 * 220 + 700);
    expect(counts.get('hung') ?? 0).toBeLessThanOrEqual(1);
    const [stats, statsMs] = await timed(Promise.resolve().then(() => manager.stats()));
    expect(statsMs).toBeLessThan(50);
    expect(stats.totalConnections).toBe(20);
  });

  it('14: the pool exhausted for 60 s: saturated, not down; served in order of arrival', async () => {
    const clock = new FakeClock();
    const connection = await open({ maxOpenConns: 2, acquireTimeoutMs: 120_000 }, clock);
    const holders = [await connection.lanes.acquire(), await connection.lanes.acquire()];
    const order: number[] = [];
    const waiters = Array.from({ length: 6 }, async (_, n) => {
      const lease = await connection.lanes.acquire();
      order.push(n);
      lease.release();
    });
    await clock.advance(60_000);
    expect(connection.lanes.stats()).toMatchObject({
      saturated: true,
      down: false,
      pending: 6,
      oldestBorrowMs: 60_000,
    });
    await connection.lanes.probe(new AbortController().signal);
    for (const holder of holders) holder.release();
    await Promise.all(waiters);
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
    expect(connection.lanes.stats()).toMatchObject({ saturated: false, pending: 0, acquireTimeouts: 0 });
  });

  it('15: 1000 queued acquires aborted: the queue is empty and no ghost holds a connection', async () => {
    const connection = await open({ maxOpenConns: 1 });
    const holder = await connection.lanes.acquire();
    const abort = new AbortController();
    const waiters = Array.from({ length: 1_000 }, () => rejection(connection.lanes.acquire({ signal: abort.signal })));
    expect(connection.lanes.counts.pending).toBe(1_000);
    abort.abort();
    expect(new Set((await Promise.all(waiters)).map(({ code }) => code))).toEqual(new Set(['DBM_ABORTED']));
    expect(connection.lanes.counts).toMatchObject({ pending: 0, inUse: 1 });
    holder.release();
    await run(connection, 'SELECT 1');
    expect(connection.lanes.counts).toMatchObject({ pending: 0, inUse: 0 });
  });

  it('16: one of two leaked at shutdown: it ends at the drain deadline, tells who held it, and leaves nothing', async () => {
    const resources = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = resources();
    const manager = manage({ leaking: { maxOpenConns: 2, leakDetectionMs: 60_000 } });
    await manager.connect();
    const [leaked, returned] = (await Promise.all([
      manager.get('leaking').acquire(),
      manager.get('leaking').acquire(),
    ])) as [Lease<PgClient>, Lease<PgClient>];
    const closing = timed(manager.close({ drainTimeoutMs: 300 }));
    returned.release();
    const [report, ms] = await closing;
    expect(ms).toBeGreaterThan(290);
    expect(ms).toBeLessThan(500);
    expect(report).toMatchObject({
      drained: false,
      held: { leaking: [{ stack: expect.stringContaining('faults.test') }] },
    });
    expect(() => leaked.connection).toThrow(expect.objectContaining({ code: 'DBM_LEASE_RELEASED' }));
    await proxy.untilLive(0);
    expect(resources()).toBeLessThanOrEqual(before);
  });

  it('17: BEGIN, then release: the next borrower is in no transaction', async () => {
    const connection = await open({ maxOpenConns: 1 });
    const pool = native(connection);
    const client = await pool.connect();
    await client.query('BEGIN; CREATE TABLE undone (n int)');
    client.release();
    const { rows } = await pool.query(
      `SELECT to_regclass('undone') AS found, pg_current_xact_id_if_assigned() AS xact`,
    );
    expect(rows).toEqual([{ found: null, xact: null }]);
    expect(connection.lanes.stats()).toMatchObject({ created: 1, dirtyReleases: 1 });
  });
});

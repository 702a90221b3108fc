import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ConnectionManager,
  DbManagerError,
  type ErrorCode,
  isDbManagerError,
  type Lease,
  ManagedConnection,
  type Provider,
  type Row,
  type SqlSession,
} from '@dbmanager/core';
import { FakeClock } from './fake-clock.js';
import { FaultProxy } from './fault-proxy.js';
import { TestConnection, type TestOptions, testConfig } from './test-connection.js';

/** A server that the suite runs on: where it is, and what the suite asks of its administrator. */
export interface FaultSuiteServer {
  readonly host: string;
  readonly port: number;
  createDatabase(): Promise<string>;
  dropDatabase(name: string): Promise<void>;
  /** The connections that clients have open in a database, and whether each is at work. */
  connections(database: string): Promise<readonly { readonly active: boolean }[]>;
  /** Ends the connections of a database, or those at work, and waits until they have gone. Gives their number. */
  end(database: string, which?: 'active'): Promise<number>;
}

/** A server of one test's own, to be stopped and started. */
export interface FaultSuiteOwnServer<O extends object> {
  readonly place: { readonly host: string; readonly port: number };
  /** What differs from the options of the shared one, besides the place. */
  readonly options: TestOptions<O>;
  stop(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

/** What {@link runFaultSuite} is told. */
export interface FaultSuiteSetup<C, O extends object> {
  readonly provider: Provider<C, O>;
  /** The server that all tests share; called inside tests only. */
  server(): FaultSuiteServer;
  /** Options of a database of the server at that place, without TLS. */
  options(place: { readonly host: string; readonly port: number }, database: string): TestOptions<O>;
  ownServer(): Promise<FaultSuiteOwnServer<O>>;
  /** A statement that takes so long. */
  sleeping(seconds: number): string;
  /** A statement that gives the rows 1 … `count`, as `n`, each with `text`: `width` times the letter x. */
  series(count: number, width: number): string;
  /** The server drops clients whose login reaches it in pieces, as PgBouncer does. */
  readonly takesLoginsWhole?: boolean;
  readonly runner: FaultSuiteRunner;
}

/** What the suite needs of jest, or of a runner like it. */
export interface FaultSuiteRunner {
  it(name: string, body: () => Promise<void>, timeoutMs?: number): void;
  beforeEach(body: () => Promise<void>): void;
  afterEach(body: () => Promise<void>): void;
}

/** What the tests of one file work with: a database and a proxy before the server, both of the test's own. */
export class FaultBench<C, O extends object> {
  readonly #setup: FaultSuiteSetup<C, O>;
  /** Closed in reverse order. */
  readonly #opened: { close(): unknown }[] = [];
  #database: string | undefined;
  #proxy: FaultProxy | undefined;

  constructor(setup: FaultSuiteSetup<C, O>) {
    this.#setup = setup;
    setup.runner.beforeEach(async () => {
      this.#database = await this.server.createDatabase();
      this.#proxy = await FaultProxy.start(this.server);
    });
    setup.runner.afterEach(async () => {
      for (const fixture of this.#opened.splice(0).reverse()) await fixture.close();
      this.proxy.close();
      await this.proxy.untilLive(0);
      await this.server.dropDatabase(this.database);
    });
  }

  get server(): FaultSuiteServer {
    return this.#setup.server();
  }

  get database(): string {
    assert.ok(this.#database, 'a database is there only inside tests');
    return this.#database;
  }

  get proxy(): FaultProxy {
    assert.ok(this.#proxy, 'a proxy is there only inside tests');
    return this.#proxy;
  }

  /** Closes `fixture` at the end of the test. */
  keep<T extends { close(): unknown }>(fixture: T): T {
    this.#opened.push(fixture);
    return fixture;
  }

  /** Options of the test's database, through the proxy. */
  options(over: TestOptions<O> = {}): TestOptions<O> {
    const { host, port } = this.proxy;
    return { ...this.#setup.options({ host, port }, this.database), retryDelayMs: 100, retryMaxDelayMs: 500, ...over };
  }

  /** The pool of one connection. Its close fails unless as many connections were destroyed as created. */
  async open(over?: TestOptions<O>, clock?: FakeClock): Promise<TestConnection<C>> {
    return this.keep(await TestConnection.open(this.#setup.provider, this.options(over), clock && { clock }));
  }

  /** A manager of connections with these names. */
  manage(connections: Record<string, TestOptions<O>>): ConnectionManager<ManagedConnection> {
    const { provider } = this.#setup;
    const configs = Object.entries(connections).map(([name, over]) => testConfig(provider, this.options(over), name));
    return this.keep(
      new ConnectionManager(
        { defaultConnection: undefined, connections: configs },
        { providers: [provider as Provider], createConnection: (setup) => new ManagedConnection(setup) },
      ),
    );
  }

  session({ engine, lanes }: TestConnection<C>): SqlSession {
    assert.ok(engine.sql, 'the engine has the sql capability');
    return engine.sql.session(lanes);
  }

  /** Runs a statement in a session of its own. */
  async run(connection: TestConnection<C>, sql: string): Promise<readonly Row[]> {
    const session = this.session(connection);
    try {
      const { rows } = await session.query({ sql });
      session.release();
      return rows;
    } catch (error) {
      session.release(error);
      throw error;
    }
  }

  /** Fills the pool with so many idle connections. */
  async warm({ lanes }: TestConnection<C>, count: number): Promise<void> {
    const leases = await Promise.all(Array.from({ length: count }, () => lanes.acquire()));
    for (const lease of leases) lease.release();
    assert.equal(lanes.counts.idle, count);
  }
}

/** What `work` rejects with, which must be an error of ours with that code. */
export async function failure(work: Promise<unknown>, code?: ErrorCode): Promise<DbManagerError> {
  const error = await work.then(
    () => assert.fail('it did not fail'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof DbManagerError, String(error));
  assert.ok(isDbManagerError(error, code), `expected ${code}, not ${error.code}`);
  return error;
}

/**
 * What a machine may take that has more to do than it can: no bound of the suite is narrower, and what a bound tells apart is
 * further away than this.
 */
const BUSY_MACHINE_MS = 5_000;

/** What `work` resolves to, and how long it took. */
export async function timed<T>(work: Promise<T>): Promise<[result: T, ms: number]> {
  const startedAt = performance.now();
  const result = await work;
  return [result, performance.now() - startedAt];
}

function assertBelow(value: number, max: number): void {
  assert.ok(value < max, `${value} is not below ${max}`);
}

/**
 * Registers the fault scenarios that are the same on every SQL database, on a real server behind a proxy that fails as
 * networks do; their numbers are those of docs and issues. Gives the bench, for what only one database has.
 */
export function runFaultSuite<C, O extends object>(setup: FaultSuiteSetup<C, O>): FaultBench<C, O> {
  const bench = new FaultBench(setup);
  startTests(bench, setup);
  deadConnectionTests(bench, setup);
  answerTests(bench, setup);
  outageTests(bench, setup);
  poolTests(bench, setup);
  commitTests(bench, setup);
  return bench;
}

function startTests<C, O extends object>(bench: FaultBench<C, O>, { runner: { it } }: FaultSuiteSetup<C, O>): void {
  it('1: a closed port fails the start within its timeout, names the connection, and leaves nothing open', async () => {
    // Its retries alone would take half a minute and more.
    const gone = { port: 1, startupTimeoutMs: 700, retryAttempts: 100 };
    const manager = bench.manage({ good: {}, gone: gone as unknown as TestOptions<O> });
    const [error, ms] = await timed(failure(manager.connect(), 'DBM_STARTUP_FAILED'));
    assertBelow(ms, 700 + BUSY_MACHINE_MS);
    assert.match(error.message, /connection "gone": .*startup_timeout \(700 ms\)/);
    await bench.proxy.untilLive(0);
    while ((await bench.server.connections(bench.database)).length > 0);
  });

  it('2: with startup optional it starts at once, and heals by itself', async () => {
    bench.proxy.refuse();
    const manager = bench.manage({ healing: { startup: 'optional' } as TestOptions<O> });
    const ready = new Promise<void>((resolve) => {
      manager.events.on('state', ({ to }) => to === 'ready' && resolve());
    });
    const delays: number[] = [];
    manager.events.on('reconnect', ({ nextDelayMs }) => nextDelayMs !== undefined && delays.push(nextDelayMs));
    // It does not wait for the database: that comes only afterwards.
    await manager.connect();
    const connection = manager.get('healing');
    await failure(connection.healthCheck());
    await bench.proxy.accept();
    const failures = delays.length;
    await ready;
    // At most an attempt that was under way is lost, and between two are never more than `retry_max_delay`.
    assert.ok(delays.length <= failures + 1, `${delays.length - failures} attempts failed`);
    assert.ok(
      delays.every((delay) => delay <= 500),
      String(delays),
    );
    const lease = await connection.acquire();
    lease.release();
  });

  it('3: a server that accepts and says nothing fails the acquire at its timeout; the half-made socket goes', async () => {
    bench.proxy.silent = true;
    const { lanes } = await bench.open({ connectTimeoutMs: 250, acquireTimeoutMs: 600 } as TestOptions<O>);
    const [error, ms] = await timed(failure(lanes.acquire(), 'DBM_ACQUIRE_TIMEOUT'));
    assert.equal((error.cause as DbManagerError).code, 'DBM_CONNECT_TIMEOUT');
    // Timers count from the loop's own time, which a busy machine leaves behind. One connect had its 250 ms before.
    assert.ok(ms > 400, `${ms}`);
    assertBelow(ms, 600 + BUSY_MACHINE_MS);
    await bench.proxy.untilLive(0);
    const { open, inUse, pending, connecting } = lanes.stats();
    assert.deepEqual({ open, inUse, pending, connecting }, { open: 0, inUse: 0, pending: 0, connecting: 0 });
  });
}

function deadConnectionTests<C, O extends object>(
  bench: FaultBench<C, O>,
  { sleeping, runner: { it } }: FaultSuiteSetup<C, O>,
): void {
  it('4: all idle connections ended by the server: no query fails', async () => {
    const connection = await bench.open({ maxOpenConns: 8, maxIdleConns: 8 } as TestOptions<O>);
    for (let round = 0; round < 5; round++) {
      await bench.warm(connection, 8);
      // Once the pool has seen the first die it closes the others itself, so that fewer may be left to end.
      assert.ok((await bench.server.end(bench.database)) > 0);
      await Promise.all(Array.from({ length: 50 }, () => bench.run(connection, 'SELECT 1')));
    }
    const { inUse, pending } = connection.lanes.stats();
    assert.deepEqual({ inUse, pending }, { inUse: 0, pending: 0 });
  });

  it('5: a connection at work ended by the server: its query rejects, the process lives, the pool refills', async () => {
    const connection = await bench.open({ maxOpenConns: 2 } as TestOptions<O>);
    const query = failure(bench.run(connection, sleeping(60)), 'DBM_CONNECTION_LOST');
    while ((await bench.server.end(bench.database, 'active')) === 0);
    await query;
    await Promise.all(Array.from({ length: 10 }, () => bench.run(connection, 'SELECT 1')));
  });

  it('6: idle sockets black-holed: one timeout and at most one failure, however many there were', async () => {
    const validationTimeoutMs = 1_000;
    const limits = { maxOpenConns: 10, maxIdleConns: 10, validateAfterMs: 0, validationTimeoutMs };
    const connection = await bench.open(limits as TestOptions<O>);
    await bench.warm(connection, 10);
    bench.proxy.blackHole();
    const [results, ms] = await timed(
      Promise.allSettled(Array.from({ length: 10 }, () => bench.run(connection, 'SELECT 1'))),
    );
    assert.ok(results.filter(({ status }) => status === 'rejected').length <= 1);
    assertBelow(ms, validationTimeoutMs + BUSY_MACHINE_MS);
    assert.ok(connection.lanes.stats().generation > 0);
  });

  it('7: a black hole in mid-query: the query times out; its connection is destroyed, never reused', async () => {
    const limits = { maxOpenConns: 1, queryTimeoutMs: 200, validateAfterMs: 60_000 };
    const connection = await bench.open(limits as TestOptions<O>);
    const current = async () => {
      const lease = await connection.lanes.acquire();
      const { connection: held } = lease;
      lease.release();
      return held;
    };
    const before = await current();
    // The server is given the statement; its answer never comes, nor can it be told to stop.
    bench.proxy.toClient.latencyMs = 60_000;
    bench.proxy.silent = true;
    const [, ms] = await timed(failure(bench.run(connection, 'SELECT 1'), 'DBM_QUERY_TIMEOUT'));
    assertBelow(ms, 200 + 250 + 1_000 + BUSY_MACHINE_MS);
    bench.proxy.heal();
    assert.notEqual(await current(), before);
  });

  it('7: a black hole before the first row of a stream: it times out, and its connection is destroyed', async () => {
    const clock = new FakeClock();
    const connection = await bench.open({ maxOpenConns: 1, queryTimeoutMs: 60_000 } as TestOptions<O>, clock);
    await bench.run(connection, 'SELECT 1');
    bench.proxy.blackHole();
    bench.proxy.silent = true;
    const session = bench.session(connection);
    const read = failure(session.stream({ sql: 'SELECT 1 AS n' })[Symbol.asyncIterator]().next(), 'DBM_QUERY_TIMEOUT');
    await clock.advance(70_000);
    session.release(await read);
    bench.proxy.heal();
    await bench.run(connection, 'SELECT 1');
    assert.equal(connection.lanes.stats().created, 2);
  });
}

function answerTests<C, O extends object>(
  bench: FaultBench<C, O>,
  { series, takesLoginsWhole = false, runner: { it } }: FaultSuiteSetup<C, O>,
): void {
  const cuts = [
    ['reset in the middle of a result', 'reset', 50_000],
    ['closed in the middle of a row', 'end', 50_000],
    ['reset before the first byte of an answer', 'reset', 0],
  ] as const;
  for (const [what, cutBy, cutAfterBytes] of cuts) {
    it(`8: ${what}: a clean error, and the next query is fine`, async () => {
      const connection = await bench.open({ maxOpenConns: 1 } as TestOptions<O>);
      await bench.run(connection, 'SELECT 1');
      Object.assign(bench.proxy.toClient, { cutBy, cutAfterBytes });
      const error = await failure(bench.run(connection, series(1_000, 1_000)), 'DBM_CONNECTION_LOST');
      assert.equal(error.connectionName, 'test');
      assert.equal((await bench.run(connection, series(1, 1))).length, 1);
      assert.equal(connection.lanes.stats().created, 2);
    });
  }

  it('8: one byte at a time in both directions: the right rows, and errors that cost no connection', async () => {
    const connection = await bench.open({ maxOpenConns: 1 } as TestOptions<O>);
    if (takesLoginsWhole) await bench.run(connection, 'SELECT 1');
    bench.proxy.toClient.sliceBytes = 1;
    bench.proxy.toServer.sliceBytes = 1;
    const expected = Array.from({ length: 50 }, (_, n) => [n + 1, 'xx']);
    const plain = (rows: readonly Row[]) => rows.map(({ n, text }) => [n, text]);
    assert.deepEqual(plain(await bench.run(connection, series(50, 2))), expected);
    const streamed: Row[] = [];
    const session = bench.session(connection);
    for await (const row of session.stream({ sql: series(50, 2) })) streamed.push(row);
    session.release();
    assert.deepEqual(plain(streamed), expected);
    await failure(bench.run(connection, 'SELEKT'), 'DBM_QUERY_FAILED');
    const { created, dirtyReleases } = connection.lanes.stats();
    assert.deepEqual({ created, dirtyReleases }, { created: 1, dirtyReleases: 0 });
  });
}

function outageTests<C, O extends object>(bench: FaultBench<C, O>, setup: FaultSuiteSetup<C, O>): void {
  const { it } = setup.runner;

  it('9: the server stopped 5 s under 64-way load: typed transient errors, few connects, quick recovery', async () => {
    const server = bench.keep(await setup.ownServer());
    const pool = { maxOpenConns: 16, maxIdleConns: 16, maxConnecting: 2, acquireTimeoutMs: 1_500 };
    const connection = await bench.open({ ...server.place, ...server.options, ...pool } as TestOptions<O>);
    const { lanes } = connection;
    const codes = new Map<string, number>();
    const healed = new Set<number>();
    let peakConnecting = 0;
    let back = false;
    /** How long was waited after each connect that failed. */
    const delays: (number | undefined)[] = [];
    lanes.on('createFailed', ({ nextDelayMs }) => delays.push(nextDelayMs));
    const worker = async (id: number) => {
      while (healed.size < 64) {
        peakConnecting = Math.max(peakConnecting, lanes.stats().connecting);
        try {
          await bench.run(connection, 'SELECT 1');
          if (back) healed.add(id);
        } catch (error) {
          assert.ok(error instanceof DbManagerError, String(error));
          codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
          if (error.code !== 'DBM_CONNECTION_LOST') assert.ok(error.retryable, error.message);
        }
      }
    };
    const load = Promise.all(Array.from({ length: 64 }, (_, id) => worker(id)));
    while (lanes.stats().acquired < 500) await sleep(1);
    const stoppedAt = performance.now();
    await server.stop();
    // The fault itself lasts this long.
    await sleep(5_000);
    await server.start();
    back = true;
    const failures = delays.length;
    await load;
    const outageMs = performance.now() - stoppedAt;
    const { DBM_ACQUIRE_TIMEOUT: timeouts = 0, DBM_CONNECTION_LOST: lost = 0, ...others } = Object.fromEntries(codes);
    assert.deepEqual(others, {});
    assert.ok(timeouts > 0);
    // Each connection takes at most one statement with it.
    assert.ok(lost <= 16, `${lost} statements were lost`);
    assert.ok(peakConnecting <= 2, `${peakConnecting} connects at a time`);
    // At most a connect that was under way is lost once the server is back.
    assert.ok(delays.length <= failures + 1, `${delays.length - failures} connects failed`);
    // Those that were under way when it stopped start one backoff. From then on one connects and waits at a time.
    const waits = delays.filter((delay) => delay !== undefined);
    assert.ok(delays.length - waits.length < pool.maxConnecting, `${delays}`);
    assertBelow(Math.max(...waits), 501);
    assertBelow(
      waits.reduce((sum, delay) => sum + delay),
      outageMs + 500,
    );
  }, 40_000);

  it('13: one of 20 databases hangs: the other 19 are checked on schedule, and stats answer at once', async () => {
    const { host, port } = bench.server;
    const checked = { healthCheckIntervalMs: 200, healthCheckTimeoutMs: 15_000 };
    const healthy = { ...setup.options({ host, port }, bench.database), ...checked, maxOpenConns: 1 };
    const names = Array.from({ length: 19 }, (_, n) => `good${n}`);
    const manager = bench.manage({
      ...Object.fromEntries(names.map((name) => [name, healthy])),
      hung: checked as TestOptions<O>,
    });
    await manager.connect();
    bench.proxy.silent = true;
    bench.proxy.blackHole();
    const counts = new Map<string, number>();
    let unhealthy = 0;
    await new Promise<void>((resolve) => {
      manager.events.on('health', ({ name, status }) => {
        if (name !== 'hung' && status !== 'healthy') unhealthy++;
        counts.set(name, (counts.get(name) ?? 0) + 1);
        if (names.every((good) => (counts.get(good) ?? 0) >= 6)) resolve();
      });
    });
    assert.equal(unhealthy, 0);
    // Each was checked six times while the one that hangs was not done with one: none has waited for it.
    assert.equal(counts.get('hung') ?? 0, 0);
    // In one turn of the loop: it asks nobody.
    assert.equal(manager.stats().totalConnections, 20);
  });
}

function poolTests<C, O extends object>(bench: FaultBench<C, O>, { runner: { it } }: FaultSuiteSetup<C, O>): void {
  it('14: the pool exhausted for 60 s: saturated, not down; served in order of arrival', async () => {
    const clock = new FakeClock();
    const { lanes } = await bench.open({ maxOpenConns: 2, acquireTimeoutMs: 120_000 } as TestOptions<O>, clock);
    const holders = [await lanes.acquire(), await lanes.acquire()];
    const order: number[] = [];
    const waiters = Array.from({ length: 6 }, async (_, n) => {
      const lease = await lanes.acquire();
      order.push(n);
      lease.release();
    });
    await clock.advance(60_000);
    const { saturated, down, pending, oldestBorrowMs } = lanes.stats();
    assert.deepEqual(
      { saturated, down, pending, oldestBorrowMs },
      { saturated: true, down: false, pending: 6, oldestBorrowMs: 60_000 },
    );
    await lanes.probe(new AbortController().signal);
    for (const holder of holders) holder.release();
    await Promise.all(waiters);
    assert.deepEqual(order, [0, 1, 2, 3, 4, 5]);
    const after = lanes.stats();
    assert.deepEqual([after.saturated, after.pending, after.acquireTimeouts], [false, 0, 0]);
  });

  it('15: 1000 queued acquires aborted: the queue is empty and no ghost holds a connection', async () => {
    const connection = await bench.open({ maxOpenConns: 1 } as TestOptions<O>);
    const { lanes } = connection;
    const holder = await lanes.acquire();
    const abort = new AbortController();
    const waiters = Array.from({ length: 1_000 }, () =>
      failure(lanes.acquire({ signal: abort.signal }), 'DBM_ABORTED'),
    );
    assert.equal(lanes.counts.pending, 1_000);
    abort.abort();
    await Promise.all(waiters);
    assert.deepEqual([lanes.counts.pending, lanes.counts.inUse], [0, 1]);
    holder.release();
    await bench.run(connection, 'SELECT 1');
    assert.deepEqual([lanes.counts.pending, lanes.counts.inUse], [0, 0]);
  });

  it('16: one of two leaked at shutdown: it ends at the drain deadline, tells who held it, and leaves nothing', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    const manager = bench.manage({ leaking: { maxOpenConns: 2, leakDetectionMs: 60_000 } as TestOptions<O> });
    await manager.connect();
    const borrow = () => manager.get('leaking').acquire();
    const [leaked, returned] = (await Promise.all([borrow(), borrow()])) as [Lease<unknown>, Lease<unknown>];
    const closing = timed(manager.close({ drainTimeoutMs: 300 }));
    returned.release();
    const [{ drained, held }, ms] = await closing;
    assert.ok(ms > 200, `${ms}`);
    assertBelow(ms, 300 + BUSY_MACHINE_MS);
    assert.equal(drained, false);
    assert.match(held.leaking?.[0]?.stack ?? '', /fault-suite/);
    assert.throws(() => leaked.connection, { code: 'DBM_LEASE_RELEASED' });
    await bench.proxy.untilLive(0);
    assert.ok(timers() <= before, 'no timer is left');
  });

  it('17: begun, then given back: the next borrower is in no transaction', async () => {
    const connection = await bench.open({ maxOpenConns: 1 } as TestOptions<O>);
    await bench.run(connection, 'CREATE TABLE written (n int)');
    const session = bench.session(connection);
    await session.begin();
    await session.query({ sql: 'INSERT INTO written VALUES (1)' });
    session.release();
    const next = bench.session(connection);
    const { rows } = await next.query({ sql: 'SELECT n FROM written' });
    assert.deepEqual([rows.length, next.inTransaction], [0, false]);
    next.release();
    const { created, dirtyReleases } = connection.lanes.stats();
    assert.deepEqual({ created, dirtyReleases }, { created: 1, dirtyReleases: 1 });
  });
}

function commitTests<C, O extends object>(bench: FaultBench<C, O>, { runner: { it } }: FaultSuiteSetup<C, O>): void {
  /** A session on its one connection, in a transaction that has written a row. */
  const written = async (connection: TestConnection<C>) => {
    await bench.run(connection, 'CREATE TABLE written (n int)');
    const session = bench.session(connection);
    await session.begin();
    await session.query({ sql: 'INSERT INTO written VALUES (1)' });
    return session;
  };
  const rows = async (connection: TestConnection<C>) => (await bench.run(connection, 'SELECT n FROM written')).length;

  const losses = [
    ['the answer to COMMIT is lost', 'toClient', 1],
    ['COMMIT itself is lost', 'toServer', 0],
  ] as const;
  for (const [what, direction, found] of losses) {
    it(`20: ${what}: unknown, and never applied twice`, async () => {
      const connection = await bench.open({ maxOpenConns: 1 } as TestOptions<O>);
      const session = await written(connection);
      bench.proxy[direction].cutAfterBytes = 0;
      session.release(await failure(session.commit(), 'DBM_COMMIT_UNKNOWN'));
      assert.equal(await rows(connection), found);
    });
  }

  it('20: no answer to COMMIT, nor to being told to stop it: unknown, not a timeout like any other', async () => {
    const clock = new FakeClock();
    const connection = await bench.open({ maxOpenConns: 1, queryTimeoutMs: 60_000 } as TestOptions<O>, clock);
    const session = await written(connection);
    bench.proxy.blackHole();
    bench.proxy.silent = true;
    const commit = failure(session.commit(), 'DBM_COMMIT_UNKNOWN');
    await clock.advance(70_000);
    session.release(await commit);
    bench.proxy.heal();
    assert.equal(await rows(connection), 0);
  });
}

import { FakeClock, type FakeConnection, FakeProvider, settle } from '@dbmanager/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { ConfigInput } from './config/resolve-config.js';
import { resolveConfig } from './config/resolve-config.js';
import { ConnectionManager, type ManagerSetup } from './connection-manager.js';
import { DbManagerError, StartupError } from './errors.js';
import { ManagedConnection } from './managed-connection.js';
import type { ManagerEvents } from './manager-events.js';
import { seededRandom } from './random.js';

const second = 1_000;

function fail(): never {
  throw new Error('should have been rejected');
}

/** A manager on a fake clock with fake databases; each is closed and checked for leftovers after its test. */
class Bench {
  readonly clock = new FakeClock();
  readonly provider: FakeProvider;
  readonly manager: ConnectionManager;

  constructor(
    connections: Record<string, Record<string, unknown>>,
    {
      globals = {},
      provider = new FakeProvider(),
      ...setup
    }: {
      globals?: Record<string, unknown>;
      provider?: FakeProvider;
      logger?: NonNullable<ManagerSetup<ManagedConnection>['logger']>;
    } = {},
  ) {
    this.provider = provider;
    const input: ConfigInput = {
      ...globals,
      connections: Object.fromEntries(
        Object.entries(connections).map(([name, keys]) => [name, { type: 'fake', ...keys }]),
      ),
    };
    this.manager = new ConnectionManager(resolveConfig(input, { providers: [provider] }).config, {
      providers: [provider],
      clock: this.clock,
      random: seededRandom(7),
      createConnection: (connection) => new ManagedConnection(connection),
      ...setup,
    });
    benches.push(this);
  }

  database(name: string) {
    return this.provider.database(name);
  }

  record<E extends keyof ManagerEvents>(event: E): ManagerEvents[E][] {
    const seen: ManagerEvents[E][] = [];
    this.manager.events.on(event, (payload) => seen.push(payload));
    return seen;
  }
}

const benches: Bench[] = [];

afterEach(async () => {
  for (const { manager, provider, clock } of benches.splice(0)) {
    const closing = manager.close({ drainTimeoutMs: 0 });
    await clock.advance(20 * second);
    await closing;
    provider.assertSettled();
    expect(clock.pendingTimers).toBe(0);
  }
});

describe('connect()', () => {
  it('is what opens connections: constructing and looking up open nothing and set no timer', async () => {
    const bench = new Bench({ primary: {}, analytics: {} });
    bench.manager.get('primary');
    await settle();
    expect(bench.provider.databases).toEqual([]);
    expect(bench.clock.pendingTimers).toBe(0);
  });

  it('seeds 4: connect(): opens twenty databases that take 100 ms each side by side', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `db${index}`);
    const bench = new Bench(Object.fromEntries(names.map((name) => [name, {}])));
    for (const name of names) bench.database(name).connects.latencyMs = 100;
    const connected = bench.manager.connect();
    await bench.clock.advance(100);
    await connected;
    expect(bench.clock.now()).toBe(100);
    expect(bench.manager.stats().healthyCount).toBe(20);
  });

  it('seeds 4: connect(): closes everything it opened when a required one fails, names each failure, and may be retried', async () => {
    const bench = new Bench({
      good: {},
      bad: { retry_attempts: 0 },
      worse: { retry_attempts: 0 },
      spare: { startup: 'optional' },
    });
    bench.database('bad').goDown();
    bench.database('worse').goDown();

    const error = await bench.manager.connect().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StartupError);
    expect((error as StartupError).errors.map((each) => (each as DbManagerError).connectionName)).toEqual([
      'bad',
      'worse',
    ]);
    expect(bench.database('good').live).toEqual([]);
    expect(bench.database('spare').live).toEqual([]);
    expect(bench.database('good').created).toEqual(bench.database('good').destroyed);

    bench.database('bad').goUp();
    bench.database('worse').goUp();
    await bench.manager.connect();
    await settle();
    expect([...bench.manager.getAll().values()].map(({ state }) => state)).toEqual([
      'ready',
      'ready',
      'ready',
      'ready',
    ]);
  });

  it('ends an optional one that still connects when a required one fails: nothing is tried behind its back', async () => {
    const bench = new Bench({ bad: { retry_attempts: 0 }, spare: { startup: 'optional' } });
    const reconnects = bench.record('reconnect');
    bench.database('bad').goDown();
    bench.database('spare').connects.latencyMs = second;
    await expect(bench.manager.connect()).rejects.toThrow(StartupError);
    await bench.clock.advance(60 * second);
    expect(bench.manager.get('spare').health()).toMatchObject({ state: 'registered', status: 'unknown' });
    expect(bench.database('spare').attempts).toBe(1);
    expect(reconnects).toEqual([]);
  });

  it('takes nothing that closing after a failed start brings about for the state of a database that was well', async () => {
    const bench = new Bench({ bad: { retry_attempts: 0 }, spare: { startup: 'optional' } });
    const [bad, spare] = [bench.database('bad'), bench.database('spare')];
    bad.connects.latencyMs = second;
    bad.failNextConnects(1);
    const connection = bench.manager.get('spare');
    const failed = expect(bench.manager.connect()).rejects.toThrow(StartupError);
    await settle();
    spare.validations.latencyMs = Number.POSITIVE_INFINITY;
    const cutShort = expect(connection.healthCheck()).rejects.toMatchObject({ code: 'DBM_NOT_CONNECTED' });
    await bench.clock.advance(second);
    await failed;
    await cutShort;
    expect(connection.health()).toMatchObject({ state: 'registered', status: 'unknown', consecutiveFailures: 0 });

    spare.validations.latencyMs = 0;
    await connection.healthCheck();
    expect(connection.health()).toMatchObject({ state: 'ready', status: 'healthy' });
  });

  it('seeds 4: connect(): may be called twice, at once or one after the other', async () => {
    const bench = new Bench({ primary: {} });
    await Promise.all([bench.manager.connect(), bench.manager.connect()]);
    await bench.manager.connect();
    expect(bench.database('primary').attempts).toBe(1);
  });

  it('seeds 4: Retry: retries after 1s, 2s and 4s, shortened by at most a tenth, and then gives up with the last error as cause', async () => {
    const bench = new Bench({ primary: {} });
    bench.database('primary').goDown();
    const attempts: number[] = [];
    const poll = bench.database('primary');
    let seen = 0;
    const connected = bench.manager.connect().catch((error: unknown) => error);
    for (let tick = 0; tick < 800; tick++) {
      await bench.clock.advance(10);
      if (poll.attempts > seen) {
        seen = poll.attempts;
        attempts.push(bench.clock.now());
      }
    }
    const error = await connected;
    expect(error).toMatchObject({ code: 'DBM_STARTUP_FAILED', cause: { code: 'DBM_CONNECT_FAILED' } });
    const delays = attempts.slice(1).map((at, index) => at - (attempts[index] as number));
    expect(delays).toHaveLength(3);
    for (const [index, nominal] of [second, 2 * second, 4 * second].entries()) {
      expect(delays[index]).toBeLessThanOrEqual(nominal + 10);
      expect(delays[index]).toBeGreaterThanOrEqual(nominal * 0.9 - 10);
    }
  });

  it('seeds 4: Retry: does not retry a wrong password', async () => {
    const bench = new Bench({ primary: { password: 'guess' } });
    bench.database('primary').password = 'right';
    await expect(bench.manager.connect()).rejects.toMatchObject({
      code: 'DBM_STARTUP_FAILED',
      retryable: false,
      cause: { code: 'DBM_AUTH_FAILED', connectionName: 'primary' },
    });
    expect(bench.database('primary').attempts).toBe(1);
  });

  it('gives up at startup_timeout on a server that never answers, naming the option, with nothing left open', async () => {
    const bench = new Bench({ primary: { startup_timeout: '3s' } });
    bench.database('primary').connects.latencyMs = Number.POSITIVE_INFINITY;
    const connected = bench.manager.connect().catch((error: unknown) => error);
    await bench.clock.advance(3 * second);
    expect(await connected).toMatchObject({ cause: { code: 'DBM_STARTUP_TIMEOUT', option: 'startup_timeout' } });
    expect(bench.database('primary').connecting).toBe(0);
    expect(bench.manager.get('primary').state).toBe('failed');
  });

  it.each(['during the dial', 'during the sleep'])(
    'seeds 4: Retry: stops at once when its signal is aborted %s',
    async (when) => {
      const bench = new Bench({ primary: {} });
      const database = bench.database('primary');
      if (when === 'during the dial') database.connects.latencyMs = Number.POSITIVE_INFINITY;
      else database.goDown();
      const abort = new AbortController();
      const connected = bench.manager.connect({ signal: abort.signal }).catch((error: unknown) => error);
      await settle();
      abort.abort();
      expect(await connected).toMatchObject({ cause: { code: 'DBM_ABORTED' } });
      expect(database.connecting).toBe(0);
      expect(database.attempts).toBe(1);
    },
  );

  it('starts at once without an optional database, which heals by itself', async () => {
    const bench = new Bench({ extra: { startup: 'optional' } }, { globals: { retry_max_delay: '10s' } });
    const database = bench.database('extra');
    database.goDown();
    await bench.manager.connect();
    expect(bench.clock.now()).toBe(0);
    await bench.clock.advance(60 * second);
    expect(bench.manager.get('extra').health()).toMatchObject({ state: 'connecting', status: 'disconnected' });
    database.goUp();
    await bench.clock.advance(11 * second);
    expect(bench.manager.get('extra').health()).toMatchObject({ state: 'ready', status: 'healthy', error: undefined });
  });

  it('leaves a lazy connection alone until it is used', async () => {
    const bench = new Bench({ archive: { startup: 'lazy' } });
    await bench.manager.connect();
    await bench.clock.advance(5 * 60 * second);
    expect(bench.database('archive').attempts).toBe(0);
    expect(bench.manager.get('archive').health().status).toBe('unknown');

    await using lease = await bench.manager.get('archive').acquire();
    expect((lease.connection as FakeConnection).id).toBe(1);
    expect(bench.manager.get('archive').health().status).toBe('healthy');
  });

  it('reports a missing driver with the name of the connection, and for a lazy one only when it is used', async () => {
    const provider = new FakeProvider({ driverInstalled: false });
    const required = new Bench({ primary: {} }, { provider });
    await expect(required.manager.connect()).rejects.toMatchObject({
      cause: { code: 'DBM_PACKAGE_NOT_INSTALLED', connectionName: 'primary' },
    });
    const lazy = new Bench({ primary: { startup: 'lazy' } }, { provider });
    await lazy.manager.connect();
    await expect(lazy.manager.get('primary').acquire()).rejects.toMatchObject({ code: 'DBM_PACKAGE_NOT_INSTALLED' });
  });

  it('tells all of a single failure: the connection, the option to change, and the name once', async () => {
    const bench = new Bench({ good: {}, primary: { startup_timeout: '1s' } });
    bench.database('primary').goDown();
    const connected: Promise<DbManagerError> = bench.manager.connect().then(fail, (reason) => reason);
    await bench.clock.advance(second);
    const error = await connected;
    expect(error).toMatchObject({
      code: 'DBM_STARTUP_FAILED',
      connectionName: 'primary',
      option: 'startup_timeout',
      retryable: true,
    });
    expect(error.message.split('connection "primary"')).toHaveLength(2);
  });

  it('names a type that has no provider', async () => {
    const provider = new FakeProvider();
    const { config } = resolveConfig({ connections: { primary: { type: 'fake' } } }, { providers: [provider] });
    const manager = new ConnectionManager(config, {
      providers: [],
      createConnection: (setup) => new ManagedConnection(setup),
    });
    await expect(manager.connect()).rejects.toMatchObject({
      cause: { code: 'DBM_UNKNOWN_PROVIDER', option: 'type', connectionName: 'primary' },
    });
    await manager.close();
  });
});

describe('finding connections', () => {
  it('seeds 4: Named connections: refuses an unknown name with those there are', () => {
    const bench = new Bench({ primary: {}, analytics: {} });
    expect(() => bench.manager.get('primry')).toThrow(
      expect.objectContaining({
        code: 'DBM_UNKNOWN_CONNECTION',
        message: expect.stringContaining('primary, analytics'),
      }),
    );
  });

  it('seeds 4: Named connections: gives a copy of all connections', () => {
    const bench = new Bench({ primary: {}, analytics: {} });
    bench.manager.getAll().delete('primary');
    expect([...bench.manager.getAll().keys()]).toEqual(['primary', 'analytics']);
  });

  it('seeds 4: Tags: finds by all the tags asked for', () => {
    const bench = new Bench({
      a: { tags: { team: 'billing', tier: 'gold' } },
      b: { tags: { team: 'billing' } },
      c: {},
    });
    const names = (tags: Record<string, string>) => bench.manager.find(tags).map(({ name }) => name);
    expect(names({ team: 'billing' })).toEqual(['a', 'b']);
    expect(names({ team: 'billing', tier: 'gold' })).toEqual(['a']);
    expect(names({ team: 'sales' })).toEqual([]);
  });

  it('seeds 4: Default database: switches the default between two connections, never to anything else', () => {
    const bench = new Bench({ a: {}, b: {} }, { globals: { default_connection: 'a' } });
    const seen = new Set<string>();
    for (let read = 0; read < 1_000; read++) {
      if (read % 7 === 0) bench.manager.setDefaultDatabase(read % 2 === 0 ? 'a' : 'b');
      seen.add(bench.manager.getDefault().name);
    }
    expect([...seen].sort()).toEqual(['a', 'b']);
    expect(() => bench.manager.setDefaultDatabase('c')).toThrow(
      expect.objectContaining({ code: 'DBM_UNKNOWN_CONNECTION' }),
    );
  });

  it('says when no default is set', () => {
    const bench = new Bench({ a: {}, b: {} });
    expect(() => bench.manager.getDefault()).toThrow(expect.objectContaining({ code: 'DBM_NO_DEFAULT_CONNECTION' }));
  });
});

describe('register() and remove()', () => {
  it('seeds 4: Adoption: adopts a handle of the caller and leaves it open at close', async () => {
    const bench = new Bench({});
    const database = new FakeProvider().database('mine');
    const connection = await bench.manager.register('legacy', { type: 'fake', handle: database, max_open_conns: 2 });
    const lease = await connection.acquire();
    expect((lease.connection as FakeConnection).id).toBe(1);
    lease.release();
    expect(connection.config.options.maxOpenConns).toBe(2);
    await bench.manager.close();
    database.assertSettled();
  });

  it('refuses a taken name, and forgets a connection whose first connect fails', async () => {
    const bench = new Bench({ primary: {} });
    const database = new FakeProvider().database('mine');
    await expect(bench.manager.register('primary', { type: 'fake', handle: database })).rejects.toMatchObject({
      code: 'DBM_DUPLICATE_CONNECTION',
    });
    database.goDown();
    await expect(
      bench.manager.register('legacy', { type: 'fake', handle: database, retry_attempts: 0 }),
    ).rejects.toMatchObject({ code: 'DBM_CONNECT_FAILED' });
    expect([...bench.manager.getAll().keys()]).toEqual(['primary']);
  });

  it('closes and forgets a removed connection', async () => {
    const bench = new Bench({ a: {}, b: {} });
    await bench.manager.connect();
    await bench.manager.remove('a');
    expect(bench.database('a').live).toEqual([]);
    expect(Object.keys(bench.manager.stats().connections)).toEqual(['b']);
  });
});

describe('health checks', () => {
  it('begin with the connect itself, so that the first caller finds the only connection idle', async () => {
    const bench = new Bench({ primary: { max_open_conns: 1 }, spare: { startup: 'optional' } });
    const checked = bench.record('health');
    await bench.manager.connect();
    await using _lease = await bench.manager.get('primary').acquire();
    await settle();
    const { healthChecks, pool } = bench.manager.get('primary').stats();
    expect({ checks: healthChecks.count, waits: pool.waitCount }).toEqual({ checks: 1, waits: 0 });
    expect(checked.map(({ name, status }) => [name, status])).toEqual([
      ['primary', 'healthy'],
      ['spare', 'healthy'],
    ]);
    expect(bench.database('primary').attempts).toBe(1);
  });

  it('go on at one interval for a connection that takes the name of one removed during its check', async () => {
    const bench = new Bench({ primary: { health_check_interval: '10s' } });
    await bench.manager.connect();
    bench.database('primary').validations.latencyMs = 2 * second;
    await bench.clock.advance(11 * second);
    const removed = bench.manager.remove('primary');
    const handle = new FakeProvider().database('mine');
    await bench.manager.register('primary', { type: 'fake', handle, health_check_interval: '10s' });
    await bench.clock.advance(second);
    await removed;
    const checks = bench.record('health');
    await bench.clock.advance(100 * second);
    expect(checks.length).toBeGreaterThanOrEqual(8);
    expect(checks.length).toBeLessThanOrEqual(11);
    await bench.manager.close();
    expect(bench.clock.pendingTimers).toBe(0);
  });

  it('show a database that was asked and did not answer as disconnected, also when nothing was open before', async () => {
    const bench = new Bench({ archive: { startup: 'lazy' } });
    await bench.manager.connect();
    bench.database('archive').goDown();
    const connection = bench.manager.get('archive');
    await expect(connection.healthCheck()).rejects.toMatchObject({ code: 'DBM_HEALTH_CHECK_FAILED' });
    expect(connection.health()).toMatchObject({ state: 'registered', status: 'disconnected' });
  });

  it('name the connection once in the error that wraps another', async () => {
    const bench = new Bench({ primary: {} });
    await bench.manager.connect();
    bench.database('primary').goDown();
    const error: DbManagerError = await bench.manager
      .get('primary')
      .healthCheck()
      .then(fail, (reason) => reason);
    expect(error.message.split('connection "primary"')).toHaveLength(2);
  });

  it('seeds 4: Health: check each database at once after connect and then at its interval, ten per cent more or less', async () => {
    const bench = new Bench({ primary: { health_check_interval: '10s' } });
    const checks: number[] = [];
    bench.manager.events.on('health', () => checks.push(bench.clock.now()));
    await bench.manager.connect();
    await bench.clock.advance(60 * second);
    expect(checks[0]).toBe(0);
    expect(checks.length).toBeGreaterThanOrEqual(6);
    for (let index = 1; index < checks.length; index++) {
      const gap = (checks[index] as number) - (checks[index - 1] as number);
      expect(gap).toBeGreaterThanOrEqual(9 * second);
      expect(gap).toBeLessThanOrEqual(11 * second);
    }
    expect(new Set(checks.map((at) => at % second)).size).toBeGreaterThan(1);
  });

  it('seeds 4: Health: stay on time for nineteen databases while the twentieth hangs', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `db${index}`);
    const bench = new Bench(Object.fromEntries(names.map((name) => [name, { health_check_interval: '10s' }])));
    await bench.manager.connect();
    bench.database('db0').validations.latencyMs = Number.POSITIVE_INFINITY;
    bench.database('db0').connects.latencyMs = Number.POSITIVE_INFINITY;
    const checks = new Map<string, number>();
    bench.manager.events.on('health', ({ name }) => checks.set(name, (checks.get(name) ?? 0) + 1));
    await bench.clock.advance(100 * second);
    for (const name of names.slice(1)) expect(checks.get(name)).toBeGreaterThanOrEqual(9);
    expect(bench.manager.get('db0').health().status).toBe('unhealthy');
    expect(bench.manager.stats().healthyCount).toBe(19);
  });

  it('end at health_check_timeout, also when the probe ignores its signal', async () => {
    const bench = new Bench({ primary: { health_check_timeout: '2s', validation_timeout: '20s' } });
    await bench.manager.connect();
    await bench.clock.advance(second);
    bench.database('primary').validations.latencyMs = Number.POSITIVE_INFINITY;
    const check = bench.manager
      .get('primary')
      .healthCheck()
      .catch((error: unknown) => error);
    await bench.clock.advance(2 * second);
    expect(await check).toMatchObject({ code: 'DBM_HEALTH_CHECK_TIMEOUT', option: 'health_check_timeout' });
  });

  it('seeds 4: Health: report a full pool as saturated, not as down', async () => {
    const bench = new Bench({ primary: { max_open_conns: 1 } });
    await bench.manager.connect();
    const connection = bench.manager.get('primary');
    const lease = await connection.acquire();
    const waiting = connection.acquire();
    await connection.healthCheck();
    expect(connection.health()).toMatchObject({ status: 'healthy', saturated: true });
    lease.release();
    (await waiting).release();
  });

  it('take "too many connections" for an answer', async () => {
    const bench = new Bench({ primary: { max_open_conns: 1 } });
    await bench.manager.connect();
    const connection = bench.manager.get('primary');
    await using _lease = await connection.acquire();
    bench.database('primary').connects.error = new DbManagerError('DBM_TOO_MANY_CONNECTIONS', 'no slot');
    await connection.healthCheck();
    expect(connection.health().status).toBe('healthy');
  });

  it('share one check between concurrent callers, whose signals end only their own wait', async () => {
    const bench = new Bench({ primary: {} });
    await bench.manager.connect();
    await settle();
    bench.database('primary').validations.latencyMs = 100;
    const health = bench.record('health');
    const abort = new AbortController();
    const connection = bench.manager.get('primary');
    const impatient = connection.healthCheck(abort.signal).catch((error: unknown) => error);
    const patient = connection.healthCheck();
    abort.abort(new Error('enough'));
    expect(await impatient).toMatchObject({
      code: 'DBM_ABORTED',
      connectionName: 'primary',
      cause: { message: 'enough' },
    });
    await bench.clock.advance(100);
    await patient;
    expect(health).toHaveLength(1);
  });

  it('follow at once when an idle connection dies, without waiting for the interval', async () => {
    const bench = new Bench({ primary: {} });
    await bench.manager.connect();
    await settle();
    bench.database('primary').goDown();
    await settle();
    expect(bench.manager.get('primary').health()).toMatchObject({ state: 'degraded', status: 'unhealthy' });
  });

  it('hand a snapshot to each attached publisher until it is detached', async () => {
    const bench = new Bench({ primary: {} });
    const published: number[] = [];
    const detach = bench.manager.attachPublisher((stats) => published.push(stats.totalConnections));
    await bench.manager.connect();
    await settle();
    expect(published.length).toBeGreaterThan(0);
    detach();
    const before = published.length;
    bench.manager.publishMetrics();
    expect(published).toHaveLength(before);
  });
});

describe('reconnecting', () => {
  it('counts each failed attempt and each failed check once, until the database answers', async () => {
    const bench = new Bench({ primary: { health_check_interval: '5s' } });
    await bench.manager.connect();
    const attempts = bench.record('reconnect');
    const checks = bench.record('health');
    bench.database('primary').goDown();
    await bench.clock.advance(30 * second);
    const failed = [...attempts.filter(({ error }) => error), ...checks.filter(({ error }) => error)].length;
    expect(bench.manager.get('primary').health().consecutiveFailures).toBe(failed);
    bench.database('primary').goUp();
    await bench.clock.advance(11 * second);
    expect(bench.manager.get('primary').health().consecutiveFailures).toBe(0);
  });

  it('seeds 4: Auto reconnect: happens by itself with backoff when a database comes back, and is counted', async () => {
    const bench = new Bench({ primary: { health_check_interval: '5s' } });
    await bench.manager.connect();
    const reconnects = bench.record('reconnect');
    bench.database('primary').goDown();
    await bench.clock.advance(30 * second);
    const failures = reconnects.filter(({ result }) => result === 'failure');
    expect(failures.length).toBeGreaterThan(2);
    for (const [index, { attempt, nextDelayMs = 0 }] of failures.entries()) {
      expect(attempt).toBe(index + 1);
      expect(nextDelayMs).toBeGreaterThanOrEqual(50);
      expect(nextDelayMs).toBeLessThanOrEqual(Math.min(10 * second, second * 2 ** index));
    }
    bench.database('primary').goUp();
    await bench.clock.advance(11 * second);
    const { health, reconnects: counts } = bench.manager.get('primary').stats();
    expect(health.status).toBe('healthy');
    expect(counts).toEqual({ success: 1, failure: failures.length });
  });

  it('seeds 4: Auto reconnect: stays off with enable_auto_reconnect: false, and a later check still finds the database well', async () => {
    const bench = new Bench({ primary: { enable_auto_reconnect: false, health_check_interval: '5s' } });
    await bench.manager.connect();
    const reconnects = bench.record('reconnect');
    bench.database('primary').goDown();
    await bench.clock.advance(20 * second);
    expect(reconnects).toEqual([]);
    expect(bench.manager.get('primary').health().status).toBe('unhealthy');
    bench.database('primary').goUp();
    await bench.clock.advance(30 * second);
    expect(bench.manager.get('primary').health().status).toBe('healthy');
  });

  it('seeds 4: Auto reconnect: makes one new connection for fifty callers, retires the old one, and keeps handles and counters', async () => {
    const bench = new Bench({ primary: {} });
    await bench.manager.connect();
    await settle();
    const connection = bench.manager.get('primary');
    const created = bench.database('primary').created.length;
    const before = connection.stats().pool.created;
    await Promise.all(Array.from({ length: 50 }, () => connection.reconnect()));
    await settle();
    expect(bench.database('primary').created.length).toBe(created + 1);
    expect(bench.database('primary').live.map(({ id }) => id)).toEqual([created + 1]);
    await using lease = await connection.acquire();
    expect((lease.connection as FakeConnection).id).toBe(created + 1);
    expect(connection.stats().pool.created).toBe(before + 1);
  });

  it('seeds 4: Auto reconnect: keeps the old connections when the new one cannot be made', async () => {
    const bench = new Bench({ primary: {} });
    await bench.manager.connect();
    await settle();
    const database = bench.database('primary');
    const [old] = database.live;
    database.connects.error = new DbManagerError('DBM_CONNECT_FAILED', 'refused');
    await expect(bench.manager.get('primary').reconnect()).rejects.toMatchObject({ code: 'DBM_CONNECT_FAILED' });
    expect(database.live).toEqual([old]);
    database.connects.error = undefined;
    await bench.clock.advance(11 * second);
  });
});

describe('suspend() and resume()', () => {
  it('hold back new acquires, also of connections that are not open yet, while running work goes on', async () => {
    const bench = new Bench({ primary: {}, later: { startup: 'lazy' } });
    await bench.manager.connect();
    const running = await bench.manager.get('primary').acquire();
    bench.manager.suspend();
    const waiting = ['primary', 'later'].map((name) => bench.manager.get(name).acquire());
    await bench.clock.advance(120 * second);
    expect(bench.manager.get('primary').health().suspended).toBe(true);
    running.release();
    bench.manager.resume();
    for (const lease of await Promise.all(waiting)) lease.release();
  });
});

describe('close()', () => {
  it('seeds 4: Graceful shutdown: refuses new work, reports who still holds what at the drain deadline, and leaves nothing open', async () => {
    const bench = new Bench({ primary: {}, other: {} });
    await bench.manager.connect();
    const leaked = await bench.manager.get('primary').acquire();
    leaked.note('select 1');
    const handle = bench.manager.get('primary');
    const closing = bench.manager.close();
    await expect(handle.acquire()).rejects.toMatchObject({ code: 'DBM_CLOSED' });
    await bench.clock.advance(10 * second + 200);
    expect(await closing).toMatchObject({
      drained: false,
      held: { primary: [{ leaseId: leaked.id, lastStatement: 'select 1' }] },
    });
    expect(bench.database('primary').live).toEqual([]);
    expect(() => bench.manager.get('primary')).toThrow(expect.objectContaining({ code: 'DBM_CLOSED' }));
    await expect(bench.manager.connect()).rejects.toMatchObject({ code: 'DBM_CLOSED' });
  });

  it('leaves every later call DBM_CLOSED, of the manager and of connections held on to', async () => {
    const bench = new Bench({ primary: {}, other: {} });
    await bench.manager.connect();
    const connection = bench.manager.get('primary');
    await bench.manager.close();
    const closed = expect.objectContaining({ code: 'DBM_CLOSED' });
    expect(() => bench.manager.getDefault()).toThrow(closed);
    expect(() => connection.native()).toThrow(closed);
    await expect(connection.reconnect()).rejects.toEqual(closed);
    await expect(connection.healthCheck()).rejects.toEqual(closed);
    await expect(connection.connect()).rejects.toEqual(closed);
  });

  it('is what a reconnect under way reports', async () => {
    const bench = new Bench({ primary: {} });
    await bench.manager.connect();
    bench.database('primary').connects.latencyMs = Number.POSITIVE_INFINITY;
    const reconnecting = bench.manager.reconnect('primary').catch((error: unknown) => error);
    await settle();
    await bench.manager.close();
    expect(await reconnecting).toMatchObject({ code: 'DBM_CLOSED', connectionName: 'primary' });
  });

  it('seeds 4: Graceful shutdown: is idempotent and may come before connect() or while it runs', async () => {
    const untouched = new Bench({ primary: {} });
    expect(await untouched.manager.close()).toEqual({ drained: true, held: {} });
    expect(untouched.manager.close()).toBe(untouched.manager.close());

    const starting = new Bench({ primary: {} });
    starting.database('primary').connects.latencyMs = Number.POSITIVE_INFINITY;
    const connected = starting.manager.connect().catch((error: unknown) => error);
    await settle();
    await starting.manager.close();
    expect(await connected).toMatchObject({ code: 'DBM_CLOSED' });
    expect(starting.database('primary').connecting).toBe(0);
  });

  it('ends an optional connection that is still trying', async () => {
    const bench = new Bench({ extra: { startup: 'optional' } });
    bench.database('extra').goDown();
    await bench.manager.connect();
    await bench.clock.advance(5 * second);
    const attempts = bench.database('extra').attempts;
    await bench.manager.close();
    await bench.clock.advance(60 * second);
    expect(bench.database('extra').attempts).toBe(attempts);
  });
});

describe('logging', () => {
  function recordingLogger() {
    const lines: { level: string; fields: object; message: string }[] = [];
    const log = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message });
    return { lines, logger: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') } };
  }

  it('warns of a leak once, and is silent for a connection that has it off, pool included', async () => {
    const { lines, logger } = recordingLogger();
    const keys = { leak_detection: '2s' };
    const bench = new Bench({ loud: keys, quiet: { ...keys, enable_logging: false } }, { logger });
    await bench.manager.connect();
    const leases = await Promise.all(['loud', 'quiet'].map((name) => bench.manager.get(name).acquire()));
    await bench.clock.advance(5 * second);
    for (const lease of leases) lease.release();
    expect(lines.filter(({ level }) => level === 'warn')).toEqual([
      expect.objectContaining({ fields: expect.objectContaining({ heldMs: 2 * second }) }),
    ]);
    expect(JSON.stringify(lines)).not.toContain('quiet');
  });

  it('seeds 4: Logging: writes the life of connections that have it on, with codes and without secrets', async () => {
    const { lines, logger } = recordingLogger();
    const bench = new Bench({ loud: { password: 'hunter2hunter2' }, quiet: { enable_logging: false } }, { logger });
    await bench.manager.connect();
    bench.database('loud').goDown();
    bench.database('quiet').goDown();
    await bench.clock.advance(5 * second);
    bench.database('loud').goUp();
    bench.database('quiet').goUp();
    await bench.clock.advance(15 * second);
    expect(lines.map(({ message }) => message)).toEqual(
      expect.arrayContaining([
        'connection ready',
        'connection lost',
        'connection degraded',
        'reconnect failed',
        'reconnected',
      ]),
    );
    expect(lines.find(({ message }) => message === 'reconnect failed')?.fields).toMatchObject({
      connection: 'loud',
      code: 'DBM_CONNECT_FAILED',
    });
    expect(JSON.stringify(lines)).not.toContain('quiet');
    expect(JSON.stringify(lines)).not.toContain('hunter2');
  });
});

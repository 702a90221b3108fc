import { describe, expect, it } from '@jest/globals';
import { failure, PoolFixture, watch } from '../../test/pool-fixture.js';
import { DbManagerError } from '../errors.js';

const authFailed = () => new DbManagerError('DBM_AUTH_FAILED', 'the password is wrong');

describe('a pool connecting', () => {
  it('gives a waiter whatever comes first: a returned connection before its own connect', async () => {
    await using fixture = new PoolFixture();
    const held = await fixture.pool.acquire();
    fixture.database.connects.latencyMs = 150;
    const waiting = fixture.pool.acquire();
    await fixture.clock.advance(2);
    const { connection } = held;
    held.release();
    expect((await waiting).connection).toBe(connection);
    await fixture.clock.advance(150);
    // The connect nobody needed any more was kept as idle.
    expect(fixture.pool.stats()).toMatchObject({ inUse: 1, idle: 1, connecting: 0 });
  });

  it('closes a connect that nobody needs any more when there is no room among the idle', async () => {
    await using fixture = new PoolFixture({ maxIdleConns: 0 });
    const held = await fixture.pool.acquire();
    fixture.database.connects.latencyMs = 150;
    const waiting = fixture.pool.acquire();
    await fixture.clock.advance(0);
    held.release();
    const lease = await waiting;
    await fixture.clock.advance(150);
    expect(fixture.events('destroyed')).toMatchObject([{ connectionId: 2, reason: 'idle' }]);
    expect(fixture.pool.counts).toMatchObject({ open: 1, inUse: 1 });
    lease.release();
  });

  it('lets connects under way finish into idle when all waiters have left, and cancels those beyond max_idle_conns', async () => {
    await using fixture = new PoolFixture({ maxIdleConns: 1, maxConnecting: 3 });
    fixture.database.connects.latencyMs = 150;
    const caller = new AbortController();
    const calls = Array.from({ length: 3 }, () => failure(fixture.pool.acquire({ signal: caller.signal })));
    await fixture.clock.advance(0);
    expect(fixture.pool.stats().connecting).toBe(3);
    caller.abort();
    await Promise.all(calls);
    await fixture.clock.advance(0);
    expect(fixture.pool.stats().connecting).toBe(1);
    await fixture.clock.advance(150);
    expect(fixture.pool.stats()).toMatchObject({ open: 1, idle: 1, created: 1, createFailures: 0, down: false });
  });

  it('opens about six connections, not fifty, for fifty callers at once on a slow connect', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 50, maxIdleConns: 5 });
    await fixture.fill(5);
    fixture.database.connects.latencyMs = 150;
    const startedAt = fixture.clock.now();
    const ends: number[] = [];
    const calls = Array.from({ length: 50 }, async () => {
      const lease = await fixture.pool.acquire();
      fixture.clock.setTimer(2, () => {
        lease.release();
        ends.push(fixture.clock.now() - startedAt);
      });
    });
    await fixture.clock.advance(200);
    await Promise.all(calls);
    expect(ends).toHaveLength(50);
    expect(Math.max(...ends)).toBeLessThanOrEqual(45);
    expect(fixture.database.created.length).toBeLessThanOrEqual(7);
  });

  it('has at most max_connecting connects under way, and never more than max_open_conns connections', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 5, maxConnecting: 2 });
    fixture.database.connects.latencyMs = 100;
    const calls = Array.from({ length: 20 }, () => fixture.pool.acquire());
    await fixture.clock.advance(1_000);
    expect(fixture.database.mostConnecting).toBe(2);
    expect(fixture.database.created).toHaveLength(5);
    for (const call of calls) (await call).release();
  });

  it.each([1, 2, 3, 4, 5])(
    'connects at most 15 times in 10 s of a refused port, for 100 callers (seed %i)',
    async (seed) => {
      await using fixture = new PoolFixture({}, { seed });
      fixture.database.goDown();
      const calls = Array.from({ length: 100 }, () => failure(fixture.pool.acquire()));
      await fixture.clock.advance(10_000);
      expect(fixture.database.attempts).toBeLessThanOrEqual(15);
      expect(fixture.database.attempts).toBeGreaterThan(2);
      await fixture.clock.advance(25_000);
      await Promise.all(calls);
    },
  );

  it('has one prober while down, whose delays are at least 50 ms and grow up to the cap', async () => {
    await using fixture = new PoolFixture({ retryDelayMs: 1_000, retryMaxDelayMs: 4_000, acquireTimeoutMs: 60_000 });
    fixture.database.goDown();
    const calls = Array.from({ length: 10 }, () => failure(fixture.pool.acquire()));
    await fixture.clock.advance(0);
    // The two that started together failed for one reason: one step of the backoff.
    expect(fixture.events('createFailed').map(({ attempt }) => attempt)).toEqual([1, 1]);
    await fixture.clock.advance(60_000);
    const failures = fixture.events('createFailed').slice(1);
    expect(failures.map(({ attempt }) => attempt)).toEqual(failures.map((_, index) => index + 1));
    failures.forEach(({ attempt, nextDelayMs }) => {
      expect(nextDelayMs).toBeGreaterThanOrEqual(50);
      expect(nextDelayMs).toBeLessThanOrEqual(Math.min(4_000, 1_000 * 2 ** (attempt - 1)));
    });
    await Promise.all(calls);
  });

  it('stops probing when nobody waits any more', async () => {
    await using fixture = new PoolFixture({ acquireTimeoutMs: 1_000 });
    fixture.database.goDown();
    const waiting = failure(fixture.pool.acquire());
    await fixture.clock.advance(1_000);
    await waiting;
    const { attempts } = fixture.database;
    expect(fixture.clock.pendingTimers).toBe(0);
    await fixture.clock.advance(600_000);
    expect(fixture.database.attempts).toBe(attempts);
    expect(fixture.pool.stats().down).toBe(true);
  });

  it('admits 1, 2, 4 … connects after the first success, up to max_connecting', async () => {
    await using fixture = new PoolFixture({
      maxConnecting: 8,
      maxOpenConns: 50,
      retryDelayMs: 50,
      retryMaxDelayMs: 50,
    });
    fixture.database.failNextConnects(100);
    const calls = Array.from({ length: 40 }, () => fixture.pool.acquire());
    await fixture.clock.advance(0);
    fixture.database.goUp();
    fixture.database.connects.latencyMs = 1_000;
    await fixture.clock.advance(50);
    const admitted: number[] = [];
    for (let second = 0; second < 5; second++) {
      admitted.push(fixture.database.connecting);
      await fixture.clock.advance(1_000);
    }
    expect(admitted).toEqual([1, 1, 2, 4, 8]);
    await fixture.clock.advance(10_000);
    for (const call of calls) (await call).release();
  });

  it('tells down and up once each', async () => {
    await using fixture = new PoolFixture({ retryDelayMs: 100 });
    fixture.database.failNextConnects(5);
    const calls = Array.from({ length: 5 }, () => fixture.pool.acquire());
    await fixture.clock.advance(0);
    expect(fixture.pool.stats().down).toBe(true);
    await fixture.clock.advance(20_000);
    for (const call of calls) (await call).release();
    expect(fixture.events('down')).toHaveLength(1);
    expect(fixture.events('up')).toHaveLength(1);
    expect(fixture.pool.stats().down).toBe(false);
  });

  it('begins the backoff anew with the next downtime', async () => {
    await using fixture = new PoolFixture({ retryDelayMs: 100 });
    for (let outage = 0; outage < 2; outage++) {
      fixture.database.failNextConnects(3);
      const lease = await fixture.acquire({}, 10_000);
      lease.discard();
    }
    expect(fixture.events('createFailed').map(({ attempt }) => attempt)).toEqual([1, 2, 3, 1, 2, 3]);
  });

  it('fails all waiters at once with an error that waiting cannot mend', async () => {
    await using fixture = new PoolFixture();
    fixture.database.connects.error = authFailed();
    const states = watch(Array.from({ length: 20 }, () => fixture.pool.acquire()));
    await fixture.clock.advance(0);
    expect(new Set(states)).toEqual(new Set(['DBM_AUTH_FAILED']));
    expect(fixture.database.attempts).toBeLessThanOrEqual(2);
  });

  it('refuses later callers with that error while the backoff runs, then tries again, so that it heals', async () => {
    await using fixture = new PoolFixture();
    fixture.database.connects.error = authFailed();
    await failure(fixture.acquire());
    await fixture.clock.advance(0);
    const { attempts } = fixture.database;
    for (let call = 0; call < 100; call++) {
      expect(await failure(fixture.pool.acquire())).toMatchObject({ code: 'DBM_AUTH_FAILED' });
    }
    expect(fixture.database.attempts).toBe(attempts);
    fixture.database.goUp();
    await fixture.clock.advance(10_000);
    (await fixture.pool.acquire()).release();
    expect(fixture.database.attempts).toBe(attempts + 1);
  });

  it('keeps waiters while a connection is open that may come back, whatever the connect error', async () => {
    await using fixture = new PoolFixture();
    const held = await fixture.pool.acquire();
    fixture.database.connects.error = authFailed();
    const waiting = fixture.pool.acquire();
    await fixture.clock.advance(1_000);
    held.release();
    (await waiting).release();
    expect(fixture.pool.stats().acquired).toBe(2);
  });

  it('fails waiters when the last connection goes while connecting cannot be mended', async () => {
    await using fixture = new PoolFixture();
    const held = await fixture.pool.acquire();
    fixture.database.connects.error = authFailed();
    const waiting = failure(fixture.pool.acquire());
    await fixture.clock.advance(0);
    held.discard();
    expect(await waiting).toMatchObject({ code: 'DBM_AUTH_FAILED' });
  });

  it('takes a connect that nothing answers for failed after connect_timeout, and closes it should it still come', async () => {
    await using fixture = new PoolFixture({ connectTimeoutMs: 500, maxConnecting: 1, retryDelayMs: 50 });
    fixture.database.ignoresAbort = true;
    fixture.database.connects.latencyMs = 800;
    const waiting = fixture.pool.acquire();
    await fixture.clock.advance(500);
    expect(fixture.events('createFailed')).toMatchObject([{ error: { code: 'DBM_CONNECT_TIMEOUT' } }]);
    expect(fixture.pool.stats().connecting).toBe(0);
    fixture.database.connects.latencyMs = 0;
    await fixture.clock.advance(1_000);
    const lease = await waiting;
    expect(fixture.events('created')).toHaveLength(2);
    expect(fixture.database.live).toEqual([lease.connection]);
    lease.release();
  });

  it('takes a factory that throws or rejects with anything for a failed connect', async () => {
    await using fixture = new PoolFixture({ acquireTimeoutMs: 1_000, maxConnecting: 1 });
    fixture.database.connects.error = 'no reason' as unknown as Error;
    const waiting = failure(fixture.pool.acquire());
    await fixture.clock.advance(1_000);
    expect(await waiting).toMatchObject({ code: 'DBM_ACQUIRE_TIMEOUT', cause: { message: 'no reason' } });
  });
});

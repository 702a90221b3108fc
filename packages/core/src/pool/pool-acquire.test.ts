import { describe, expect, it } from '@jest/globals';
import { failure, PoolFixture, watch } from '../../test/pool-fixture.js';

describe('acquiring from a pool', () => {
  it('opens nothing and sets no timer until somebody acquires', async () => {
    await using fixture = new PoolFixture();
    await fixture.clock.advance(3_600_000);
    expect(fixture.database.attempts).toBe(0);
    expect(fixture.clock.pendingTimers).toBe(0);
  });

  it('hands out the connection that was used last', async () => {
    await using fixture = new PoolFixture();
    const [first, second] = [await fixture.pool.acquire(), await fixture.pool.acquire()];
    const last = first.connection;
    second.release();
    first.release();
    const again = await fixture.pool.acquire();
    expect(again.connection).toBe(last);
    expect(again.id).toBeGreaterThan(second.id);
  });

  it('lends at once what is idle, fresh and nobody else waits for, and nothing else', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1 });
    const { pool, clock } = fixture;
    expect(pool.tryAcquire()).toBeUndefined();
    const first = await pool.acquire();
    expect(pool.tryAcquire()).toBeUndefined();
    const { connection } = first;
    first.release();
    const lease = pool.tryAcquire();
    expect(lease?.connection).toBe(connection);
    expect(pool.counts).toMatchObject({ inUse: 1, idle: 0, pending: 0 });
    const waiting = pool.acquire();
    lease?.release();
    expect(pool.tryAcquire()).toBeUndefined();
    (await waiting).release();
    pool.suspend();
    expect(pool.tryAcquire()).toBeUndefined();
    pool.resume();
    await clock.advance(600);
    // It would have to be validated.
    expect(pool.tryAcquire()).toBeUndefined();
    expect(pool.stats()).toMatchObject({ acquired: 3, waitCount: 2, created: 1 });
  });

  it('serves waiters in order of arrival, and a newcomer never overtakes one', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1 });
    const held = await fixture.pool.acquire();
    const order: string[] = [];
    const queue = ['first', 'second', 'third'].map((name) =>
      fixture.pool.acquire().then((lease) => {
        order.push(name);
        lease.release();
      }),
    );
    held.release();
    // The connection is promised to the first by now, and nobody in the queue has had its turn.
    queue.push(
      fixture.pool.acquire().then((lease) => {
        order.push('newcomer');
        lease.release();
      }),
    );
    await Promise.all(queue);
    expect(order).toEqual(['first', 'second', 'third', 'newcomer']);
  });

  it('lets no newcomer have a good connection while an earlier caller waits for the check of another', async () => {
    await using fixture = new PoolFixture();
    const [older, newer] = [await fixture.pool.acquire(), await fixture.pool.acquire()];
    older.release();
    await fixture.clock.advance(1);
    newer.release();
    await fixture.clock.advance(600);
    // Proves the one at the bottom; the newest is stale.
    await fixture.pool.probe(new AbortController().signal);
    fixture.database.validations.latencyMs = 100;
    const order: string[] = [];
    const calls = ['first', 'newcomer'].map(async (name) => {
      const lease = await fixture.pool.acquire();
      order.push(name);
      return lease;
    });
    await fixture.clock.advance(100);
    for (const call of calls) (await call).release();
    expect(order).toEqual(['first', 'newcomer']);
  });

  it('times out at the deadline of acquire_timeout, telling a full pool by its numbers', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1, acquireTimeoutMs: 1_000 });
    const held = await fixture.pool.acquire();
    await fixture.clock.advance(500);
    const waiting = fixture.pool.acquire();
    const [state] = [watch([waiting])];
    await fixture.clock.advance(999);
    expect(state).toEqual(['pending']);
    await fixture.clock.advance(1);
    expect(await failure(waiting)).toMatchObject({
      code: 'DBM_ACQUIRE_TIMEOUT',
      connectionName: 'primary',
      option: 'max_open_conns',
      retryable: true,
      message: expect.stringMatching(
        /"primary".* within 1s .*open 1 of 1, in use 1, idle 0, connecting 0, others waiting 0, oldest borrow 1s500ms/,
      ),
    });
    expect(fixture.events('acquireTimeout')).toMatchObject([{ waitedMs: 1_000 }]);
    expect(fixture.pool.stats()).toMatchObject({ acquireTimeouts: 1, waitCount: 2, waitDurationMs: 1_000 });
    held.release();
  });

  it('lets one call wait for a time of its own', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1, acquireTimeoutMs: 10_000 });
    const held = await fixture.pool.acquire();
    const calls = [
      fixture.pool.acquire(),
      fixture.pool.acquire({ timeoutMs: 300 }),
      fixture.pool.acquire({ timeoutMs: 20_000 }),
    ];
    const states = watch(calls);
    await fixture.clock.advance(300);
    expect(states).toEqual(['pending', 'DBM_ACQUIRE_TIMEOUT', 'pending']);
    await fixture.clock.advance(9_700);
    expect(states).toEqual(['DBM_ACQUIRE_TIMEOUT', 'DBM_ACQUIRE_TIMEOUT', 'pending']);
    await fixture.clock.advance(10_000);
    expect(states[2]).toBe('DBM_ACQUIRE_TIMEOUT');
    held.release();
  });

  it('is never more than 50 ms late, with one timer for any number of deadlines', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1, maxPending: 1_000 });
    const held = await fixture.pool.acquire();
    const late: number[] = [];
    const calls = Array.from({ length: 500 }, (_, index) => {
      const timeoutMs = 250 + ((index * 37) % 500);
      const due = fixture.clock.now() + timeoutMs;
      return failure(fixture.pool.acquire({ timeoutMs })).then(() => late.push(fixture.clock.now() - due));
    });
    expect(fixture.clock.pendingTimers).toBe(1);
    await fixture.clock.advance(1_000);
    await Promise.all(calls);
    expect(Math.max(...late)).toBeLessThanOrEqual(50);
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
    held.release();
  });

  it.each([Number.NaN, -1])('refuses a timeout of %s', async (timeoutMs) => {
    await using fixture = new PoolFixture();
    expect(await failure(fixture.pool.acquire({ timeoutMs }))).toMatchObject({ code: 'DBM_INVALID_OPTION' });
  });

  it('counts connecting and validating against the deadline', async () => {
    await using fixture = new PoolFixture({ acquireTimeoutMs: 1_000, connectTimeoutMs: 700 });
    fixture.database.connects.latencyMs = Number.POSITIVE_INFINITY;
    const waiting = failure(fixture.pool.acquire());
    await fixture.clock.advance(1_000);
    expect(await waiting).toMatchObject({
      code: 'DBM_ACQUIRE_TIMEOUT',
      option: 'acquire_timeout',
      cause: { code: 'DBM_CONNECT_TIMEOUT', option: 'connect_timeout' },
    });
  });

  it('retries transient connect errors within the deadline', async () => {
    await using fixture = new PoolFixture({ retryDelayMs: 100 });
    fixture.database.failNextConnects(3);
    const lease = await fixture.acquire({}, 2_000);
    expect(lease.connection).toBeDefined();
    expect(fixture.database.attempts).toBe(4);
  });

  it('names the last connect failure as the cause when the server is down', async () => {
    await using fixture = new PoolFixture({ acquireTimeoutMs: 5_000 });
    fixture.database.goDown();
    const waiting = failure(fixture.pool.acquire());
    await fixture.clock.advance(5_000);
    expect(await waiting).toMatchObject({
      code: 'DBM_ACQUIRE_TIMEOUT',
      message: expect.stringContaining('last connect failure: connection refused'),
      cause: { code: 'DBM_CONNECT_FAILED' },
    });
  });

  it('names no connect failure that is over', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1, acquireTimeoutMs: 5_000, retryMaxDelayMs: 50 });
    fixture.database.failNextConnects(1);
    const held = await fixture.acquire({}, 1_000);
    const waiting = failure(fixture.pool.acquire());
    await fixture.clock.advance(5_000);
    expect((await waiting).cause).toBeUndefined();
    held.release();
  });

  it('gives up when its signal aborts, before or while it waits', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1 });
    const held = await fixture.pool.acquire();
    const caller = new AbortController();
    const waiting = failure(fixture.pool.acquire({ signal: caller.signal }));
    caller.abort(new Error('the client has gone'));
    expect(await waiting).toMatchObject({ code: 'DBM_ABORTED', cause: { message: 'the client has gone' } });
    expect(await failure(fixture.pool.acquire({ signal: caller.signal }))).toMatchObject({ code: 'DBM_ABORTED' });
    expect(fixture.pool.counts.pending).toBe(0);
    held.release();
  });

  it('leaves no ghost lease after a thousand queued acquires were aborted', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 2 });
    const held = [await fixture.pool.acquire(), await fixture.pool.acquire()];
    const callers = Array.from({ length: 1_000 }, () => new AbortController());
    const calls = callers.map(({ signal }) => failure(fixture.pool.acquire({ signal })));
    const patient = fixture.pool.acquire();
    for (const caller of callers) caller.abort();
    const errors = await Promise.all(calls);
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['DBM_ABORTED']));
    expect(fixture.pool.counts.pending).toBe(1);
    for (const lease of held) lease.release();
    (await patient).release();
    expect(fixture.pool.stats()).toMatchObject({ pending: 0, inUse: 0, idle: 2, acquired: 3 });
    await fixture.clock.advance(0);
    // The queue's timer is gone with its last waiter.
    expect(fixture.clock.nextTimerIn).toBeGreaterThan(60_000);
  });

  it('stops listening to the signal once it has a connection', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1 });
    const held = await fixture.pool.acquire();
    const caller = new AbortController();
    const waiting = fixture.pool.acquire({ signal: caller.signal });
    held.release();
    const lease = await waiting;
    caller.abort();
    await fixture.clock.advance(0);
    expect(lease.released).toBe(false);
    lease.release();
    expect(fixture.pool.counts).toMatchObject({ inUse: 0, idle: 1 });
  });

  it('refuses the caller after max_pending', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1, maxPending: 2 });
    const held = await fixture.pool.acquire();
    const calls = [fixture.pool.acquire(), fixture.pool.acquire()];
    expect(await failure(fixture.pool.acquire())).toMatchObject({ code: 'DBM_QUEUE_FULL', option: 'max_pending' });
    held.release();
    for (const call of calls) (await call).release();
  });

  it('reports saturation apart from being down', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1 });
    const held = await fixture.pool.acquire();
    expect(fixture.pool.stats()).toMatchObject({ saturated: false, down: false });
    const waiting = fixture.pool.acquire();
    await fixture.clock.advance(20_000);
    expect(fixture.pool.stats()).toMatchObject({ saturated: true, down: false, oldestBorrowMs: 20_000, pending: 1 });
    held.release();
    (await waiting).release();
  });

  it('seeds 4: Statistics: counts waits, and the distribution of all acquires', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1 });
    const held = await fixture.acquire();
    const waiting = fixture.pool.acquire();
    await fixture.clock.advance(300);
    held.release();
    (await waiting).release();
    (await fixture.pool.acquire()).release();
    const { waitCount, waitDurationMs, waitTime, useTime, createTime, acquired } = fixture.pool.stats();
    expect({ waitCount, waitDurationMs, acquired }).toEqual({ waitCount: 2, waitDurationMs: 300, acquired: 3 });
    expect(waitTime).toEqual({ counts: [2, 0, 0, 0, 0, 1, 0, 0, 0, 0], count: 3, sumSeconds: 0.3 });
    expect(useTime).toEqual({ counts: [2, 0, 0, 0, 0, 1, 0, 0, 0, 0], count: 3, sumSeconds: 0.3 });
    expect(createTime.count).toBe(1);
  });
});

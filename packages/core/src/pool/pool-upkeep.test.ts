import { describe, expect, it } from '@jest/globals';
import { PoolFixture } from '../../test/pool-fixture.js';

const MINUTE = 60_000;

describe('the upkeep of a pool', () => {
  it('seeds 4: Pool limits: closes what is idle for longer than conn_max_idle_time, without touching what is used', async () => {
    await using fixture = new PoolFixture({ connMaxIdleTimeMs: 5 * MINUTE });
    const used = await fixture.pool.acquire();
    await fixture.fill(2);
    await fixture.clock.advance(5 * MINUTE - 1);
    expect(fixture.pool.counts).toMatchObject({ idle: 2 });
    await fixture.clock.advance(1);
    expect(fixture.pool.counts).toMatchObject({ idle: 0, inUse: 1 });
    expect(fixture.pool.stats().closedBy.idle).toBe(2);
    used.release();
  });

  it('lets the excess age away under a light load, for the newest idle one is used first', async () => {
    await using fixture = new PoolFixture({ connMaxIdleTimeMs: 5 * MINUTE });
    await fixture.fill(5);
    for (let minute = 0; minute < 6; minute++) {
      await fixture.clock.advance(MINUTE);
      (await fixture.acquire()).release();
    }
    expect(fixture.pool.counts).toMatchObject({ open: 1, idle: 1 });
  });

  it('seeds 4: Pool limits: closes at release what is more than max_idle_conns', async () => {
    await using fixture = new PoolFixture({ maxIdleConns: 2 });
    await fixture.fill(5);
    expect(fixture.pool.stats()).toMatchObject({ idle: 2, closedBy: { idle: 3 } });
  });

  it('ends a life before conn_max_lifetime, each connection by a share of its own of at most 2.5 %', async () => {
    await using fixture = new PoolFixture({ connMaxLifetimeMs: 30 * MINUTE, connMaxIdleTimeMs: 0, maxIdleConns: 10 });
    await fixture.fill(10);
    await fixture.clock.advance(30 * MINUTE);
    const ages = fixture.events('destroyed').map(({ ageMs }) => ageMs);
    expect(fixture.pool.stats().closedBy.lifetime).toBe(10);
    expect(Math.max(...ages)).toBeLessThanOrEqual(30 * MINUTE);
    expect(Math.min(...ages)).toBeGreaterThanOrEqual(30 * MINUTE * 0.975);
    expect(new Set(ages).size).toBe(10);
    expect(Math.max(...ages) - Math.min(...ages)).toBeGreaterThan(10_000);
  });

  it('seeds 4: Pool limits: checks the lifetime at release and before hand-out', async () => {
    await using fixture = new PoolFixture({ connMaxLifetimeMs: MINUTE });
    const lease = await fixture.pool.acquire();
    await fixture.clock.advance(2 * MINUTE);
    expect(fixture.pool.counts.inUse).toBe(1);
    lease.release();
    expect(fixture.pool.counts.open).toBe(0);
    await fixture.clock.advance(0);
    expect(fixture.events('destroyed')).toMatchObject([{ connectionId: 1, reason: 'lifetime' }]);
    const next = await fixture.pool.acquire();
    expect(next.connection.id).toBe(2);
    next.release();
  });

  it('pings idle connections every keepalive less a share of at most 10 %, and not those in use', async () => {
    const options = { keepaliveMs: 2 * MINUTE, connMaxIdleTimeMs: 0, connMaxLifetimeMs: 0 };
    await using fixture = new PoolFixture(options);
    const pings: number[] = [];
    const factory = fixture.database.factory();
    await fixture.pool.renew({
      factory: {
        ...factory,
        validate: async (connection) => {
          pings.push(fixture.clock.now());
          expect(connection.id).not.toBe(2);
        },
      },
    });
    await fixture.fill(3);
    const used = await fixture.pool.acquire();
    expect(used.connection.id).toBe(3);
    used.release();
    const startedAt = fixture.clock.now();
    const held = [await fixture.pool.acquire(), await fixture.pool.acquire()];
    held.find(({ connection }) => connection.id !== 2)?.release();
    await fixture.clock.advance(2 * MINUTE);
    // Two idle ones, each at a moment of its own.
    expect(pings).toHaveLength(2);
    expect(pings[0]).not.toBe(pings[1]);
    for (const at of pings) {
      expect(at - startedAt).toBeGreaterThanOrEqual(2 * MINUTE * 0.9);
      expect(at - startedAt).toBeLessThanOrEqual(2 * MINUTE);
    }
    await fixture.clock.advance(20 * MINUTE);
    expect(pings.length).toBeGreaterThanOrEqual(20);
    expect(pings.length).toBeLessThanOrEqual(24);
    for (const lease of held) lease.release();
  });

  it('lets nobody have a connection while it is pinged, but the first waiter right after', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1, keepaliveMs: MINUTE });
    await fixture.fill(1);
    fixture.database.validations.latencyMs = 100;
    await fixture.clock.advance(fixture.clock.nextTimerIn ?? 0);
    const waiting = fixture.pool.acquire();
    let served = false;
    const lease = waiting.then((given) => {
      served = true;
      return given;
    });
    await fixture.clock.advance(99);
    expect(served).toBe(false);
    await fixture.clock.advance(1);
    (await lease).release();
    expect(fixture.database.created).toEqual([1]);
  });

  it('flushes the generation when a ping finds a connection dead', async () => {
    await using fixture = new PoolFixture({ keepaliveMs: MINUTE });
    await fixture.fill(3);
    fixture.database.validations.error = new Error('no route to host');
    await fixture.clock.advance(MINUTE);
    expect(fixture.pool.stats()).toMatchObject({ open: 0, generation: 2, closedBy: { error: 1, flush: 2 } });
  });

  it('does not let a ping count as use', async () => {
    await using fixture = new PoolFixture({ keepaliveMs: MINUTE, connMaxIdleTimeMs: 5 * MINUTE });
    await fixture.fill(1);
    await fixture.clock.advance(5 * MINUTE);
    expect(fixture.pool.stats()).toMatchObject({ open: 0, closedBy: { idle: 1 } });
  });

  it('does nothing where lifetime, idle time and keepalive are 0', async () => {
    await using fixture = new PoolFixture({ connMaxLifetimeMs: 0, connMaxIdleTimeMs: 0, keepaliveMs: 0 });
    await fixture.fill(3);
    await fixture.clock.advance(0);
    expect(fixture.clock.pendingTimers).toBe(0);
    await fixture.clock.advance(100 * MINUTE);
    expect(fixture.pool.counts.idle).toBe(3);
  });

  it('needs one timer for any number of connections, and none when nothing is open', async () => {
    await using fixture = new PoolFixture({ maxIdleConns: 20, leakDetectionMs: 60 * MINUTE });
    await fixture.fill(20);
    await fixture.clock.advance(0);
    expect(fixture.clock.pendingTimers).toBe(1);
    fixture.pool.flush('flush');
    await fixture.clock.advance(10 * MINUTE);
    expect(fixture.clock.pendingTimers).toBe(0);
  });
});

describe('leak detection', () => {
  it('reports a connection held for too long once, with its borrower and last statement, and its return', async () => {
    await using fixture = new PoolFixture({ leakDetectionMs: 2_000 });
    const lease = await fixture.pool.acquire();
    lease.note('SELECT users');
    await fixture.clock.advance(1_999);
    expect(fixture.events('leak')).toEqual([]);
    await fixture.clock.advance(60_000);
    expect(fixture.events('leak')).toEqual([
      {
        leaseId: lease.id,
        connectionId: 1,
        heldMs: 2_000,
        stack: expect.stringMatching(/^\s+at [^\n]*pool-upkeep\.test\.ts/),
        lastStatement: 'SELECT users',
      },
    ]);
    expect(fixture.pool.stats().leaks).toBe(1);
    lease.release();
    expect(fixture.events('leakReturned')).toMatchObject([{ leaseId: lease.id, heldMs: 61_999 }]);
    const next = await fixture.pool.acquire();
    expect(fixture.pool.borrows()).toMatchObject([{ leaseId: next.id, lastStatement: undefined }]);
    next.release();
    expect(fixture.events('leakReturned')).toHaveLength(1);
  });

  it('is not forgotten when something else is due before', async () => {
    await using fixture = new PoolFixture({ leakDetectionMs: 10 * MINUTE, connMaxIdleTimeMs: 5 * MINUTE });
    const held = await fixture.pool.acquire();
    await fixture.fill(1);
    await fixture.clock.advance(10 * MINUTE);
    expect(fixture.pool.stats()).toMatchObject({ leaks: 1, closedBy: { idle: 1 } });
    held.release();
  });

  it('names the caller who queued, not whoever gave the connection back', async () => {
    await using fixture = new PoolFixture({ leakDetectionMs: 2_000, maxOpenConns: 1 });
    const held = await fixture.pool.acquire();
    async function queuedBorrower() {
      return await fixture.pool.acquire();
    }
    const waiting = queuedBorrower();
    held.release();
    const lease = await waiting;
    expect(fixture.pool.borrows()).toMatchObject([{ stack: expect.stringContaining('queuedBorrower') }]);
    lease.release();
  });

  it('captures no stack while it is off', async () => {
    await using fixture = new PoolFixture({ leakDetectionMs: 0 });
    const lease = await fixture.pool.acquire();
    await fixture.clock.advance(60 * MINUTE);
    expect(fixture.pool.borrows()).toEqual([
      { leaseId: lease.id, connectionId: 1, heldMs: 60 * MINUTE, stack: undefined, lastStatement: undefined },
    ]);
    expect(fixture.events('leak')).toEqual([]);
    lease.release();
  });
});

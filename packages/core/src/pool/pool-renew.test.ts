import { getEventListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { failure, PoolFixture, watch } from '../../test/pool-fixture.js';

const never = new AbortController().signal;

describe('renewing a pool', () => {
  it('proves a new connection while work goes on, then retires the old generation', async () => {
    await using fixture = new PoolFixture();
    await fixture.fill(2);
    const held = await fixture.pool.acquire();
    fixture.database.connects.latencyMs = 100;
    const renewing = fixture.pool.renew();
    await fixture.clock.advance(99);
    const old = await fixture.pool.acquire();
    expect(old.connection.id).toBe(1);
    old.release();
    await fixture.clock.advance(1);
    await renewing;
    expect(fixture.events('generation')).toEqual([{ generation: 2, reason: 'reload' }]);
    const fresh = await fixture.pool.acquire();
    expect(fresh.connection.id).toBe(3);
    expect(held.connection.id).toBe(2);
    held.release();
    fresh.release();
    await fixture.clock.advance(0);
    expect(fixture.pool.stats()).toMatchObject({ open: 1, idle: 1, closedBy: { reload: 2 } });
  });

  it('keeps the old generation when the new connection fails', async () => {
    await using fixture = new PoolFixture();
    await fixture.fill(2);
    fixture.database.failNextConnects(1);
    expect(await failure(fixture.pool.renew())).toMatchObject({ code: 'DBM_CONNECT_FAILED' });
    expect(fixture.pool.stats()).toMatchObject({ idle: 2, generation: 1 });
  });

  it('makes one new connection for fifty concurrent callers', async () => {
    await using fixture = new PoolFixture();
    fixture.database.connects.latencyMs = 100;
    const calls = Array.from({ length: 50 }, () => fixture.pool.renew());
    await fixture.clock.advance(100);
    await Promise.all(calls);
    expect(fixture.database.attempts).toBe(1);
    expect(fixture.pool.stats().generation).toBe(2);
    const again = fixture.pool.renew();
    await fixture.clock.advance(100);
    await again;
    expect(fixture.pool.stats().generation).toBe(3);
  });

  it('is cancelled for one caller by its signal, and for all when all have left', async () => {
    await using fixture = new PoolFixture();
    fixture.database.connects.latencyMs = 100;
    const callers = [new AbortController(), new AbortController()];
    const calls = callers.map(({ signal }) => failure(fixture.pool.renew({ signal })));
    await fixture.clock.advance(10);
    callers[0]?.abort();
    expect(await calls[0]).toMatchObject({ code: 'DBM_ABORTED' });
    expect(fixture.pool.stats().connecting).toBe(1);
    callers[1]?.abort();
    expect(await calls[1]).toMatchObject({ code: 'DBM_ABORTED' });
    expect(fixture.pool.stats()).toMatchObject({ connecting: 0, generation: 1, down: false, createFailures: 0 });
    expect(await failure(fixture.pool.renew({ signal: AbortSignal.abort() }))).toMatchObject({ code: 'DBM_ABORTED' });
  });

  it('waits for the backoff while down, but not when it is immediate', async () => {
    await using fixture = new PoolFixture({ retryDelayMs: 8_000, retryMaxDelayMs: 8_000 });
    fixture.database.goDown();
    const waiting = fixture.pool.acquire();
    await fixture.clock.advance(0);
    const renewing = fixture.pool.renew();
    const states = watch([renewing, waiting]);
    fixture.database.goUp();
    await fixture.clock.advance(1);
    expect(states).toEqual(['pending', 'pending']);
    // The one under way is hurried on.
    await fixture.pool.renew({ immediate: true });
    expect(fixture.database.attempts).toBe(2);
    await fixture.clock.advance(0);
    expect(states).toEqual(['fulfilled', 'fulfilled']);
    (await waiting).release();
  });

  it('goes on with another factory once that has proved good', async () => {
    await using fixture = new PoolFixture();
    await fixture.fill(1);
    fixture.database.password = 'new';
    const wrong = fixture.database.factory({ password: 'wrong' });
    expect(await failure(fixture.pool.renew({ factory: wrong }))).toMatchObject({ code: 'DBM_AUTH_FAILED' });
    // What failed was another factory: the present one is not down.
    expect(fixture.pool.stats()).toMatchObject({ down: false, generation: 1, idle: 1 });
    await fixture.pool.renew({ factory: fixture.database.factory({ password: 'new' }) });
    expect(fixture.pool.stats()).toMatchObject({ generation: 2, idle: 1 });
    const leases = [await fixture.pool.acquire(), await fixture.pool.acquire()];
    expect(leases.map(({ connection }) => connection.id)).toEqual([2, 3]);
    for (const lease of leases) lease.release();
  });

  it('does a renewal with yet another factory after the one under way', async () => {
    await using fixture = new PoolFixture();
    fixture.database.connects.latencyMs = 100;
    const [first, second] = [fixture.database.factory(), fixture.database.factory()];
    const calls = [fixture.pool.renew({ factory: first }), fixture.pool.renew({ factory: second })];
    await fixture.clock.advance(300);
    await Promise.all(calls);
    expect(fixture.pool.stats().generation).toBe(3);
  });

  it('mends a pool whose factory is down by another one, without waiting for its backoff', async () => {
    await using fixture = new PoolFixture();
    fixture.database.goDown();
    const waiting = fixture.pool.acquire();
    await fixture.clock.advance(0);
    fixture.database.goUp();
    await fixture.pool.renew({ factory: fixture.database.factory() });
    (await waiting).release();
    expect(fixture.pool.stats().down).toBe(false);
    expect(fixture.events('up')).toHaveLength(1);
  });

  it('works on a full pool, and stays within max_open_conns', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1 });
    const held = await fixture.pool.acquire();
    await fixture.pool.renew();
    expect(fixture.pool.stats()).toMatchObject({ open: 1, generation: 2 });
    held.release();
    const fresh = await fixture.pool.acquire();
    expect(fresh.connection.id).toBe(3);
    fresh.release();
  });

  it('cancels connects to where the pool no longer is', async () => {
    await using fixture = new PoolFixture({ maxConnecting: 1 });
    fixture.database.connects.latencyMs = 100;
    const waiting = fixture.pool.acquire();
    await fixture.clock.advance(50);
    fixture.pool.flush('failover');
    await fixture.clock.advance(99);
    expect(fixture.database.created).toEqual([]);
    await fixture.clock.advance(1);
    (await waiting).release();
    expect(fixture.events('created')).toMatchObject([{ connectionId: 1, generation: 2 }]);
    // The cancelled one kept its place at the gate until it had let go.
    expect(fixture.database.mostConnecting).toBe(1);
  });
});

describe('probing a database through its pool', () => {
  it('validates the connection that was idle for longest, however short that was', async () => {
    await using fixture = new PoolFixture();
    await fixture.fill(2);
    fixture.database.validations.latencyMs = 50;
    const probing = fixture.pool.probe(never);
    // The other one is there for whoever comes.
    (await fixture.pool.acquire()).release();
    await fixture.clock.advance(50);
    await probing;
    expect(fixture.pool.counts.idle).toBe(2);
    expect(fixture.database.attempts).toBe(2);
  });

  it('makes a connection where none is idle, and keeps it', async () => {
    await using fixture = new PoolFixture();
    await fixture.pool.probe(never);
    expect(fixture.pool.counts).toMatchObject({ open: 1, idle: 1 });
  });

  it('never waits for a full pool: it connects beside it and closes that connection again', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1 });
    const held = await fixture.pool.acquire();
    const waiting = fixture.pool.acquire();
    await fixture.pool.probe(never);
    await fixture.clock.advance(0);
    expect(fixture.pool.stats()).toMatchObject({ open: 1, pending: 1, saturated: true, closedBy: { idle: 1 } });
    held.release();
    (await waiting).release();
  });

  it('lets a new connection decide when the idle one is dead, and flushes the others', async () => {
    await using fixture = new PoolFixture();
    await fixture.fill(3);
    fixture.database.validations.error = new Error('reset');
    await fixture.pool.probe(never);
    expect(fixture.pool.stats()).toMatchObject({ open: 1, generation: 2, closedBy: { error: 1, flush: 2 } });
    fixture.database.connects.error = new Error('refused');
    await expect(fixture.pool.probe(never)).rejects.toThrow('refused');
  });

  it('does not wait for the backoff, so that it finds a database well as soon as it is', async () => {
    await using fixture = new PoolFixture({ retryDelayMs: 10_000, acquireTimeoutMs: 60_000 });
    fixture.database.goDown();
    const waiting = fixture.pool.acquire();
    await fixture.clock.advance(0);
    fixture.database.goUp();
    await fixture.pool.probe(never);
    expect(fixture.pool.stats().down).toBe(false);
    (await waiting).release();
  });

  it('does not keep a connection to where the pool no longer is', async () => {
    await using fixture = new PoolFixture();
    fixture.database.connects.latencyMs = 100;
    const probing = fixture.pool.probe(never);
    await fixture.clock.advance(0);
    fixture.database.connects.latencyMs = 10;
    const renewing = fixture.pool.renew({ factory: fixture.database.factory() });
    await fixture.clock.advance(100);
    await Promise.all([probing, renewing]);
    expect(fixture.pool.stats()).toMatchObject({ open: 1, created: 2, closedBy: { reload: 1 } });
  });

  it('leaves no listener on its signal', async () => {
    await using fixture = new PoolFixture();
    const { signal } = new AbortController();
    await fixture.pool.probe(signal);
    await fixture.pool.probe(signal);
    await fixture.pool.renew({ signal });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('ends with its signal; a connection that had no answer until then is dead', async () => {
    await using fixture = new PoolFixture();
    await fixture.fill(2);
    fixture.database.validations.latencyMs = Number.POSITIVE_INFINITY;
    const check = new AbortController();
    const probing = failure(fixture.pool.probe(check.signal));
    await fixture.clock.advance(1_000);
    check.abort(new Error('health_check_timeout'));
    expect(await probing).toMatchObject({ code: 'DBM_ABORTED', cause: { message: 'health_check_timeout' } });
    expect(fixture.pool.stats()).toMatchObject({ open: 0, generation: 2 });
    expect(await failure(fixture.pool.probe(AbortSignal.abort()))).toMatchObject({ code: 'DBM_ABORTED' });
    fixture.database.connects.latencyMs = Number.POSITIVE_INFINITY;
    const connecting = new AbortController();
    const hanging = failure(fixture.pool.probe(connecting.signal));
    await fixture.clock.advance(1_000);
    connecting.abort();
    expect(await hanging).toMatchObject({ code: 'DBM_ABORTED' });
    expect(fixture.pool.stats().connecting).toBe(0);
  });

  it('connects where the factory cannot validate', async () => {
    await using fixture = new PoolFixture();
    const { validate: _, ...factory } = fixture.database.factory();
    await fixture.pool.renew({ factory });
    await fixture.clock.advance(3_600_000);
    expect(fixture.pool.stats().closedBy.error).toBe(0);
    const { attempts } = fixture.database;
    await fixture.pool.probe(never);
    expect(fixture.database.attempts).toBe(attempts + 1);
  });
});

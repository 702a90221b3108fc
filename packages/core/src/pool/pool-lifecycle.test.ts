import { describe, expect, it } from '@jest/globals';
import { failure, PoolFixture, watch } from '../../test/pool-fixture.js';

describe('suspending a pool', () => {
  it('queues acquires without timing them out while running work goes on', async () => {
    await using fixture = new PoolFixture({ acquireTimeoutMs: 1_000 });
    await fixture.fill(1);
    const running = await fixture.pool.acquire();
    fixture.pool.suspend();
    const waiting = fixture.pool.acquire();
    const states = watch([waiting]);
    await fixture.clock.advance(600_000);
    expect(states).toEqual(['pending']);
    expect(fixture.pool.stats()).toMatchObject({ suspended: true, pending: 1, inUse: 1 });
    running.release();
    await fixture.clock.advance(0);
    expect(states).toEqual(['pending']);
    fixture.pool.resume();
    (await waiting).release();
    expect(fixture.pool.stats().suspended).toBe(false);
  });

  it('stops the clock of deadlines that were running, which go on at resume with what was left', async () => {
    await using fixture = new PoolFixture({ acquireTimeoutMs: 1_000, maxOpenConns: 1 });
    const held = await fixture.pool.acquire();
    const early = watch([fixture.pool.acquire()]);
    await fixture.clock.advance(300);
    fixture.pool.suspend();
    await fixture.clock.advance(50_000);
    fixture.pool.resume();
    await fixture.clock.advance(300);
    fixture.pool.suspend();
    fixture.pool.suspend();
    await fixture.clock.advance(50_000);
    const late = watch([fixture.pool.acquire()]);
    await fixture.clock.advance(50_000);
    fixture.pool.resume();
    fixture.pool.resume();
    await fixture.clock.advance(399);
    expect([...early, ...late]).toEqual(['pending', 'pending']);
    await fixture.clock.advance(1);
    expect([...early, ...late]).toEqual(['DBM_ACQUIRE_TIMEOUT', 'pending']);
    await fixture.clock.advance(599);
    expect(late).toEqual(['pending']);
    await fixture.clock.advance(1);
    expect(late).toEqual(['DBM_ACQUIRE_TIMEOUT']);
    held.release();
  });

  it('bounds the queue by max_pending', async () => {
    await using fixture = new PoolFixture({ maxPending: 1 });
    fixture.pool.suspend();
    const waiting = fixture.pool.acquire();
    expect(await failure(fixture.pool.acquire())).toMatchObject({ code: 'DBM_QUEUE_FULL' });
    fixture.pool.resume();
    (await waiting).release();
  });

  it('opens no connection for those who queue', async () => {
    await using fixture = new PoolFixture();
    fixture.pool.suspend();
    const waiting = fixture.pool.acquire();
    await fixture.clock.advance(10_000);
    expect(fixture.database.attempts).toBe(0);
    fixture.pool.resume();
    (await waiting).release();
  });
});

describe('closing a pool', () => {
  it('refuses new work, rejects waiters and waits for what is in use', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 2 });
    await fixture.fill(2);
    const held = await fixture.pool.acquire();
    const other = await fixture.pool.acquire();
    const waiting = failure(fixture.pool.acquire());
    const closing = fixture.pool.close();
    const states = watch([closing]);
    expect(await waiting).toMatchObject({ code: 'DBM_CLOSED', connectionName: 'primary' });
    expect(await failure(fixture.pool.acquire())).toMatchObject({ code: 'DBM_CLOSED' });
    await fixture.clock.advance(5_000);
    other.release();
    await fixture.clock.advance(0);
    expect(states).toEqual(['pending']);
    expect(held.connection.destroyed).toBe(false);
    held.release();
    expect(await closing).toEqual({ drained: true, held: [] });
    expect(fixture.pool.stats()).toMatchObject({ open: 0, closedBy: { close: 2 } });
    expect(fixture.clock.pendingTimers).toBe(0);
  });

  it('resolves at the drain deadline when a connection was leaked, takes it away and says who held it', async () => {
    await using fixture = new PoolFixture({ drainTimeoutMs: 10_000, leakDetectionMs: 2_000 });
    const [good, leaked] = [await fixture.pool.acquire(), await fixture.pool.acquire()];
    leaked.note('SELECT report');
    const closing = fixture.pool.close();
    good.release();
    await fixture.clock.advance(9_999);
    expect(leaked.released).toBe(false);
    await fixture.clock.advance(1);
    expect(await closing).toMatchObject({
      drained: false,
      held: [{ leaseId: leaked.id, connectionId: 2, heldMs: 10_000, lastStatement: 'SELECT report' }],
    });
    expect(leaked.released).toBe(true);
    expect(() => leaked.connection).toThrow(expect.objectContaining({ code: 'DBM_LEASE_RELEASED' }));
    leaked.release();
    expect(fixture.pool.stats()).toMatchObject({ inUse: 0, open: 0, closedBy: { leak: 1 } });
  });

  it('is idempotent: later calls share the result of the first', async () => {
    await using fixture = new PoolFixture();
    await fixture.fill(1);
    const closing = fixture.pool.close();
    expect(fixture.pool.close({ drainTimeoutMs: 1 })).toBe(closing);
    expect(await fixture.pool.destroy()).toBe(await closing);
    expect(fixture.events('destroyed')).toHaveLength(1);
  });

  it('is cut short by destroy or by its signal', async () => {
    for (const cut of ['destroy', 'signal'] as const) {
      await using fixture = new PoolFixture();
      await fixture.pool.acquire();
      const shutdown = new AbortController();
      const closing = fixture.pool.close({ signal: shutdown.signal });
      if (cut === 'signal') shutdown.abort();
      else void fixture.pool.destroy();
      expect(await closing).toMatchObject({ drained: false, held: [{ connectionId: 1 }] });
    }
  });

  it('cancels connects under way, and closes one that arrives all the same', async () => {
    await using fixture = new PoolFixture();
    fixture.database.connects.latencyMs = 200;
    fixture.database.ignoresAbort = true;
    const waiting = failure(fixture.pool.acquire());
    await fixture.clock.advance(10);
    const closing = fixture.pool.close();
    await waiting;
    const states = watch([closing]);
    await fixture.clock.advance(189);
    expect(states).toEqual(['pending']);
    await fixture.clock.advance(1);
    await closing;
    expect(fixture.events('created')).toHaveLength(1);
    expect(fixture.events('destroyed')).toMatchObject([{ reason: 'close' }]);
  });

  it('does not hang on connections and connects that do not end', async () => {
    await using fixture = new PoolFixture();
    await fixture.fill(1);
    await fixture.clock.advance(1_000);
    fixture.database.validations.latencyMs = Number.POSITIVE_INFINITY;
    fixture.database.connects.latencyMs = Number.POSITIVE_INFINITY;
    fixture.database.destroys.latencyMs = Number.POSITIVE_INFINITY;
    const validating = failure(fixture.pool.acquire());
    const probing = failure(fixture.pool.probe(new AbortController().signal));
    await fixture.clock.advance(0);
    const closing = fixture.pool.close();
    await fixture.clock.advance(5_000);
    expect(await closing).toEqual({ drained: true, held: [] });
    expect(await validating).toMatchObject({ code: 'DBM_CLOSED' });
    expect(await probing).toMatchObject({ code: 'DBM_CLOSED' });
  });

  it('closes what is being cleaned, and leaves a suspended pool nothing to wait for', async () => {
    await using fixture = new PoolFixture();
    fixture.database.cleans.latencyMs = Number.POSITIVE_INFINITY;
    const lease = await fixture.pool.acquire();
    lease.connection.soil();
    lease.release();
    fixture.pool.suspend();
    const waiting = failure(fixture.pool.acquire());
    await fixture.pool.close();
    expect(await waiting).toMatchObject({ code: 'DBM_CLOSED' });
    fixture.pool.resume();
    fixture.pool.suspend();
    fixture.pool.flush('flush');
    expect(fixture.pool.stats()).toMatchObject({ generation: 1, closedBy: { close: 1 } });
    expect(fixture.events('dirtyRelease')).toEqual([{ connectionId: 1, cleaned: false }]);
    expect(await failure(fixture.pool.renew())).toMatchObject({ code: 'DBM_CLOSED' });
    expect(await failure(fixture.pool.probe(new AbortController().signal))).toMatchObject({ code: 'DBM_CLOSED' });
  });
});

describe('the listeners of a pool', () => {
  it('disturb neither each other nor the pool when they throw', async () => {
    await using fixture = new PoolFixture();
    const heard: number[] = [];
    fixture.pool.events.on('created', () => {
      throw new Error('a listener of somebody');
    });
    fixture.pool.events.on('created', ({ connectionId }) => heard.push(connectionId));
    (await fixture.pool.acquire()).release();
    expect(heard).toEqual([1]);
  });
});

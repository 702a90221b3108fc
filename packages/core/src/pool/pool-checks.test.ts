import { describe, expect, it } from '@jest/globals';
import { failure, PoolFixture, watch } from '../../test/pool-fixture.js';

/** Just over validate_after. */
const STALE_MS = 501;

describe('a pool checking its connections', () => {
  it('validates before hand-out only what has been idle for longer than validate_after', async () => {
    await using fixture = new PoolFixture();
    await fixture.fill(1);
    fixture.database.validations.latencyMs = 10;
    await fixture.clock.advance(499);
    const [prompt] = [watch([fixture.pool.acquire().then((lease) => lease.release())])];
    await fixture.clock.advance(0);
    expect(prompt).toEqual(['fulfilled']);
    await fixture.clock.advance(STALE_MS);
    const [checked] = [watch([fixture.pool.acquire().then((lease) => lease.release())])];
    await fixture.clock.advance(9);
    expect(checked).toEqual(['pending']);
    await fixture.clock.advance(1);
    expect(checked).toEqual(['fulfilled']);
  });

  it('validates before every hand-out when validate_after is 0', async () => {
    await using fixture = new PoolFixture({ validateAfterMs: 0 });
    await fixture.fill(1);
    fixture.database.validations.latencyMs = 10;
    const states = watch([fixture.pool.acquire().then((lease) => lease.release())]);
    await fixture.clock.advance(0);
    expect(states).toEqual(['pending']);
    await fixture.clock.advance(10);
    expect(states).toEqual(['fulfilled']);
  });

  it('goes on to a new connection within the deadline when the idle one is dead', async () => {
    await using fixture = new PoolFixture();
    await fixture.fill(1);
    await fixture.clock.advance(STALE_MS);
    fixture.database.validations.error = new Error('broken pipe');
    const lease = await fixture.acquire();
    expect(lease.connection.id).toBe(2);
    expect(fixture.events('lost')).toMatchObject([
      { connectionId: 1, inUse: false, error: { message: 'broken pipe' } },
    ]);
    lease.release();
  });

  it('drops all idle connections unvalidated at the first death: one timeout, not one for each', async () => {
    await using fixture = new PoolFixture({ maxIdleConns: 10, validationTimeoutMs: 1_000 });
    await fixture.fill(10);
    await fixture.clock.advance(STALE_MS);
    fixture.database.validations.latencyMs = Number.POSITIVE_INFINITY;
    const startedAt = fixture.clock.now();
    const lease = await fixture.acquire({}, 1_000);
    expect(fixture.clock.now() - startedAt).toBe(1_000);
    expect(lease.connection.id).toBe(11);
    expect(fixture.pool.stats()).toMatchObject({ open: 1, generation: 2, closedBy: { error: 1, flush: 9 } });
    expect(fixture.events('generation')).toEqual([{ generation: 2, reason: 'flush' }]);
    lease.release();
  });

  it('fails one caller at most when the deadline is shorter than validation_timeout and all idle sockets are dead', async () => {
    await using fixture = new PoolFixture({ maxIdleConns: 10, acquireTimeoutMs: 1_000, validationTimeoutMs: 5_000 });
    await fixture.fill(10);
    await fixture.clock.advance(STALE_MS);
    fixture.database.validations.latencyMs = Number.POSITIVE_INFINITY;
    // Sockets made from now on are fine.
    fixture.pool.events.on('generation', () => {
      fixture.database.validations.latencyMs = 0;
    });
    const results: string[] = [];
    for (let call = 0; call < 10; call++) {
      const states = watch([fixture.pool.acquire().then((lease) => lease.release())]);
      await fixture.clock.advance(1_000);
      results.push(...states);
    }
    expect(results.filter((result) => result !== 'fulfilled')).toEqual(['DBM_ACQUIRE_TIMEOUT']);
  });

  it('closes a connection whose validation its caller cut short, without taking it for a death', async () => {
    await using fixture = new PoolFixture();
    await fixture.fill(2);
    await fixture.clock.advance(STALE_MS);
    fixture.database.validations.latencyMs = 100;
    const caller = new AbortController();
    const waiting = failure(fixture.pool.acquire({ signal: caller.signal }));
    await fixture.clock.advance(20);
    caller.abort();
    expect(await waiting).toMatchObject({ code: 'DBM_ABORTED' });
    await fixture.clock.advance(0);
    expect(fixture.pool.stats()).toMatchObject({ open: 1, generation: 1, closedBy: { error: 1 } });
  });

  it('validates for several waiters side by side', async () => {
    await using fixture = new PoolFixture();
    await fixture.fill(4);
    await fixture.clock.advance(STALE_MS);
    fixture.database.validations.latencyMs = 100;
    const calls = Array.from({ length: 4 }, () => fixture.pool.acquire());
    const states = watch(calls);
    await fixture.clock.advance(100);
    expect(states).toEqual(Array(4).fill('fulfilled'));
    for (const call of calls) (await call).release();
  });

  it('withdraws checks under way when the pool is flushed, and counts a death among them only once', async () => {
    await using fixture = new PoolFixture();
    await fixture.fill(2);
    await fixture.clock.advance(STALE_MS);
    fixture.database.validations.latencyMs = Number.POSITIVE_INFINITY;
    const calls = [fixture.pool.acquire(), fixture.pool.acquire()];
    await fixture.clock.advance(0);
    fixture.pool.flush('flush');
    fixture.database.kill(2);
    await fixture.clock.advance(0);
    const leases = await Promise.all(calls);
    expect(leases.map(({ connection }) => connection.id)).toEqual([3, 4]);
    expect(fixture.pool.stats()).toMatchObject({ generation: 2, closedBy: { flush: 1, error: 1 } });
    for (const lease of leases) lease.release();
  });

  it('gives a waiter a returned connection although another is being validated for it, and keeps that one', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 2 });
    const held = await fixture.pool.acquire();
    await fixture.fill(1);
    await fixture.clock.advance(STALE_MS);
    fixture.database.validations.latencyMs = 100;
    const waiting = fixture.pool.acquire();
    await fixture.clock.advance(10);
    held.release();
    const lease = await waiting;
    expect(lease.connection.id).toBe(1);
    await fixture.clock.advance(100);
    expect(fixture.pool.counts).toMatchObject({ open: 2, idle: 1, inUse: 1 });
    lease.release();
  });

  it('loses no query when all idle backends are terminated', async () => {
    await using fixture = new PoolFixture();
    await fixture.fill(5);
    fixture.database.kill('idle');
    expect(fixture.pool.stats()).toMatchObject({ open: 0, generation: 2, closedBy: { error: 1, flush: 4 } });
    const leases = await Promise.all(Array.from({ length: 5 }, () => fixture.pool.acquire()));
    for (const lease of leases) {
      expect(lease.connection.death).toBeUndefined();
      lease.release();
    }
    expect(fixture.events('lost')).toHaveLength(1);
  });

  it('lives on and refills when a connection in use is terminated', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1 });
    const lease = await fixture.pool.acquire();
    const waiting = fixture.pool.acquire();
    lease.connection.die(new Error('terminated by the administrator'));
    lease.connection.die(new Error('and again'));
    expect(fixture.events('lost')).toMatchObject([{ connectionId: 1, inUse: true }]);
    lease.release();
    const next = await waiting;
    expect(next.connection.id).toBe(2);
    expect(fixture.pool.stats()).toMatchObject({ generation: 1, closedBy: { error: 1 } });
    next.release();
  });

  it('does not hand out a connection that dies while it is being validated', async () => {
    await using fixture = new PoolFixture();
    await fixture.fill(1);
    await fixture.clock.advance(STALE_MS);
    fixture.database.validations.latencyMs = 100;
    const waiting = fixture.pool.acquire();
    await fixture.clock.advance(10);
    fixture.database.kill('all');
    await fixture.clock.advance(0);
    const lease = await waiting;
    expect(lease.connection.id).toBe(2);
    lease.release();
  });

  it('does not take a connection for made that dies before it arrives', async () => {
    await using fixture = new PoolFixture({ retryDelayMs: 50 });
    const { create } = fixture.database.factory();
    let connects = 0;
    await fixture.pool.renew({
      factory: {
        ...fixture.database.factory(),
        create: async (context) => {
          const connection = await create(context);
          if (++connects === 2) connection.die(new Error('too young'));
          return connection;
        },
      },
    });
    const first = await fixture.pool.acquire();
    const second = await fixture.acquire({}, 1_000);
    expect(second.connection.death).toBeUndefined();
    expect(fixture.events('createFailed')).toMatchObject([{ error: { message: 'too young' } }]);
    first.release();
    second.release();
  });
});

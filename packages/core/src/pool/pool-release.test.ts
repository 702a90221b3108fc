import { describe, expect, it } from '@jest/globals';
import { failure, PoolFixture, watch } from '../../test/pool-fixture.js';
import { DbManagerError } from '../errors.js';
import type { Lease } from './lease.js';

const lost = () => new DbManagerError('DBM_CONNECTION_LOST', 'reset by peer');
const readOnly = () => new DbManagerError('DBM_READ_ONLY', 'cannot write here');

describe('giving a connection back', () => {
  it('does nothing the second time, not even to the next borrower', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1 });
    const lease = await fixture.pool.acquire();
    lease.release();
    const next = await fixture.pool.acquire();
    lease.release();
    lease.discard();
    expect(next.released).toBe(false);
    expect(fixture.pool.counts).toMatchObject({ inUse: 1, idle: 0, open: 1 });
    next.release();
  });

  it('makes use after release a typed error', async () => {
    await using fixture = new PoolFixture();
    const lease = await fixture.pool.acquire();
    lease.release();
    expect(lease.released).toBe(true);
    expect(() => lease.connection).toThrow(
      expect.objectContaining({ code: 'DBM_LEASE_RELEASED', connectionName: 'primary' }),
    );
  });

  it('happens at the end of the block with await using', async () => {
    await using fixture = new PoolFixture();
    {
      await using lease = await fixture.pool.acquire();
      expect(lease.connection.id).toBe(1);
      expect(fixture.pool.counts.inUse).toBe(1);
    }
    expect(fixture.pool.counts.inUse).toBe(0);
  });

  it('rolls an open transaction back before anybody else gets the connection', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1 });
    fixture.database.cleans.latencyMs = 400;
    const lease = await fixture.pool.acquire();
    const { connection } = lease;
    connection.soil();
    lease.release();
    const waiting = fixture.pool.acquire();
    const states = watch([waiting]);
    await fixture.clock.advance(399);
    expect(states).toEqual(['pending']);
    await fixture.clock.advance(1);
    const next = await waiting;
    expect(next.connection).toBe(connection);
    expect(next.connection.inTransaction).toBe(false);
    expect(fixture.events('dirtyRelease')).toEqual([{ connectionId: 1, cleaned: true }]);
    expect(fixture.pool.stats().dirtyReleases).toBe(1);
    next.release();
  });

  it('closes a dirty connection that is not clean within a second', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1 });
    fixture.database.cleans.latencyMs = Number.POSITIVE_INFINITY;
    const lease = await fixture.pool.acquire();
    lease.connection.soil();
    lease.release();
    const waiting = fixture.pool.acquire();
    await fixture.clock.advance(1_000);
    const next = await waiting;
    expect(next.connection.id).toBe(2);
    expect(fixture.events('destroyed')).toMatchObject([{ connectionId: 1, reason: 'dirty' }]);
    expect(fixture.events('dirtyRelease')).toEqual([{ connectionId: 1, cleaned: false }]);
    next.release();
  });

  it('closes a dirty connection of a factory that cannot clean, and one whose state cannot be read', async () => {
    await using fixture = new PoolFixture();
    const { clean: _, ...factory } = fixture.database.factory();
    await fixture.pool.renew({ factory });
    const lease = await fixture.pool.acquire();
    lease.connection.soil();
    lease.release();
    await fixture.clock.advance(0);
    expect(fixture.pool.stats().closedBy.dirty).toBe(1);
    const isDirty = () => {
      throw new Error('the driver has changed');
    };
    await fixture.pool.renew({ factory: { ...factory, isDirty } });
    (await fixture.pool.acquire()).release();
    await fixture.clock.advance(0);
    expect(fixture.pool.stats().closedBy.dirty).toBe(2);
  });

  it('keeps the connection after a harmless error', async () => {
    await using fixture = new PoolFixture();
    (await fixture.pool.acquire()).release(new Error('syntax error'));
    expect(fixture.pool.counts.idle).toBe(1);
  });

  it('closes the connection after a fatal error, and only that one', async () => {
    await using fixture = new PoolFixture();
    await fixture.fill(2);
    (await fixture.pool.acquire()).release(lost());
    await fixture.clock.advance(0);
    expect(fixture.events('destroyed')).toMatchObject([{ connectionId: 2, reason: 'error' }]);
    expect(fixture.events('lost')).toMatchObject([{ connectionId: 2, inUse: true }]);
    expect(fixture.pool.stats()).toMatchObject({ idle: 1, generation: 1 });
  });

  it('starts a new generation when the primary has turned read-only: only the first write fails', async () => {
    await using fixture = new PoolFixture();
    const [first, second] = [await fixture.pool.acquire(), await fixture.pool.acquire()];
    await fixture.fill(1);
    fixture.database.readOnly = true;
    first.release(readOnly());
    await fixture.clock.advance(0);
    expect(fixture.pool.stats()).toMatchObject({ idle: 0, inUse: 1, generation: 2 });
    const fresh = await fixture.pool.acquire();
    // The same news from an older connection says nothing of the new ones.
    second.release(readOnly());
    await fixture.clock.advance(0);
    expect(fixture.pool.stats()).toMatchObject({ generation: 2, closedBy: { failover: 3 } });
    fresh.release();
    expect(fixture.pool.counts.idle).toBe(1);
  });

  it('takes a factory that fails to judge for the end of the connection', async () => {
    await using fixture = new PoolFixture();
    const judge = () => {
      throw new Error('no idea');
    };
    await fixture.pool.renew({ factory: { ...fixture.database.factory(), judge } });
    (await fixture.pool.acquire()).release(new Error('something'));
    await fixture.clock.advance(0);
    expect(fixture.pool.stats()).toMatchObject({ open: 0, closedBy: { error: 1 } });
  });

  it('closes a discarded connection and serves the next waiter with a new one', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1 });
    const lease = await fixture.pool.acquire();
    const waiting = fixture.pool.acquire();
    lease.discard(new Error('half a response was read'));
    const next = await waiting;
    expect(next.connection.id).toBe(2);
    expect(fixture.events('lost')).toMatchObject([{ connectionId: 1, error: { message: 'half a response was read' } }]);
    next.release();
  });

  it('hears of a failover from a connection that is discarded for it', async () => {
    await using fixture = new PoolFixture();
    const [first, second] = [await fixture.pool.acquire(), await fixture.pool.acquire()];
    fixture.database.readOnly = true;
    first.discard(readOnly());
    second.release();
    await fixture.clock.advance(0);
    expect(fixture.pool.stats()).toMatchObject({ open: 0, generation: 2, closedBy: { failover: 2 } });
    expect(fixture.events('lost')).toHaveLength(1);
  });

  it('cuts a dead connection off without a goodbye, and takes leave of others', async () => {
    await using fixture = new PoolFixture();
    const goodbyes: boolean[] = [];
    const factory = fixture.database.factory();
    const destroy: typeof factory.destroy = (connection, signal) => {
      goodbyes.push(!signal.aborted);
      return factory.destroy(connection, signal);
    };
    await fixture.pool.renew({ factory: { ...factory, destroy } });
    fixture.database.destroys.latencyMs = Number.POSITIVE_INFINITY;
    (await fixture.pool.acquire()).release(lost());
    await fixture.clock.advance(0);
    expect(fixture.events('destroyed')).toHaveLength(1);
    await fixture.fill(1);
    fixture.pool.flush('flush');
    expect(goodbyes).toEqual([false, true]);
  });

  it('stops waiting for a connection that does not close', async () => {
    await using fixture = new PoolFixture();
    await fixture.fill(1);
    fixture.database.destroys.latencyMs = Number.POSITIVE_INFINITY;
    fixture.pool.flush('flush');
    expect(fixture.events('destroyed')).toEqual([]);
    await fixture.clock.advance(1_000);
    expect(fixture.events('destroyed')).toMatchObject([{ connectionId: 1, reason: 'flush' }]);
  });
});

describe('acquiring while holding a connection', () => {
  it('fails at once on a full pool instead of waiting for itself', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1 });
    const lease = await fixture.pool.acquire();
    const error = await fixture.pool.holding(() => failure(fixture.pool.acquire()));
    expect(error).toMatchObject({ code: 'DBM_POOL_DEADLOCK', option: 'max_open_conns', connectionName: 'primary' });
    lease.release();
  });

  it('of one pool within another fails on both, and on neither once that work has ended', async () => {
    await using outer = new PoolFixture({ maxOpenConns: 1 });
    await using inner = new PoolFixture({ maxOpenConns: 1 });
    const leases = [await outer.pool.acquire(), await inner.pool.acquire()];
    let later: Promise<unknown> = Promise.resolve();
    const ended = Promise.withResolvers<void>();
    await outer.pool.holding(async () => {
      await inner.pool.holding(async () => {
        for (const { pool } of [outer, inner]) {
          expect(await failure(pool.acquire())).toMatchObject({ code: 'DBM_POOL_DEADLOCK' });
        }
        // Started here, and left running.
        later = ended.promise.then(() => inner.pool.holding(() => outer.pool.acquire()));
      });
      expect(await failure(outer.pool.acquire())).toMatchObject({ code: 'DBM_POOL_DEADLOCK' });
    });
    ended.resolve();
    for (const lease of leases) lease.release();
    ((await later) as Lease<unknown>).release();
  });

  it('is allowed while there is room, also when the connection has to be made first', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 2 });
    const lease = await fixture.pool.acquire();
    await fixture.pool.holding(async () => {
      const second = await fixture.pool.acquire();
      second.release();
    });
    lease.release();
  });

  it('fails when what is left has been promised to earlier waiters', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 2 });
    const lease = await fixture.pool.acquire();
    fixture.database.connects.latencyMs = 100;
    const earlier = fixture.pool.acquire();
    const error = await fixture.pool.holding(() => failure(fixture.pool.acquire()));
    expect(error).toMatchObject({ code: 'DBM_POOL_DEADLOCK' });
    await fixture.clock.advance(100);
    (await earlier).release();
    lease.release();
  });

  it('concerns neither other callers nor work that outlives the holder', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1 });
    const lease = await fixture.pool.acquire();
    const { promise: later, resolve: goOn } = Promise.withResolvers<void>();
    const { promise: end, resolve: endOther } = Promise.withResolvers<void>();
    const otherHolder = fixture.pool.holding(() => end);
    let outliving: Promise<void> = Promise.resolve();
    await fixture.pool.holding(async () => {
      outliving = later.then(async () => (await fixture.pool.acquire()).release());
    });
    const states = watch([fixture.pool.acquire().then((other) => other.release()), outliving]);
    goOn();
    await fixture.clock.advance(0);
    expect(states).toEqual(['pending', 'pending']);
    lease.release();
    await fixture.clock.advance(0);
    expect(states).toEqual(['fulfilled', 'fulfilled']);
    endOther();
    await otherHolder;
  });

  it('ends with work that is synchronous or throws', async () => {
    await using fixture = new PoolFixture({ maxOpenConns: 1 });
    expect(fixture.pool.holding(() => 42)).toBe(42);
    const fail = () => {
      throw new Error('work failed');
    };
    expect(() => fixture.pool.holding(fail)).toThrow('work failed');
    expect(await failure(fixture.pool.holding(() => Promise.reject(new Error('later'))))).toMatchObject({
      message: 'later',
    });
  });
});

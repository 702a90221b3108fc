import type { FakeConnection } from '@dbmanager/testkit';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PoolFixture } from '../../test/pool-fixture.js';
import { DbManagerError } from '../errors.js';
import type { Lease } from './lease.js';

/** Given by `SEED` to run a failure again; printed with every failure by fast-check. */
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const RUNS = Number(process.env.RUNS ?? 300);
const MAX_OPEN = 4;

/** One random step. `pick` chooses among what there is: leases, callers, connections. */
type Step =
  | { readonly do: 'acquire'; readonly timeoutMs: number | undefined }
  | {
      readonly do: 'release' | 'release-fatal' | 'release-failover' | 'release-dirty' | 'discard' | 'abort' | 'kill';
      readonly pick: number;
    }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'connects'; readonly how: 'good' | 'bad' | 'slow' | 'never' | 'refused-for-good' }
  | { readonly do: 'validations' | 'cleans'; readonly how: 'good' | 'bad' | 'slow' | 'never' }
  | { readonly do: 'flush' | 'renew' | 'probe' | 'suspend' | 'resume' };

const pick = fc.nat(100);
const steps = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('acquire' as const),
        timeoutMs: fc.option(fc.integer({ min: 0, max: 5_000 }), { nil: undefined }),
      }),
    },
    { weight: 8, arbitrary: fc.record({ do: fc.constant('release' as const), pick }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constantFrom('release-fatal', 'release-failover', 'release-dirty', 'discard', 'abort', 'kill'),
        pick,
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('advance' as const),
        ms: fc.oneof(
          fc.integer({ min: 0, max: 20 }),
          fc.integer({ min: 0, max: 3_000 }),
          fc.integer({ min: 0, max: 200_000 }),
        ),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('connects' as const),
        how: fc.constantFrom('good', 'good', 'good', 'bad', 'slow', 'never', 'refused-for-good'),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constantFrom('validations', 'cleans'),
        how: fc.constantFrom('good', 'good', 'bad', 'slow', 'never'),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('flush', 'renew', 'probe', 'suspend', 'resume') }) },
  ) as fc.Arbitrary<Step>,
  { minLength: 5, maxLength: 80 },
);

/** A pool under random use, with what a caller may rely on checked after each step. */
class Scenario {
  readonly fixture: PoolFixture;
  readonly #leases: Lease<FakeConnection>[] = [];
  readonly #callers: AbortController[] = [];
  /** Numbers of callers without a deadline or signal of their own, in the order served: must only grow. */
  readonly #served: number[] = [];
  readonly #unsettled = new Set<Promise<unknown>>();
  #calls = 0;

  constructor(poolSeed: number) {
    const options = {
      maxOpenConns: MAX_OPEN,
      maxIdleConns: 3,
      maxPending: 30,
      acquireTimeoutMs: 4_000,
      retryDelayMs: 200,
      leakDetectionMs: 30_000,
    };
    this.fixture = new PoolFixture(options, { seed: poolSeed });
  }

  async run(step: Step): Promise<void> {
    const { pool, clock, database } = this.fixture;
    switch (step.do) {
      case 'acquire':
        this.#acquire(step.timeoutMs);
        break;
      case 'release':
        this.#take(step.pick)?.release();
        break;
      case 'release-fatal':
        this.#take(step.pick)?.release(new DbManagerError('DBM_CONNECTION_LOST', 'reset'));
        break;
      case 'release-failover':
        database.readOnly = true;
        this.#take(step.pick)?.release(new DbManagerError('DBM_READ_ONLY', 'read-only'));
        break;
      case 'release-dirty': {
        const lease = this.#take(step.pick);
        if (lease !== undefined && lease.connection.death === undefined && !lease.connection.inTransaction)
          lease.connection.soil();
        lease?.release();
        break;
      }
      case 'discard':
        this.#take(step.pick)?.discard();
        break;
      case 'abort':
        this.#callers[step.pick % Math.max(1, this.#callers.length)]?.abort();
        break;
      case 'kill':
        database.live[step.pick % Math.max(1, database.live.length)]?.die();
        break;
      case 'advance':
        await clock.advance(step.ms);
        break;
      case 'connects':
        database.connects.latencyMs = {
          good: 0,
          bad: 5,
          slow: 150,
          never: Number.POSITIVE_INFINITY,
          'refused-for-good': 5,
        }[step.how];
        database.connects.error = {
          good: undefined,
          bad: new Error('refused'),
          slow: undefined,
          never: undefined,
          'refused-for-good': new DbManagerError('DBM_AUTH_FAILED', 'wrong'),
        }[step.how];
        break;
      case 'validations':
      case 'cleans':
        database[step.do].latencyMs = { good: 0, bad: 5, slow: 100, never: Number.POSITIVE_INFINITY }[step.how];
        database[step.do].error = step.how === 'bad' ? new Error('bad') : undefined;
        break;
      case 'flush':
        pool.flush('flush');
        break;
      case 'renew':
        this.#follow(pool.renew({ signal: this.#caller() }));
        break;
      case 'probe':
        this.#follow(pool.probe(this.#caller()));
        break;
      case 'suspend':
        pool.suspend();
        break;
      case 'resume':
        pool.resume();
        break;
    }
    await clock.advance(0);
    this.check();
  }

  check(): void {
    const { pool, database } = this.fixture;
    const stats = pool.stats();
    expect(stats.open).toBeLessThanOrEqual(MAX_OPEN);
    // One renewal and any number of probes may connect beside the pool; the gate holds for all of them.
    expect(database.mostConnecting).toBeLessThanOrEqual(2);
    expect(stats.inUse).toBe(this.#leases.length);
    expect(stats.open).toBe(stats.idle + stats.inUse);
    expect(stats.pending).toBeLessThanOrEqual(30);
    expect(stats.created - stats.destroyed).toBeGreaterThanOrEqual(stats.open);
    // No connection is out twice, and none is out that was closed.
    const held = this.#leases.map(({ connection }) => connection);
    expect(new Set(held).size).toBe(held.length);
    expect(held.filter(({ destroyed }) => destroyed)).toEqual([]);
    expect(this.#served).toEqual([...this.#served].sort((a, b) => a - b));
    // Nobody waits in front of an open door.
    if (!stats.suspended && stats.pending > 0 && stats.inUse < stats.max) {
      expect(stats.idle + stats.connecting + (stats.down ? 1 : 0)).toBeGreaterThan(0);
    }
    expect(database.complaints).toEqual([]);
  }

  /** Closes the pool with leases still out, and waits until every call has ended. */
  async end(): Promise<void> {
    const closing = this.fixture.pool.close({ drainTimeoutMs: 1_000 });
    await this.fixture.clock.advance(1_000);
    await this.fixture.clock.advance(5_000);
    const { held } = await closing;
    expect(held).toHaveLength(this.#leases.length);
    for (const lease of this.#leases) {
      expect(lease.released).toBe(true);
      lease.release();
    }
    await Promise.all(this.#unsettled);
    const created = this.fixture.events('created').map(({ connectionId }) => connectionId);
    const destroyed = this.fixture.events('destroyed').map(({ connectionId }) => connectionId);
    expect(created).toEqual([...created].sort((a, b) => a - b));
    expect([...destroyed].sort((a, b) => a - b)).toEqual(created);
    const { closedBy } = this.fixture.pool.stats();
    expect(Object.values(closedBy).reduce((sum, count) => sum + count, 0)).toBe(created.length);
    await this.fixture[Symbol.asyncDispose]();
  }

  #acquire(timeoutMs: number | undefined): void {
    const call = this.#calls++;
    // Every third can be aborted; the others must be served in order.
    const signal = call % 3 === 0 ? this.#caller() : undefined;
    const take = (lease: Lease<FakeConnection>) => {
      this.#served.push(call);
      this.#leases.push(lease);
    };
    this.#follow(this.fixture.pool.acquire({ timeoutMs, signal }).then(take));
  }

  #take(index: number): Lease<FakeConnection> | undefined {
    return this.#leases.splice(index % Math.max(1, this.#leases.length), 1)[0];
  }

  #caller(): AbortSignal {
    const caller = new AbortController();
    this.#callers.push(caller);
    return caller.signal;
  }

  /** Calls may fail, but each must end. */
  #follow(call: Promise<unknown>): void {
    const settled = call.catch((error: unknown) => {
      expect(error).toBeInstanceOf(Error);
    });
    this.#unsettled.add(settled);
    void settled.finally(() => this.#unsettled.delete(settled));
  }
}

describe('a pool under random use', () => {
  it(`keeps its promises to every caller and to every connection (SEED=${seed})`, async () => {
    const property = fc.asyncProperty(fc.nat(), steps, async (poolSeed, sequence) => {
      const scenario = new Scenario(poolSeed);
      for (const step of sequence) await scenario.run(step);
      await scenario.end();
    });
    await fc.assert(property, { seed, numRuns: RUNS, endOnFailure: false });
  });
});

import {
  type AcquireOptions,
  type Lease,
  Pool,
  type PoolEvents,
  type PoolOptions,
  seededRandom,
} from '@dbmanager/core';
import { FakeClock, type FakeConnection, FakeDatabase, FakeProvider, testConfig } from '@dbmanager/testkit';

/** One line of the pool's event log. */
export type LogLine = {
  readonly [E in keyof PoolEvents]: { readonly event: E; readonly payload: PoolEvents[E] };
}[keyof PoolEvents];

const EVENTS: readonly (keyof PoolEvents)[] = [
  'created',
  'createFailed',
  'destroyed',
  'lost',
  'generation',
  'down',
  'up',
  'leak',
  'leakReturned',
  'dirtyRelease',
  'acquireTimeout',
];

/**
 * A pool on a fake database and a fake clock. Use with `await using`: the end closes the pool and checks that everything
 * made was destroyed once and that no timer is left.
 */
export class PoolFixture implements AsyncDisposable {
  readonly clock: FakeClock;
  readonly database: FakeDatabase;
  readonly pool: Pool<FakeConnection>;
  /** Everything that happened, in order. */
  readonly log: LogLine[] = [];

  constructor(options: Partial<PoolOptions> = {}, { seed = 1 } = {}) {
    // Not zero: a time that was never set must not pass for a time.
    this.clock = new FakeClock(1_000_000);
    this.database = new FakeDatabase(this.clock);
    this.pool = new Pool({
      name: 'primary',
      factory: this.database.factory({ connectionName: 'primary' }),
      options: testConfig(new FakeProvider(), options).options,
      clock: this.clock,
      random: seededRandom(seed),
    });
    for (const event of EVENTS) {
      this.pool.events.on(event, (payload) => this.log.push({ event, payload } as LogLine));
    }
  }

  /** Acquires, running the clock for `ms` meanwhile. */
  async acquire(options?: AcquireOptions, ms = 0): Promise<Lease<FakeConnection>> {
    const acquiring = this.pool.acquire(options);
    acquiring.catch(() => {}); // It may fail while the clock runs; whoever awaits it below is told.
    await this.clock.advance(ms);
    return acquiring;
  }

  /** Opens `count` connections and leaves them idle. */
  async fill(count: number): Promise<void> {
    const leases = await Promise.all(Array.from({ length: count }, () => this.pool.acquire()));
    for (const lease of leases) lease.release();
  }

  /** Payloads of one kind of event so far. */
  events<E extends keyof PoolEvents>(event: E): PoolEvents[E][] {
    return this.log.filter((line) => line.event === event).map((line) => line.payload as PoolEvents[E]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closing = this.pool.destroy();
    await this.clock.advance(5_000);
    await closing;
    this.database.assertSettled();
    const { open, pending, connecting, created, destroyed } = this.pool.stats();
    const state = { open, pending, connecting, undestroyed: created - destroyed, timers: this.clock.pendingTimers };
    if (Object.values(state).some((count) => count !== 0)) {
      throw new Error(`left behind: ${JSON.stringify(state)}`);
    }
  }
}

/** The error `promise` rejects with, taken at once so that a rejection while the clock runs is not unhandled. */
export async function failure(promise: Promise<unknown>): Promise<Error & { code?: string; cause?: unknown }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it should have been rejected');
}

/** Where each of `promises` stands: `pending`, `fulfilled` or the code of its error. */
export function watch(promises: readonly Promise<unknown>[]): string[] {
  const states = promises.map(() => 'pending');
  promises.forEach((promise, index) => {
    promise.then(
      () => {
        states[index] = 'fulfilled';
      },
      (error: { code?: string }) => {
        states[index] = error.code ?? 'failed';
      },
    );
  });
  return states;
}

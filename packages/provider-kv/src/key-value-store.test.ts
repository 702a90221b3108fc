import { FakeClock } from '@dbmanager/testkit';
import { afterAll, describe, expect, it } from '@jest/globals';
import { all, CountingLevel, KvFixture, levelHome, TemporaryFolder, until } from '../test/kv-fixture.js';
import { storeSuite } from '../test/store-suite.js';
import { keyValueStore, type LevelDriver } from './index.js';

const folder = new TemporaryFolder();
afterAll(() => folder[Symbol.dispose]());

const open = (options = {}, setup = {}) => KvFixture.open({ filepath: folder.newPath(), ...options }, setup);

storeSuite('seeds 3: Key-value: a store in LevelDB', levelHome(folder));

describe('a key-value store in LevelDB', () => {
  it('is there after the database was closed and opened again', async () => {
    const filepath = folder.newPath();
    {
      await using fixture = await KvFixture.open({ filepath });
      await fixture.store().set('a', 1);
    }
    await using fixture = await KvFixture.open({ filepath, mustExist: true });
    expect(await fixture.store().get('a')).toBe(1);
  });

  it('takes keys of any length', async () => {
    await using fixture = await open();
    const key = 'a'.repeat(10_000);
    await fixture.store().set(key, 1);
    expect(await all(fixture.store().keys())).toEqual([key]);
  });

  it('gives an error for a value that this store did not write is an error', async () => {
    await using fixture = await open();
    await fixture.native.sublevel('default').put('a', 'by hand');
    await expect(fixture.store().get('a')).rejects.toMatchObject({ code: 'DBM_QUERY_FAILED', connectionName: 'test' });
    await expect(all(fixture.store().scan())).rejects.toMatchObject({ code: 'DBM_QUERY_FAILED' });
  });

  it('has namespaces that are sublevels of the native handle', async () => {
    await using fixture = await open();
    await fixture.store({ namespace: 'users' }).set('a', 1);
    expect(await fixture.native.sublevel('users').has('a')).toBe(true);
  });
});

describe('expiry in LevelDB', () => {
  const sweepable = async (clock: FakeClock) => open({ expiryIntervalMs: 60_000 }, { clock });
  const onDisk = async (fixture: KvFixture) => (await all(fixture.native.keys())).length;

  /** Moves both clocks, and waits until so many keys are left, those of the list of moments included. */
  async function sweepTo(left: number, fixture: KvFixture, clock: FakeClock) {
    fixture.pass(60_000);
    await clock.advance(60_000);
    await until(async () => (await onDisk(fixture)) === left);
  }

  it('removes from disk what is over, and nothing else', async () => {
    const clock = new FakeClock();
    await using fixture = await sweepable(clock);
    const store = fixture.store<number>();
    const batch = store.batch().set('stays', 1).set('later', 1, { ttlMs: 90_000 }).set('renewed', 1, { ttlMs: 10 });
    for (let i = 0; i < 1_200; i++) batch.set(`gone${i}`, i, { ttlMs: 10 + i });
    await batch.write();
    await store.set('renewed', 2);
    expect(await onDisk(fixture)).toBe(1_203 + 1_202);
    await sweepTo(3 + 1, fixture, clock);
    expect(await all(store.keys())).toEqual(['later', 'renewed', 'stays']);
    await sweepTo(2, fixture, clock);
    expect(await all(store.keys())).toEqual(['renewed', 'stays']);
  });

  it('keeps a key that is written anew while it is being removed', async () => {
    const clock = new FakeClock();
    const swept = Promise.withResolvers<void>();
    /** Calls `meanwhile` when a sweep has read what it is about to remove. */
    class SlowLevel extends CountingLevel {
      // biome-ignore lint/suspicious/noExplicitAny: any of the overloads
      override async getMany(...args: any[]): Promise<any> {
        const found = await Reflect.apply(super.getMany, this, args);
        await store.batch().set('a', 2).set('b', 2, { ttlMs: 10 }).write();
        swept.resolve();
        return found;
      }
    }
    const driver = { ClassicLevel: SlowLevel } as unknown as LevelDriver;
    await using fixture = await open({ expiryIntervalMs: 60_000 }, { clock, driver });
    const store = fixture.store<number>();
    await store.batch().set('a', 1, { ttlMs: 10 }).set('b', 1, { ttlMs: 10 }).set('c', 1, { ttlMs: 10 }).write();
    fixture.pass(60_000);
    await clock.advance(60_000);
    await swept.promise;
    await until(async () => !(await fixture.native.sublevel('default').has('c')));
    expect(await all(store.scan())).toEqual([
      ['a', 2],
      ['b', 2],
    ]);
  });
});

describe('the pool', () => {
  it('lets reads and writes run side by side on one handle', async () => {
    await using fixture = await open({ maxOpenConns: 3 });
    const store = fixture.store<number>();
    await using snapshot = await store.snapshot();
    await store.set('a', 1);
    expect(await store.get('a')).toBe(1);
    expect(await snapshot.get('a')).toBeUndefined();
    expect(fixture.connection.lanes.stats()).toMatchObject({ max: 3, inUse: 1, open: 2 });
  });

  it('makes callers wait beyond max_open_conns, and an aborted one leaves', async () => {
    await using fixture = await open({ maxOpenConns: 1, maxIdleConns: 1 });
    const store = fixture.store<number>();
    const snapshot = await store.snapshot();
    const abort = new AbortController();
    const aborted = store.get('a', { signal: abort.signal });
    const waiting = store.set('a', 1);
    expect(fixture.connection.lanes.counts.pending).toBe(2);
    abort.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'DBM_ABORTED' });
    await snapshot.close();
    await waiting;
  });

  it('is of type kv', async () => {
    await using fixture = await open();
    const { lanes } = fixture.connection;
    const target = { name: 'orders', type: 'postgres', config: lanes.config, counts: lanes.counts } as const;
    expect(() =>
      keyValueStore({ ...target, acquire: (options) => lanes.acquire(options), holding: (work) => work() }),
    ).toThrow(expect.objectContaining({ code: 'DBM_UNSUPPORTED', connectionName: 'orders' }));
  });
});

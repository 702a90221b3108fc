import type { Logger } from '@dbmanager/core';
import { FakeClock } from '@dbmanager/testkit';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { rejection, SQLITE, until } from '../../../test/support/sql-engines.js';
import { StoreBench } from '../../../test/support/store-engines.js';
import type { StoreCleaner } from './store-cleaner.js';
import type { Stores, StoresSetup } from './stores.js';

const MINUTE = 60_000;
const INTERVAL = 15 * MINUTE;

describe('The clean-up of stores', () => {
  let bench: StoreBench;
  let clock: FakeClock;
  let logged: object[];
  let closing: AbortController;

  beforeEach(async () => {
    bench = await StoreBench.open(SQLITE);
    clock = new FakeClock();
    logged = [];
    closing = new AbortController();
    await bench.stores().createTables();
  });

  afterEach(async () => {
    await bench?.close();
  });

  const keep = (fields: object) => void logged.push(fields);
  const logger: Logger = { debug: keep, info: keep, warn: keep, error: keep };

  /** Stores as of another process. */
  function process(options: Partial<StoresSetup> = {}): Stores {
    return bench.stores({ clock, logger, random: () => 0.5, closing: closing.signal, ...options });
  }

  /** Moves both clocks, and waits for the turn that this begins. */
  async function pass(ms: number, turnsEnded: number): Promise<void> {
    bench.clock.now += ms;
    await clock.advance(ms);
    await until(() => clock.pendingTimers === turnsEnded);
  }

  async function sessionIds(): Promise<unknown[]> {
    const rows = await bench.database.query('select id from sessions order by id');
    return rows.map(({ id }) => id);
  }

  async function saveAll(stores: Stores): Promise<void> {
    const at = (ms: number) => new Date(bench.clock.now + ms);
    await stores.sessions.save({ id: 'over', data: {}, expiresAt: at(INTERVAL - MINUTE) });
    await stores.sessions.save({ id: 'just over', data: {}, expiresAt: at(INTERVAL - MINUTE + 1) });
    await stores.accessTokens.save({ token: 'abcdefghijklmnop', expiresAt: at(1) });
    await stores.workloadMetrics.saveMany([
      { tenantId: 't', timestamp: at(-MINUTE) },
      { tenantId: 't', timestamp: at(0) },
    ]);
  }

  it('removes at each interval what has been over for a minute, and metrics that are old', async () => {
    const stores = process();
    await saveAll(stores);
    await using _cleaner = stores.startCleanUp({ interval: '15m', keepMetrics: INTERVAL + MINUTE - 1 });
    await pass(INTERVAL - 1, 1);
    await expect(sessionIds()).resolves.toEqual(['just over', 'over']);
    await pass(1, 1);
    await expect(sessionIds()).resolves.toEqual(['just over']);
    await expect(stores.accessTokens.load('abcdefghijklmnop')).resolves.toBeUndefined();
    await expect(bench.database.query('select id from workload_metrics')).resolves.toHaveLength(1);
    expect(logged).toEqual([{ connection: 'test', rows: 3 }]);
    await pass(INTERVAL, 1);
    await expect(sessionIds()).resolves.toEqual([]);
  });

  it('is done by one process at a time, and by another once that has ended', async () => {
    const [one, other] = [process(), process()];
    const first = one.startCleanUp({ interval: INTERVAL });
    await pass(1, 1);
    const second = other.startCleanUp({ interval: INTERVAL });
    await pass(INTERVAL - 1, 2);
    const owner = async () => (await bench.database.queryOneOrThrow('select owner from store_leases')).owner;
    const firstOwner = await owner();
    await pass(1, 2);
    await expect(owner()).resolves.toBe(firstOwner);
    await first.stop();
    await pass(INTERVAL, 1);
    await expect(owner()).resolves.not.toBe(firstOwner);
    await second.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('is taken over from a process that was killed', async () => {
    const owner = async () => (await bench.database.queryOneOrThrow('select owner from store_leases')).owner;
    const killed = new FakeClock();
    process({ clock: killed }).startCleanUp({ interval: INTERVAL });
    await killed.advance(INTERVAL);
    await until(() => killed.pendingTimers === 1);
    const dead = await owner();
    await using _cleaner = process().startCleanUp({ interval: INTERVAL });
    await pass(INTERVAL, 1);
    await expect(owner()).resolves.toBe(dead);
    await pass(INTERVAL, 1);
    await expect(owner()).resolves.not.toBe(dead);
  });

  it('that fails is told, and tried again', async () => {
    const stores = process();
    await stores.dropTables();
    await using _cleaner = stores.startCleanUp({ interval: INTERVAL });
    await pass(INTERVAL, 1);
    expect(logged).toMatchObject([{ connection: 'test', code: 'DBM_STORE_TABLE' }]);
    await stores.createTables();
    await saveAll(stores);
    await pass(INTERVAL, 1);
    await expect(sessionIds()).resolves.toEqual(['just over']);
  });

  it('ends when the connection closes', async () => {
    process().startCleanUp();
    expect(clock.pendingTimers).toBe(1);
    closing.abort();
    expect(clock.pendingTimers).toBe(0);
    process().startCleanUp();
    expect(clock.pendingTimers).toBe(0);
  });

  it('breaks off what is under way when it is stopped, twice without harm', async () => {
    let stopped: Promise<unknown> | undefined;
    const stores: Stores = process({
      place() {
        // The first statement of the turn.
        stopped ??= Promise.all([cleaner.stop(), cleaner.stop()]);
        return bench.database;
      },
    });
    await saveAll(process());
    const cleaner: StoreCleaner = stores.startCleanUp({ interval: INTERVAL });
    bench.clock.now += INTERVAL;
    await clock.advance(INTERVAL);
    await stopped;
    expect(stopped).toBeDefined();
    expect(clock.pendingTimers).toBe(0);
    expect(logged).toEqual([]);
    await expect(sessionIds()).resolves.toEqual(['just over', 'over']);
  });

  it.each([
    ['interval', { interval: 0 }],
    ['interval', { interval: '15 minutes' }],
    ['keepMetrics', { keepMetrics: Number.NaN }],
  ])('refuses a bad %s (%#)', async (option, bad) => {
    const error = await rejection(Promise.resolve().then(() => process().startCleanUp(bad)));
    expect(error).toMatchObject({ code: 'DBM_INVALID_OPTION', option });
    expect(clock.pendingTimers).toBe(0);
  });
});

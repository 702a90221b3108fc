import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { STORE_ENGINES, StoreBench } from '../../../test/support/store-engines.js';
import type { RateLimitDecision, RateLimits } from './rate-limits.js';
import type { Stores } from './stores.js';

const HOUR_MS = 3_600_000;

for (const engine of STORE_ENGINES) {
  engine.describe('seeds 0: Rate limit:', () => {
    // The stand-in for SQL Server has one collation, and takes no notice of that of a column.
    const tellsCapitals = engine.name !== 'mssql';
    let bench: StoreBench;
    let stores: Stores;
    let limits: RateLimits;

    beforeAll(async () => {
      bench = await StoreBench.open(engine);
      stores = bench.stores();
      await stores.createTables();
      limits = stores.rateLimits;
    });
    afterAll(() => bench?.close());
    beforeEach(() => limits.resetAll());

    const rows = () => bench.database.query('select rate_key from rate_limits');

    it('check says that a limit is exceeded once it has been reached, and counts nothing', async () => {
      expect(await limits.check('ann', 2, '1m')).toBe(false);
      expect(await rows()).toEqual([]);
      await limits.increment('ann', '1m');
      expect(await limits.check('ann', 2, '1m')).toBe(false);
      await limits.increment('ann', '1m');
      expect(await limits.check('ann', 2, '1m')).toBe(true);
      expect(await limits.check('bob', 2, '1m')).toBe(false);
      expect(await limits.get('ann', '1m')).toMatchObject({ hits: 2 });
    });

    it('increment counts on beyond every limit, and tells when the window is over', async () => {
      const before = Date.now();
      const first = await limits.increment('ann', '1h', 5);
      expect(first).toEqual({ hits: 5, resetAt: expect.any(Date), resetAfterMs: expect.any(Number) });
      expect(first.resetAfterMs).toBeLessThanOrEqual(HOUR_MS);
      expect(first.resetAfterMs).toBeGreaterThan(HOUR_MS - 60_000);
      // The database has the time of day, whatever its zone: its clock may differ from ours by a minute.
      expect(Math.abs(first.resetAt.getTime() - HOUR_MS - before)).toBeLessThan(60_000 + Date.now() - before);
      const second = await limits.increment('ann', '1h');
      expect(second.hits).toBe(6);
      expect(second.resetAt).toEqual(first.resetAt);
    });

    it('a window of 1 s is over by itself, and what begins the next one leaves that of 1 h alone', async () => {
      await limits.increment('hour', '1h', 2);
      await limits.increment('second', '1s', 7);
      while ((await limits.get('second', '1s')) !== undefined);
      expect(await limits.increment('second', '1s')).toMatchObject({ hits: 1 });
      expect(await limits.get('hour', '1h')).toMatchObject({ hits: 2 });
    });

    it('consume allows up to the limit and counts nothing beyond, until the window is over', async () => {
      const decisions: RateLimitDecision[] = [];
      for (let call = 0; call < 4; call++) decisions.push(await limits.consume('ann', 3, '1h'));
      expect(decisions.map(({ allowed, remaining }) => [allowed, remaining])).toEqual([
        [true, 2],
        [true, 1],
        [true, 0],
        [false, 0],
      ]);
      const resets = new Set(decisions.map(({ resetAt }) => resetAt.getTime()));
      expect(resets.size).toBe(1);
      expect(await limits.get('ann', '1h')).toMatchObject({ hits: 3 });
      await limits.endAfter('ann', 1);
      let next = await limits.consume('ann', 3, '1h');
      while (!next.allowed) next = await limits.consume('ann', 3, '1h');
      expect(next).toMatchObject({ remaining: 2 });
    });

    it('consume of a higher cost is refused where a lower one is allowed', async () => {
      expect(await limits.consume('ann', 10, '1h', 8)).toMatchObject({ allowed: true, remaining: 2 });
      expect(await limits.consume('ann', 10, '1h', 3)).toMatchObject({ allowed: false, remaining: 2 });
      expect(await limits.consume('ann', 10, '1h', 2)).toMatchObject({ allowed: true, remaining: 0 });
      expect(await limits.consume('bob', 10, '1h', 11)).toMatchObject({ allowed: false, remaining: 10 });
      expect(await limits.consume('bob', 0, '1h')).toMatchObject({ allowed: false, remaining: 0 });
      expect(await limits.get('bob', '1h')).toBeUndefined();
    });

    it('a window that is made shorter or longer is so at once', async () => {
      await limits.increment('ann', '1h');
      const { resetAfterMs } = await limits.increment('ann', '1m');
      expect(resetAfterMs).toBeLessThanOrEqual(60_000);
      const longer = await limits.increment('ann', '2h');
      expect(longer.hits).toBe(3);
      expect(longer.resetAfterMs).toBeGreaterThan(HOUR_MS);
      // The clean-up goes by that.
      const [row] = await bench.database.query('select expires_at - window_start as lasts from rate_limits');
      expect(Number(row?.lasts)).toBe(2 * HOUR_MS);
    });

    it('a window that was moved is over when it was said', async () => {
      await limits.increment('ann', '1h', 3);
      await limits.endAfter('ann', '3h');
      const moved = await limits.increment('ann', '1h');
      expect(moved.hits).toBe(4);
      expect(moved.resetAfterMs).toBeGreaterThan(2 * HOUR_MS);
      await limits.endAfter('nobody', '1h');
      expect(await rows()).toHaveLength(1);
    });

    it('what was counted is taken back to no less than nothing', async () => {
      await limits.increment('ann', '1h', 3);
      await limits.decrement('ann');
      expect(await limits.get('ann', '1h')).toMatchObject({ hits: 2 });
      await limits.decrement('ann', 5);
      expect(await limits.get('ann', '1h')).toMatchObject({ hits: 0 });
      await limits.decrement('nobody');
      expect(await rows()).toHaveLength(1);
    });

    it('keys that differ in anything are counted apart', async () => {
      const alike = [
        'a',
        ...(tellsCapitals ? ['A'] : []),
        'a ',
        ' a',
        'a\0',
        '\u00e4',
        'a\u0308',
        '\u00e5',
        '\ud800',
        '\udbff',
        '🙂',
      ];
      const keys = [...alike, 'x'.repeat(5_000)];
      for (const [index, key] of keys.entries()) await limits.increment(key, '1h', index + 1);
      const states = await Promise.all(keys.map((key) => limits.get(key, '1h')));
      expect(states.map((state) => state?.hits)).toEqual(keys.map((_, index) => index + 1));
    });

    it('those of one prefix are forgotten without those of another', async () => {
      const prefixes = ['a_', tellsCapitals ? 'A_' : 'b_', 'ab', 'a%'];
      for (const prefix of prefixes) await limits.withPrefix(prefix).increment('k', '1h');
      await limits.withPrefix('a_').resetAll();
      await limits.withPrefix('ab').reset('k');
      const left = await Promise.all(prefixes.map((prefix) => limits.withPrefix(prefix).get('k', '1h')));
      expect(left.map((state) => state?.hits)).toEqual([undefined, 1, undefined, 1]);
    });

    it('the clean-up deletes the rows of windows that are over, of every prefix, and no others', async () => {
      await limits.withPrefix('p:').increment('over', '1h');
      await limits.withPrefix('p:').endAfter('over', 1);
      await limits.increment('live', '1h');
      while ((await limits.withPrefix('p:').get('over', '1h')) !== undefined);
      expect(await limits.cleanUp()).toBe(1);
      expect(await limits.cleanUp()).toBe(0);
      expect(await rows()).toEqual([{ rate_key: 'live' }]);
    });

    it('what a transaction has counted is undone with it', async () => {
      await limits.consume('ann', 10, '1h');
      const undone = bench.database.transaction(async (tx) => {
        expect(await limits.on(tx).consume('ann', 10, '1h', 4)).toMatchObject({ allowed: true, remaining: 5 });
        expect(await limits.on(tx).consume('ann', 10, '1h', 6)).toMatchObject({ allowed: false, remaining: 5 });
        throw new Error('no');
      });
      await expect(undone).rejects.toThrow('no');
      expect(await limits.get('ann', '1h')).toMatchObject({ hits: 1 });
    });

    if (engine.name === 'mariadb') {
      it('what is said of a hit that is refused is of now, also in a transaction that sees what was before', async () => {
        await bench.database.transaction({ isolation: 'repeatable read' }, async (tx) => {
          expect(await limits.on(tx).get('ann', '1h')).toBeUndefined();
          await limits.consume('ann', 1, '1h');
          const refused = await limits.on(tx).consume('ann', 1, '1h');
          expect(refused).toMatchObject({ allowed: false, remaining: 0 });
          expect(refused.resetAfterMs).toBeGreaterThan(HOUR_MS - 60_000);
        });
      });
    }

    it('a call that is called off counts nothing', async () => {
      const signal = AbortSignal.abort();
      await expect(limits.consume('ann', 1, '1h', 1, { signal })).rejects.toMatchObject({ code: 'DBM_ABORTED' });
      await expect(limits.increment('ann', '1h', 1, { signal })).rejects.toMatchObject({ code: 'DBM_ABORTED' });
      expect(await rows()).toEqual([]);
    });

    it('a table that is missing is an error which says how to create it', async () => {
      const missing = bench.stores({ prefix: 'none_' }).rateLimits;
      await expect(missing.consume('ann', 1, '1h')).rejects.toMatchObject({
        code: 'DBM_STORE_TABLE',
        table: 'none_rate_limits',
        message: expect.stringContaining('createTables()'),
      });
    });
  });
}

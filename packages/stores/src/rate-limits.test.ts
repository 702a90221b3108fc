import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { rejection, SQLITE } from '../../../test/support/sql-engines.js';
import { StoreBench } from '../../../test/support/store-engines.js';
import type { RateLimits } from './rate-limits.js';

describe('rate limits', () => {
  let bench: StoreBench;
  let limits: RateLimits;

  beforeAll(async () => {
    bench = await StoreBench.open(SQLITE);
    const stores = bench.stores();
    await stores.createTables();
    limits = stores.rateLimits;
  });
  afterAll(() => bench?.close());

  it.each<[string, string, () => Promise<unknown>]>([
    ['an empty key', 'key', () => limits.check('', 1, '1m')],
    ['a key that is no text', 'key', () => limits.check(7 as unknown as string, 1, '1m')],
    ['a negative limit', 'limit', () => limits.consume('k', -1, '1m')],
    ['a limit that is no number', 'limit', () => limits.consume('k', Number.NaN, '1m')],
    ['a limit that is no whole number', 'limit', () => limits.check('k', 1.5, '1m')],
    ['a cost of nothing', 'cost', () => limits.consume('k', 1, '1m', 0)],
    ['a cost without an end', 'cost', () => limits.increment('k', '1m', Number.POSITIVE_INFINITY)],
    ['a window that is no duration', 'window', () => limits.increment('k', 'soon')],
    ['a window of nothing', 'window', () => limits.increment('k', 0)],
    ['a window without an end', 'window', () => limits.consume('k', 1, Number.POSITIVE_INFINITY)],
    ['an end that is no duration', 'after', () => limits.endAfter('k', 'later')],
  ])('refuse %s, and count nothing', async (_what, option, call) => {
    expect(await rejection(call())).toMatchObject({ code: 'DBM_INVALID_OPTION', option, connectionName: 'test' });
    expect(await bench.database.query('select rate_key from rate_limits')).toEqual([]);
  });

  it.each(['with space', 'ä', 'x'.repeat(65)])('refuse the prefix %p', (prefix) => {
    expect(() => limits.withPrefix(prefix)).toThrow(expect.objectContaining({ option: 'keyPrefix' }));
  });

  it('keep a plain key as it is, behind its prefix, and a digest of another', async () => {
    await limits.withPrefix('rl:').increment('203.0.113.7', '1m');
    await limits.withPrefix('rl:').increment('sha256:made-up', '1m');
    const rows = await bench.database.query<{ rate_key: string }>('select rate_key from rate_limits order by rate_key');
    expect(rows.map((row) => row.rate_key)).toEqual([
      'rl:203.0.113.7',
      expect.stringMatching(/^rl:sha256:[0-9a-f]{64}$/),
    ]);
    await limits.resetAll();
  });

  it('count a hundred years, and more hits than 32 bits hold', async () => {
    const state = await limits.increment('k', 100 * 365 * 86_400_000, 2 ** 40);
    expect(state.hits).toBe(2 ** 40);
    expect(state.resetAt.getUTCFullYear()).toBeGreaterThan(2100);
    await limits.resetAll();
  });
});

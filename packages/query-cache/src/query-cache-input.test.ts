import { FakeClock } from '@dbmanager/testkit';
import { describe, expect, it } from '@jest/globals';
import { MemoryStore } from './memory-store.js';
import { QueryCache } from './query-cache.js';

describe('What a query cache is to drop', () => {
  it.each([
    ['tables', undefined],
    ['tables', {}],
    ['tabels', { tabels: ['t'], tags: ['a'] }],
    ['options', null],
    ['options', ['t']],
    ['tables', { tables: 't' }],
    ['tables', { tags: ['a'], tables: ['t', undefined] }],
    ['tags', { tags: 'a' }],
    ['tags', { tags: [1] }],
  ])('is refused for %s, and drops nothing: %p', async (option, forget) => {
    const clock = new FakeClock();
    const store = new MemoryStore({ clock, size: 10, maxBytes: 10_000 });
    const cache = new QueryCache({ connectionName: 'main', clock, store, ttlMs: 1_000 });
    let executions = 0;
    const read = () =>
      cache.read({
        statement: { sql: 'select * from t' },
        lexis: undefined,
        wanted: { tags: ['a'] },
        options: {},
        held: false,
        execute: async () => ({ rows: [{ n: ++executions }], rowsAffected: 1, lastInsertId: undefined }),
      });
    await read();
    await expect(cache.invalidate(forget as never)).rejects.toMatchObject({
      code: 'DBM_INVALID_OPTION',
      connectionName: 'main',
      option,
    });
    await read();
    expect(executions).toBe(1);
  });
});

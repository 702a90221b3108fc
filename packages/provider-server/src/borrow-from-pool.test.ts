import { describe, expect, it } from '@jest/globals';
import { borrowFromPool } from './borrow-from-pool.js';

describe('borrowing from a pool that somebody else owns', () => {
  const setUp = (abort = new AbortController()) => {
    const lent = Promise.withResolvers<string>();
    const returned: string[] = [];
    const borrowed = borrowFromPool({
      connectionName: 'primary',
      signal: abort.signal,
      borrow: () => lent.promise,
      giveBack: (connection) => returned.push(connection),
      explain: (error) => new Error('explained', { cause: error }),
    });
    return { abort, lent, returned, borrowed };
  };

  it('gives what the pool lends', async () => {
    const { lent, returned, borrowed } = setUp();
    lent.resolve('connection');
    expect(await borrowed).toBe('connection');
    expect(returned).toEqual([]);
  });

  it('rejects at once when it is aborted, and gives back what comes then', async () => {
    const { abort, lent, returned, borrowed } = setUp();
    abort.abort();
    await expect(borrowed).rejects.toMatchObject({ code: 'DBM_ABORTED', connectionName: 'primary' });
    lent.resolve('late');
    await lent.promise;
    expect(returned).toEqual(['late']);
  });

  it('asks for nothing when it is aborted before', async () => {
    const abort = new AbortController();
    abort.abort();
    const { borrowed } = setUp(abort);
    await expect(borrowed).rejects.toMatchObject({ code: 'DBM_ABORTED' });
  });

  it('explains the refusal of the pool', async () => {
    const { lent, borrowed } = setUp();
    const refusal = new Error('full');
    lent.reject(refusal);
    await expect(borrowed).rejects.toMatchObject({ message: 'explained', cause: refusal });
  });
});

import { describe, expect, it } from '@jest/globals';
import { decodeDsnPart, dsnParameters, splitOnce, splitPlace } from './dsn-text.js';

describe('the text of a connection string', () => {
  it.each([
    ['db', 'db', ''],
    ['db:5432', 'db', '5432'],
    ['[::1]:5432', '::1', '5432'],
    ['[::1]', '::1', ''],
    ['::1', '::1', ''],
    [':5432', '', '5432'],
    ['', '', ''],
  ])('has in %p the host %p and the port %p', (place, host, port) => {
    expect(splitPlace(place)).toEqual({ host, port });
  });

  it('is split at the first separator', () => {
    expect(splitOnce('a:b:c', ':')).toEqual(['a', 'b:c']);
    expect(splitOnce('a', ':')).toEqual(['a', undefined]);
  });

  it('has parameters, decoded and counted', () => {
    expect([...dsnParameters('a=1&&b%20c=%26&d')]).toEqual([
      { name: 'a', value: '1', place: 'parameter 1' },
      { name: 'b c', value: '&', place: 'parameter 3' },
      { name: 'd', value: '', place: 'parameter 4' },
    ]);
  });

  it('is not shown where it cannot be decoded', () => {
    let error: unknown;
    try {
      decodeDsnPart('hunter2%zz', 'the password');
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({
      code: 'DBM_INVALID_OPTION',
      option: 'dsn',
      message: expect.stringContaining('the password is not percent-encoded'),
    });
    expect((error as Error).stack).not.toContain('hunter2');
    expect((error as Error).cause).toBeUndefined();
  });
});

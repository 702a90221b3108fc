import { describe, expect, it } from '@jest/globals';
import { nearest, suggestion } from './nearest.js';

const KEYS = ['max_open_conns', 'max_idle_conns', 'port', 'password', 'host'];

describe('nearest', () => {
  it.each([
    ['max_open_cons', 'max_open_conns'],
    ['maxOpenConns', 'max_open_conns'],
    ['MAX_IDLE_CONNS', 'max_idle_conns'],
    ['prot', 'port'],
    ['pasword', 'password'],
    ['hots', 'host'],
  ])('takes %s for %s', (word, key) => {
    expect(nearest(word, KEYS)).toBe(key);
  });

  it.each(['', 'x', 'pt', 'database', 'x'.repeat(1000)])('takes %s for nothing', (word) => {
    expect(nearest(word, KEYS)).toBeUndefined();
  });

  it('is put as a question', () => {
    expect(suggestion('prot', KEYS)).toBe('; did you mean "port"?');
    expect(suggestion('database', KEYS)).toBe('');
  });
});

import { Secret } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import { cacheUrlProblem } from './cache-url.js';

describe('A cache_url', () => {
  it.each([
    'redis://cache.internal:6379/0',
    'redis://cache.internal',
    'rediss://user:p%40ss@[::1]:6380/?family=6',
    '/run/redis/redis.sock',
  ])('may be %s', (url) => {
    expect(cacheUrlProblem(new Secret(url))).toBeUndefined();
  });

  it.each([
    '',
    'nonsense',
    'http://cache.internal',
    'cache.internal:6379',
    'redis://',
    'redis:cache.internal',
    'redis://:pass#word@cache.internal',
    'redis://cache.internal/sessions',
  ])('may not be %j, and what is in it is not shown', (url) => {
    const problem = cacheUrlProblem(new Secret(url));
    expect(problem).toContain('must be a URL');
    expect(problem).not.toMatch(/internal|pass#|nonsense/);
  });
});

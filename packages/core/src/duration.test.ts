import { describe, expect, it } from '@jest/globals';
import { toMilliseconds } from './duration.js';

describe('a duration given in code', () => {
  it.each([
    [0, 0],
    [1.5, 1.5],
    [60_000, 60_000],
    ['0', 0],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
  ])('%p is %p milliseconds', (duration, ms) => {
    expect(toMilliseconds(duration)).toBe(ms);
  });

  it.each([
    [-1],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    ['5'],
    ['soon'],
    ['-5s'],
    [''],
    [true],
    [null],
    [[5]],
    [5n],
  ])('%p is none', (duration) => {
    expect(toMilliseconds(duration)).toBeUndefined();
  });
});

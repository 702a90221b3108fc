import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeZeros, encodeZeros } from './zero-encoding.js';

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const key = fc.array(fc.constantFrom(0, 1, 2, 0xfe, 0xff), { maxLength: 5 }).map((bytes) => Buffer.from(bytes));

/** As SQL Server compares: the shorter one as if it ended in zeros. */
function padded(value: Uint8Array): Buffer {
  return Buffer.concat([value, Buffer.alloc(16 - value.length)]);
}

describe('keys without zeros at their ends', () => {
  it(`have the order of the keys they stand for, also where zeros at the end count for nothing (seed ${seed})`, () => {
    const ordered = fc.property(key, key, (a, b) => {
      const [one, other] = [encodeZeros(a), encodeZeros(b)];
      return Buffer.compare(padded(one), padded(other)) === Buffer.compare(a, b);
    });
    fc.assert(ordered, { seed, numRuns: 2_000 });
  });

  it(`are those keys again (seed ${seed})`, () => {
    const restored = fc.property(key, (a) => Buffer.compare(decodeZeros(encodeZeros(a)), a) === 0);
    fc.assert(restored, { seed, numRuns: 1_000 });
  });

  it('are one byte longer for each zero, and two for the end', () => {
    expect([...encodeZeros(Buffer.of(1, 0, 2))]).toEqual([1, 0, 0xff, 2, 0, 1]);
  });
});

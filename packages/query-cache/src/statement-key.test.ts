import { expect, it } from '@jest/globals';
import { statementKey } from './statement-key.js';

const keyOf = (...params: readonly unknown[]) => statementKey({ sql: 'select ?', params });

it('values of different types are different keys', () => {
  const values = [
    1,
    '1',
    1n,
    true,
    'true',
    false,
    null,
    undefined,
    'null',
    0,
    -0,
    Number.NaN,
    1.5,
    '',
    [],
    [1],
    ['1'],
    {},
    { a: 1 },
    { a: '1' },
    new Date(1),
    new Date(2),
    Buffer.from('1'),
    Buffer.from(''),
    [[1], 2],
    [[1, 2]],
  ];
  const keys = values.map((value) => keyOf(value));
  expect(keys).not.toContain(undefined);
  expect(new Set(keys).size).toBe(values.length);
});

it('the same values are the same key, however they came', () => {
  expect(keyOf(1, 'a', new Date(5), Buffer.from('xyz'), { a: [1n] })).toBe(
    keyOf(1, 'a', new Date(5), Buffer.from('-xyz-').subarray(1, 4), { a: [1n] }),
  );
  expect(statementKey({ sql: 'select 1' })).toBe(statementKey({ sql: 'select 1', params: [] }));
});

it('no text can pretend to be several values, or part of the statement', () => {
  const keys = [
    keyOf('a', 'b'),
    keyOf('as1:b'),
    keyOf('a,b'),
    keyOf(['a', 'b']),
    keyOf(['a'], 'b'),
    statementKey({ sql: 'select ?s1:a', params: ['b'] }),
  ];
  expect(new Set(keys).size).toBe(keys.length);
});

it('what cannot be told from others of its class has no key', () => {
  class Point {
    readonly #x = 1;
    get x() {
      return this.#x;
    }
  }
  const endless: unknown[] = [];
  endless.push(endless);
  for (const value of [new Point(), new Map([[1, 2]]), endless, [new Point()], Symbol('x'), () => 1]) {
    expect(keyOf(value)).toBeUndefined();
  }
});

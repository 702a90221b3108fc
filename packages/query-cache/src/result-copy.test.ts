import { runInNewContext } from 'node:vm';
import { expect, it } from '@jest/globals';
import { copyResult } from './result-copy.js';

const resultOf = (...rows: Record<string, unknown>[]) => ({ rows, rowsAffected: rows.length, lastInsertId: undefined });

it('a copy is equal, of the same types, and shares nothing that can be changed', () => {
  const row = {
    date: new Date(5),
    buffer: Buffer.from('xyz'),
    bytes: new Uint8Array([1, 2]),
    big: 2n ** 60n,
    json: { list: [1, { deep: 'x' }] },
    nothing: null,
    absent: undefined,
    ['__proto__']: 'a column',
  };
  const copy = copyResult(resultOf(row, Object.assign(Object.create(null), { a: 1 })))?.result ?? resultOf();
  expect(copy).toEqual(resultOf(row, Object.assign(Object.create(null), { a: 1 })));
  const [first, second] = copy.rows as readonly object[] as [typeof row, object];
  expect(Buffer.isBuffer(first.buffer)).toBe(true);
  expect(Object.hasOwn(first, '__proto__')).toBe(true);
  expect(Object.getPrototypeOf(second)).toBeNull();
  first.date.setTime(0);
  first.buffer[0] = 0;
  first.bytes[0] = 0;
  first.json.list.push(3);
  expect(row).toMatchObject({ date: new Date(5), buffer: Buffer.from('xyz'), json: { list: [1, { deep: 'x' }] } });
  expect(row.bytes[0]).toBe(1);
});

it('what a type parser has made a class of is not copied', () => {
  class Interval {
    constructor(readonly days: number) {}
  }
  expect(copyResult(resultOf({ every: new Interval(1) }))).toBeUndefined();
  expect(copyResult(resultOf({ every: [() => 1] }))).toBeUndefined();
  const endless: Record<string, unknown> = {};
  endless.self = endless;
  expect(copyResult(resultOf(endless))).toBeUndefined();
});

it('plain values of another realm are copied as ours', () => {
  const row = runInNewContext('({ at: new Date(5), list: [{ a: 1 }] })') as Record<string, unknown>;
  expect(copyResult(resultOf(row))?.result).toStrictEqual(resultOf({ at: new Date(5), list: [{ a: 1 }] }));
});

it('a date of a class of its own is not copied', () => {
  class Day extends Date {}
  expect(copyResult(resultOf({ day: new Day(5) }))).toBeUndefined();
});

it('larger values take more', () => {
  const bytesOf = (value: unknown) => copyResult(resultOf({ value }))?.bytes ?? 0;
  expect(bytesOf('x'.repeat(1_000)) - bytesOf('')).toBe(2_000);
  expect(bytesOf(Buffer.alloc(1_000)) - bytesOf(Buffer.alloc(0))).toBe(1_000);
  expect(bytesOf([1, 2, 3])).toBeGreaterThan(bytesOf([1]));
});

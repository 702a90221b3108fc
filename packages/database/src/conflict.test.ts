import { CommitUnknownError, DbManagerError, type SqlEngine } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import { conflictOf } from './conflict.js';

const sql = {
  conflict: (error: unknown) => ((error as { code?: string }).code === '40P01' ? 'deadlock' : undefined),
} as SqlEngine<unknown>;
const driverError = Object.assign(new Error('deadlock detected'), { code: '40P01' });

describe('a conflict', () => {
  it.each([
    ['by itself', driverError],
    ['as cause', new Error('orm', { cause: driverError })],
    ["as TypeORM's driverError", Object.assign(new Error('orm'), { driverError })],
    ["as MikroORM's previous", Object.assign(new Error('orm'), { previous: driverError })],
    ['among several', new AggregateError([new Error('other'), driverError])],
    ['deep down', new Error('a', { cause: new Error('b', { cause: driverError }) })],
    ['as ours', new DbManagerError('DBM_DEADLOCK', 'deadlock')],
  ])('is told %s', (_, error) => {
    expect(conflictOf(error, sql)).toBe('deadlock');
  });

  it('is none when nobody knows whether the transaction was applied', () => {
    expect(conflictOf(new CommitUnknownError('main', driverError), sql)).toBeUndefined();
    expect(conflictOf(new Error('app', { cause: new CommitUnknownError('main', driverError) }), sql)).toBeUndefined();
  });

  it('is not seen in other errors, nor lost in errors that are their own cause', () => {
    const loop: Error & { cause?: unknown } = new Error('loop');
    loop.cause = loop;
    expect(conflictOf(loop, sql)).toBeUndefined();
    expect(conflictOf('40P01', sql)).toBeUndefined();
    expect(conflictOf(undefined, sql)).toBeUndefined();
  });
});

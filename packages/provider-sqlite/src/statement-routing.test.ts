import { describe, expect, it } from '@jest/globals';
import { endOfTransaction, immediateBegin, mayRead, summary } from './statement-routing.js';

describe('routing', () => {
  it.each([
    ['SELECT 1', true],
    ['\n\t-- SELECT\nselect 1', true],
    ['/* a /* b */ values (1)', true],
    ['EXPLAIN QUERY PLAN DELETE FROM t', true],
    ['WITH a AS (SELECT 1) SELECT * FROM a', true],
    ['WITH a AS (SELECT 1) DELETE FROM t', false],
    ['-- SELECT 1', false],
    ['/* SELECT', false],
    ['SELECTED', false],
    ['INSERT INTO t SELECT 1', false],
    ['PRAGMA table_info(t)', false],
    ['', false],
  ])('%j may read: %s', (sql, expected) => {
    expect(mayRead(sql)).toBe(expected);
  });

  it('reads hostile text in linear time', () => {
    const start = performance.now();
    mayRead('/* */ '.repeat(50_000));
    mayRead(`${'-'.repeat(100_000)}`);
    mayRead(`/*${'* '.repeat(100_000)}`);
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it.each([
    ['BEGIN', 'BEGIN IMMEDIATE'],
    [' begin deferred transaction; ', 'BEGIN IMMEDIATE'],
    ['BEGIN EXCLUSIVE', 'BEGIN EXCLUSIVE'],
    ['INSERT INTO t VALUES (1)', 'INSERT INTO t VALUES (1)'],
  ])('%j becomes %j', (sql, expected) => {
    expect(immediateBegin(sql)).toBe(expected);
  });

  it.each([
    ['COMMIT;', 'commit'],
    ['/* x */ END TRANSACTION', 'commit'],
    ['rollback', 'rollback'],
    ['ROLLBACK TO a', undefined],
    ['SELECT 1', undefined],
  ])('%j ends a transaction: %s', (sql, expected) => {
    expect(endOfTransaction(sql)).toBe(expected);
  });

  it('summarises a statement without its values', () => {
    expect(summary("-- why\nINSERT INTO users VALUES ('hunter2')")).toBe('INSERT INTO users');
    expect(summary('')).toBe('statement');
  });
});

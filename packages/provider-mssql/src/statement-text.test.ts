import { describe, expect, it } from '@jest/globals';
import { hasRollback, isRollback, leavesForGood, setsIsolation, summarise, writingWord } from './statement-text.js';

describe('what a text of T-SQL does', () => {
  it.each([
    ['ROLLBACK', true],
    ['rollback tran', true],
    ['/* done */ ROLLBACK TRANSACTION; -- so', true],
    ['ROLLBACK WORK', true],
    ['ROLLBACK TRAN one', false],
    ['ROLLBACK; SELECT 1', false],
    ["SELECT 'ROLLBACK'", false],
    ['SELECT [rollback] FROM t', false],
  ])('nothing but a rollback: %j is %j', (sql, expected) => {
    expect(isRollback(sql)).toBe(expected);
  });

  it.each([
    ['IF @@TRANCOUNT > 0 ROLLBACK', true],
    ["SELECT 'rollback'", false],
    ['SELECT @rollback', false],
    ['-- rollback\nSELECT 1', false],
  ])('a rollback among others: %j is %j', (sql, expected) => {
    expect(hasRollback(sql)).toBe(expected);
  });

  it.each([
    ['SELECT 1', undefined],
    ['SELECT \'insert\' AS [update], "delete" FROM t -- drop\n/* /* merge */ create */', undefined],
    ['SELECT @insert, #update.a FROM #update', undefined],
    ['EXEC report', undefined],
    ['select 1 insert t values (1)', 'INSERT'],
    ['WITH a AS (SELECT 1 AS b) DELETE a', 'DELETE'],
    ['SELECT a INTO b FROM c', 'INTO'],
    ['insert bulk', 'INSERT'],
    ['TRUNCATE TABLE t', 'TRUNCATE'],
  ])('writes: %j is %j', (sql, expected) => {
    expect(writingWord(sql)).toBe(expected);
  });

  it.each([
    ["exec sp_set_session_context N'a', 1", true],
    ['SET  CONTEXT_INFO 0x1', true],
    ["EXECUTE AS USER = 'x'", true],
    ["exec sp_setapprole 'a', 'b'", true],
    ['SELECT CONTEXT_INFO()', false],
    ['EXEC asdf', false],
  ])('lasts through a reset: %j is %j', (sql, expected) => {
    expect(leavesForGood(sql)).toBe(expected);
  });

  it('sets the isolation', () => {
    expect(setsIsolation('set transaction\n isolation level snapshot')).toBe(true);
    expect(setsIsolation('SET NOCOUNT ON')).toBe(false);
  });

  it('is summarised without its literals', () => {
    expect(summarise("SELECT N'it''s', 0xAB, 1.5, [a]\n FROM t WHERE x = 'open")).toBe(
      'SELECT ?, ?, ?, [a] FROM t WHERE x = ?',
    );
  });
});

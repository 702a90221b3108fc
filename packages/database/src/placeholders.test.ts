import { MSSQL_LEXIS } from '@dbmanager/provider-mssql';
import { POSTGRES_LEXIS } from '@dbmanager/provider-postgres';
import { describe, expect, it } from '@jest/globals';
import { numberPlaceholders } from './placeholders.js';

const text = (sql: string) => numberPlaceholders(sql, POSTGRES_LEXIS).sql;

describe('numberPlaceholders', () => {
  it('numbers question marks from left to right and counts them', () => {
    expect(numberPlaceholders('select * from t where a = ? and b in (?, ?)', POSTGRES_LEXIS)).toEqual({
      sql: 'select * from t where a = $1 and b in ($2, $3)',
      parameterCount: 3,
    });
  });

  it('passes on a statement without question marks', () => {
    expect(numberPlaceholders('select $1::int', POSTGRES_LEXIS)).toEqual({
      sql: 'select $1::int',
      parameterCount: undefined,
    });
  });

  it.each([
    ['a string', "select '?', ?", "select '?', $1"],
    ['a doubled quote in a string', "select 'it''s ?', ?", "select 'it''s ?', $1"],
    ['a backslash at the end of a plain string', "select '\\', ?", "select '\\', $1"],
    ['an escape string with an escaped quote', "select E'\\'?', ?", "select E'\\'?', $1"],
    ['an escape string with both kinds of quote', "select e'a''b\\'?', ?", "select e'a''b\\'?', $1"],
    ['an escape string that goes on in the next line', "select E'a'\n  '\\'?', ?", "select E'a'\n  '\\'?', $1"],
    ['a continuation after a comment', "select E'a' -- it's\n'\\'?', ?", "select E'a' -- it's\n'\\'?', $1"],
    ['a name that ends in e before a string', "select date'?\\', ?", "select date'?\\', $1"],
    ['a quoted identifier', 'select "a?""b?", ?', 'select "a?""b?", $1'],
    ['a line comment', "select 1 -- it's ?\n, ?", "select 1 -- it's ?\n, $1"],
    ['a nested comment', 'select /* ? /* ? */ ? */ ?', 'select /* ? /* ? */ ? */ $1'],
    ['a dollar quote', "select $$?'$$, ?", "select $$?'$$, $1"],
    ['a tagged dollar quote', 'select $q$ $$ ? $q$, ?', 'select $q$ $$ ? $q$, $1'],
    ['an unterminated comment', 'select ? /* ?', 'select $1 /* ?'],
    ['an unterminated string', "select ?, '?", "select $1, '?"],
    ['an unterminated dollar quote', 'select ?, $a$ ?', 'select $1, $a$ ?'],
  ])('leaves %s alone', (_, sql, expected) => {
    expect(text(sql)).toBe(expected);
  });

  it.each([
    ['tags ?? ?', 'tags ? $1'],
    ["tags ??| array['a'] and x = ?", "tags ?| array['a'] and x = $1"],
    ["tags ??& array['a']", "tags ?& array['a']"],
    ["path @?? '$.a'", "path @? '$.a'"],
    ['tags ???', 'tags ?$1'],
  ])('turns a doubled question mark into the operator: %s', (sql, expected) => {
    expect(text(sql)).toBe(expected);
  });

  it.each([
    ["select tags ? 'a' where id = $1", 'an operator beside a native parameter'],
    ["select tags ??| array['a'], $2", 'also a doubled one'],
  ])('passes on a native statement as it is: %s', (sql) => {
    expect(numberPlaceholders(sql, POSTGRES_LEXIS)).toEqual({ sql, parameterCount: undefined });
  });

  it('does not take a dollar inside a name or a literal for a native parameter', () => {
    expect(text("select a$1, '$1', ?")).toBe("select a$1, '$1', $1");
  });

  it('takes a dollar quote inside a name for the name it is', () => {
    expect(text('select a$b$, ?, c$b$')).toBe('select a$b$, $1, c$b$');
  });

  it('keeps a placeholder apart from the word beside it', () => {
    expect(text('limit? offset ?for update')).toBe('limit $1 offset $2 for update');
    expect(text('select ?1')).toBe('select $1 1');
  });

  it.each([
    ['select * from t where a = ? and b = ?', 'select * from t where a = @p1 and b = @p2', 2],
    ['select \'?\', [a?], "b?", /* ? /* ? */ ? */ ? -- ?', 'select \'?\', [a?], "b?", /* ? /* ? */ ? */ @p1 -- ?', 1],
    ['select top(?)?', 'select top(@p1)@p2', 2],
    ['select @p1, ?', 'select @p1, ?', undefined],
    ['select @price, @@rowcount, ?', 'select @price, @@rowcount, @p1', 1],
    ['select $1, ?', 'select $1, @p1', 1],
  ])("writes SQL Server's: %s", (sql, expected, parameterCount) => {
    expect(numberPlaceholders(sql, MSSQL_LEXIS, 'at-numbered')).toEqual({ sql: expected, parameterCount });
  });
});

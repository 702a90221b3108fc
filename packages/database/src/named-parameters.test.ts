import type { SqlEngine, SqlLexis } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import { rewriteNames } from './placeholders.js';
import { sql } from './sql-template.js';
import { StatementTexts } from './statement-text.js';

const POSTGRES: SqlLexis = { nestedComments: true, dollarQuotes: true, backslashes: 'e-strings' };
const MYSQL: SqlLexis = { hashComments: true, executableComments: true, backslashes: 'all-strings', nameQuotes: ['`'] };

describe('named parameters', () => {
  it.each([
    ['select :a, :b, :a', 'select $1, $2, $1', ['a', 'b']],
    ['select :a::text', 'select $1::text', ['a']],
    ['select a::int, b[1:2], b[lo:hi], b[1 : 2]', 'select a::int, b[1:2], b[lo:hi], b[1 : 2]', []],
    ["select ':a', \":a\", $$:a$$, E'\\':a' -- :a", "select ':a', \":a\", $$:a$$, E'\\':a' -- :a", []],
    ['select /* :a /* :b */ :c */ :d', 'select /* :a /* :b */ :c */ $1', ['d']],
    ["select tags ? 'x' and id=:id", "select tags ? 'x' and id=$1", ['id']],
    ['x := :y', 'x := $1', ['y']],
    ['(:a)and:b', '($1)and:b', ['a']],
    [':grün', '$1', ['grün']],
    [':a$', '$1 $', ['a']],
    ['select :', 'select :', []],
    ['select :1', 'select :1', []],
  ])('of %s are numbered', (text, rewritten, names) => {
    expect(rewriteNames(text, POSTGRES, 'numbered')).toEqual({ sql: rewritten, names, unnamed: undefined });
  });

  it('are repeated where parameters have no numbers', () => {
    const text = "select :a, ':b', `:c`, @d := :a # :e";
    expect(rewriteNames(text, MYSQL, 'question-mark')).toEqual({
      sql: "select ?, ':b', `:c`, @d := ? # :e",
      names: ['a', 'a'],
      unnamed: undefined,
    });
  });

  it('are written as the engine numbers them', () => {
    expect(rewriteNames('select :a, :a', {}, 'at-numbered').sql).toBe('select @p1, @p1');
  });

  it.each([
    ['question-mark', 'select :a, ?', '?'],
    ['numbered', 'select :a, $2', '$2'],
    ['at-numbered', 'select :a, @p2', '@p2'],
  ] as const)('do not go with those of the style %s', (style, text, unnamed) => {
    expect(rewriteNames(text, {}, style).unnamed).toBe(unnamed);
    const engine = { placeholders: style } as SqlEngine<unknown>;
    expect(() => new StatementTexts(engine).statement(text, { a: 1 }, 'main')).toThrow(unnamed);
  });
});

describe('templates', () => {
  const numbered = { placeholders: 'numbered', quoteIdentifier: (name: string) => `"${name}"` } as const;

  it('number the values of parts in the order of the text', () => {
    const part = sql`b = ${2}`;
    const whole = sql`select ${1} where ${part} and ${sql.identifier('s', 't')}.c in (${sql.join([3, 4])}) or ${part}`;
    expect(whole.render(numbered)).toEqual({
      sql: 'select $1 where b = $2 and "s"."t".c in ($3, $4) or b = $5',
      params: [1, 2, 3, 4, 2],
    });
  });

  it('keep words apart from parameters', () => {
    expect(sql`limit${1}offset${2}`.render(numbered).sql).toBe('limit $1 offset $2');
  });

  it('are never made of a text that is handed over', () => {
    const call = sql as unknown as (text: unknown) => unknown;
    for (const text of ["select '; drop table users'", ['select 1'], undefined]) {
      expect(() => call(text)).toThrow(expect.objectContaining({ code: 'DBM_INVALID_OPTION', option: 'sql' }));
    }
  });

  it('take no identifier that is no name', () => {
    for (const path of [[], [''], [5], ['s', undefined]] as unknown as [string][]) {
      expect(() => sql.identifier(...path)).toThrow(expect.objectContaining({ code: 'DBM_INVALID_OPTION' }));
    }
  });

  it('hold nothing of what was joined from nothing', () => {
    expect(sql`in (${sql.join([])})`.render(numbered)).toEqual({ sql: 'in ()', params: [] });
  });

  it('join parts by what they are told', () => {
    const both = sql.join([sql`a = ${1}`, sql`b = ${2}`], sql` and `);
    expect(both.render({ ...numbered, placeholders: 'question-mark' })).toEqual({
      sql: 'a = ? and b = ?',
      params: [1, 2],
    });
  });
});

describe('texts', () => {
  it('are rewritten the same when they are kept and when there are too many to keep', () => {
    const texts = new StatementTexts({ placeholders: 'numbered' } as SqlEngine<unknown>);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 1_000; i++) {
        expect(texts.statement(`select ${i} + ?`, [i], 'main')).toEqual({ sql: `select ${i} + $1`, params: [i] });
      }
    }
  });
});

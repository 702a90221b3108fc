import type { SqlLexis } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { maskLiterals } from './mask-literals.js';
import { skeletonsOf } from './statement-skeleton.js';

const LEXES: Readonly<Record<string, SqlLexis>> = {
  PostgreSQL: { nestedComments: true, dollarQuotes: true, backslashes: 'e-strings' },
  MySQL: { hashComments: true, executableComments: true, backslashes: 'all-strings', nameQuotes: ['`'] },
  'SQL Server': { nameQuotes: ['['], nameSigns: '@#' },
  SQLite: { nameQuotes: ['`', '['] },
};
const seed = Number(process.env.SEED ?? 7);

describe.each(Object.entries(LEXES))('Statements that differ in literals only, on %s', (_, lexis) => {
  const skeleton = skeletonsOf(lexis);

  it.each([
    ["select * from t where a = 'it''s' and b = 42", 'select * from t where a = ? and b = ?'],
    ['select 1.5e-3, 0x1F, -7 from t1', 'select ?, ?, -? from t1'],
    ["insert into t2 values ('', 1), ('x', 2)", 'insert into t2 values (?, ?), (?, ?)'],
    ['select a from t where b in (@p1, :2, $3)', 'select a from t where b in (@p1, :2, $3)'],
  ])('have one skeleton: of %s %s', (sql, expected) => {
    expect(skeleton(sql)).toBe(expected);
  });

  it('have one, whatever the values are', () => {
    const text = fc.string({ unit: 'grapheme' }).filter((value) => !/[\\$#]|--|\/\*|\W[eE]'/.test(value));
    fc.assert(
      fc.property(text, fc.nat(), (value, number) => {
        const sql = `select "a 1", '${value.replaceAll("'", "''")}' from t where n = ${number}`;
        const name = lexis.backslashes === 'all-strings' ? '?' : '"a 1"';
        expect(skeleton(sql)).toBe(`select ${name}, ? from t where n = ?`);
      }),
      { seed, verbose: 1 },
    );
  });

  it('two with one skeleton are the same but for literals', () => {
    const pieces = [
      "'",
      "''",
      '"',
      '`',
      '[',
      ']',
      'a',
      'E',
      'from t',
      ' ',
      '1',
      '2.5',
      '$1',
      '$$',
      '--',
      '#',
      '\\',
      '\n',
      'é',
      '(',
      '.',
    ];
    const statement = fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((parts) => parts.join(''));
    const masks = new Map<string, string>();
    /** Ends within no literal, name or comment, else the server refuses it, and has no string that goes on in the next line. */
    const isWhole = (sql: string) =>
      !/'\s*\n\s*'/.test(sql) &&
      maskLiterals(`${sql} 7`, lexis).endsWith('?') &&
      maskLiterals(`${sql} x`, lexis).endsWith(' x');
    fc.assert(
      fc.property(statement, (sql) => {
        const key = skeleton(sql);
        if (key === undefined || !isWhole(sql)) return;
        const mask = maskLiterals(sql, lexis);
        expect(masks.get(key) ?? mask).toBe(mask);
        masks.set(key, mask);
      }),
      { seed, numRuns: 20_000 },
    );
  });
});

describe('A statement that is not easily read has no skeleton', () => {
  it.each([
    ['PostgreSQL', "select E'a\\'b' from t"],
    ['PostgreSQL', "select $tag$ it's $tag$"],
    ['PostgreSQL', "select 1 -- it's"],
    ['MySQL', "select 'a\\'b' from t"],
    ['MySQL', "select 1 # it's"],
    ['SQLite', "select /* it's */ 1"],
  ])('on %s %s', (engine, sql) => {
    expect(skeletonsOf(LEXES[engine] ?? {})(sql)).toBeUndefined();
  });
});

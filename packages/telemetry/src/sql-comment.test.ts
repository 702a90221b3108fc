import type { SqlLexis } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { appendComment, holdsComment, sqlComment } from './sql-comment.js';

const MYSQL: SqlLexis = { hashComments: true, backslashes: 'all-strings', nameQuotes: ['`'] };
const SEED = Number(process.env.SEED ?? 7);

/** As a reader of sqlcommenter's comments takes them apart. */
function parsed(comment: string): Record<string, string> {
  const pairs = comment.slice('/*'.length, -'*/'.length).split(',');
  return Object.fromEntries(
    pairs.map((pair) => {
      const [key = '', value = ''] = pair.split('=');
      return [decodeURIComponent(key), decodeURIComponent(value.slice(1, -1))];
    }),
  );
}

describe('A comment of sqlcommenter', () => {
  it('has its tags by key, percent-encoded, and none without a value', () => {
    const tags = { traceparent: '00-5bd6-c532-01', db_driver: undefined, route: '/param first', action: "FOO 'BAR" };
    expect(sqlComment(tags)).toBe("/*action='FOO%20%27BAR',route='%2Fparam%20first',traceparent='00-5bd6-c532-01'*/");
    expect(sqlComment({ db_driver: '', application: undefined })).toBe('');
  });

  it('is ended by no value, holds no placeholder, and says what it was told', () => {
    const hostile = fc.constantFrom(
      '*/',
      '/*',
      "'",
      "\\'",
      '--',
      ';',
      '\n',
      '?',
      '$1',
      ':a',
      '@p1',
      '%27',
      '\ud800',
      '#',
    );
    const text = fc.array(fc.oneof(hostile, fc.string({ unit: 'grapheme', minLength: 1 })), { minLength: 1 });
    const tags = fc.dictionary(
      text.map((parts) => parts.join('')),
      text.map((parts) => parts.join('')),
      { minKeys: 1, maxKeys: 5 },
    );
    fc.assert(
      fc.property(tags, (given) => {
        const comment = sqlComment(given);
        expect(comment).toMatch(/^\/\*[\w.~%-]+='[\w.~%-]+'(?:,[\w.~%-]+='[\w.~%-]+')*\*\/$/);
        const wellFormed = Object.entries(given).map(([key, value]) => [key.toWellFormed(), value.toWellFormed()]);
        const told = new Set(wellFormed.map(([key, value]) => `${key}=${value}`));
        for (const [key, value] of Object.entries(parsed(comment))) expect(told).toContain(`${key}=${value}`);
      }),
      { seed: SEED, verbose: 1 },
    );
  });

  it.each([
    ['select 1', "select 1 /*a='b'*/"],
    ['select 1;', "select 1 /*a='b'*/;"],
    ['select 1 ;\n', "select 1 /*a='b'*/ ;\n"],
    [' ; ', ' ; '],
    ['', ''],
  ])('of %p stands at its end: %p', (sql, commented) => {
    expect(appendComment(sql, "/*a='b'*/")).toBe(commented);
  });
});

describe('A comment that a statement has already', () => {
  it.each([
    ['select 1 -- one', {}, true],
    ['select /* one */ 1', {}, true],
    ['select /*+ MAX_EXECUTION_TIME(1) */ 1', MYSQL, true],
    ['select 1 # one', MYSQL, true],
    ["select '-- none', '/* none */'", {}, false],
    ['select "--", a # b', {}, false],
    ['select `--`', MYSQL, false],
    [`select '--${'x'.repeat(20_000)}'`, {}, true],
  ])('in %p by %p: %p', (sql, lexis, held) => {
    expect(holdsComment(sql, lexis)).toBe(held);
  });
});

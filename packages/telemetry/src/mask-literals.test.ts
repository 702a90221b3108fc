import type { SqlLexis } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LONGEST_TEXT, maskLiterals } from './mask-literals.js';

const POSTGRES: SqlLexis = { nestedComments: true, dollarQuotes: true, backslashes: 'e-strings' };
const MYSQL: SqlLexis = { hashComments: true, executableComments: true, backslashes: 'all-strings', nameQuotes: ['`'] };

describe('A statement without its literals', () => {
  it.each([
    ["select * from t where a = 'it''s' and b = 42", 'select * from t where a = ? and b = ?'],
    ['select 1.5e-3, 0x1F, -7 from t1', 'select ?, ?, -? from t1'],
    ["select E'a\\'b', $tag$ it's $tag$, $1::int", 'select E?, ?, $1::int'],
    ['select "id 7"\n  from  t -- the secret is 5\nwhere a = ?', 'select "id 7" from t where a = ?'],
    ["select a[1], b->>'key'", 'select a[?], b->>?'],
    ["select 'never closed", 'select ?'],
  ])('of %s is %s', (sql, masked) => {
    expect(maskLiterals(sql, POSTGRES)).toBe(masked);
  });

  it('on MySQL has no text in double quotes either', () => {
    expect(maskLiterals('select `a 1`, "s3c\\"ret" # s3cret\nfrom t', MYSQL)).toBe('select `a 1`, ? from t');
  });

  it('holds no more than the beginning of a long one', () => {
    const sql = `insert into t values ${Array.from({ length: 100_000 }, (_, n) => `('s3cret ${n}')`).join(', ')}`;
    const masked = maskLiterals(sql, POSTGRES);
    expect(masked).toHaveLength(LONGEST_TEXT + 1);
    expect(masked).not.toContain('s3cret');
  });

  it('never shows a value, however it is written', () => {
    const value = fc.string({ unit: 'grapheme', minLength: 1 }).map((text) => `s3cret${text}`);
    fc.assert(
      fc.property(value, fc.nat(), (text, number) => {
        const quoted = `'${text.replaceAll("'", "''")}'`;
        const masked = maskLiterals(`select ${quoted} from t where a = ${number} and b in (${quoted})`, POSTGRES);
        expect(masked).toBe('select ? from t where a = ? and b in (?)');
      }),
      { seed: Number(process.env.SEED ?? 7), verbose: 1 },
    );
  });
});

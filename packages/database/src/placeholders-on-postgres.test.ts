import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { bridgeTarget, POSTGRES, rejection, type SqlDatabase } from '../../../test/support/sql-engines.js';
import { createDatabase, type Database } from './database.js';

POSTGRES.describe('seeds 0: ? placeholders: Rewritten placeholders', () => {
  let files: SqlDatabase;
  let connection: TestConnection<unknown>;
  let db: Database;

  beforeAll(async () => {
    files = await POSTGRES.create();
    connection = await files.open({ maxOpenConns: 1 });
    db = createDatabase(bridgeTarget(connection));
  }, 60_000);

  afterAll(async () => {
    await connection?.close();
    await files?.drop();
  });

  it('leave operators with question marks to the server', async () => {
    const row = await db.queryOne(
      `select '{"a": 1}'::jsonb ?? ? as has, '{"a": 1}'::jsonb ??| array['b', ?] as some, '{"a": 1}'::jsonb @?? '$.a' as path`,
      ['a', 'a'],
    );
    expect(row).toEqual({ has: true, some: true, path: true });
  });

  it('leave a statement with native parameters to the server', async () => {
    await expect(db.queryOne(`select '{"a": 1}'::jsonb ? $1 as has`, ['a'])).resolves.toEqual({ has: true });
  });

  it('are told apart from everything that is quoted, as the server itself does', async () => {
    /** Pieces of a select list: what they are written as, and the value the server must see. */
    const quoted = fc.constantFrom(
      ["'?'", '?'],
      ["'it''s ?'", "it's ?"],
      ["'\\'", '\\'],
      ["E'\\'?'", "'?"],
      ["E'a''\\'?\\\\'", "a''?\\"],
      ["E'a'\n '\\'?'", "a'?"],
      ["'a' -- ?'\n 'b?'", 'ab?'],
      ["$$?'$$", "?'"],
      ['$q$ $$ ? $q$', ' $$ ? '],
      ["U&'\\003F ?'", '? ?'],
      ["/* ' ? /* $$ */ ? */ 'c'", 'c'],
      ["'d' -- it's ?\n", 'd'],
      ['"?"', 'column'],
      ['"a""?"', 'column'],
      ['a$1', 'column'],
    );
    const placeholder = fc.constant(['?', 'given']);
    const statement = fc.array(fc.oneof(quoted, placeholder), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(statement, async (pieces) => {
        const list = pieces.map(([sql], index) => `${sql}${sql?.startsWith('?') ? '::text' : ''} as c${index}`);
        const params = pieces.filter(([sql]) => sql === '?').map((_, index) => `given ${index}`);
        const row = await db.queryOne<Record<string, string>>(
          `select ${list.join(', ')} from (values ('column', 'column', 'column')) as t("?", "a""?", a$1)`,
          params,
        );
        let next = 0;
        const expected = pieces.map(([sql, value]) => (sql === '?' ? params[next++] : value));
        expect(Object.values(row ?? {})).toEqual(expected);
      }),
      { numRuns: 200, verbose: true },
    );
  });

  it('keep a wrong statement wrong', async () => {
    await expect(rejection(db.query('select ?1', ['a']))).resolves.toMatchObject({ code: 'DBM_SYNTAX' });
  });
});

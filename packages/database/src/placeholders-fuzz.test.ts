import { isDbManagerError, type SqlEngine } from '@dbmanager/core';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MARIADB, POSTGRES, SQLITE, type SqlDatabase } from '../../../test/support/sql-engines.js';
import { numberPlaceholders, rewriteNames } from './placeholders.js';

/** Texts of an engine, and how many values they take. */
interface Rewritten {
  readonly sql: string;
  readonly count: number;
}

const RUNS = 3_000;
/** What opens, closes and escapes what on some engine, and what stands between. */
const FRAGMENTS = [
  ...["'", "'", "''", '"', '"', '`', '[', ']', '\\', "\\'", '\\\\', "E'", "e'", "U&'", '$$', '$q$', '$q', '$'],
  ...['--', '-- ', '#', '\n', '\r', '/*', '*/', '/*!', '/*M!', '/**/', '/* ? */', '-', '*', '/'],
  ...['1', ' ', ' ', ',', ', ', ', 1', 'x', ':', '::text', ':=', '(', ')', '|', '+'],
];

const STYLES: readonly (readonly [
  style: string,
  parameter: string,
  rewrite: (sql: string, of: Engine) => Rewritten,
])[] = [
  ['by name', ':a', byName],
  ['by position', '?', byPosition],
];

type Engine = Pick<SqlEngine<unknown>, 'placeholders' | 'lexis'>;

function byName(text: string, { lexis = {}, placeholders }: Engine): Rewritten {
  const { sql, names, unnamed } = rewriteNames(text, lexis, placeholders);
  // A parameter of the engine's own beside named ones is refused before anything is sent.
  return { sql, count: unnamed === undefined ? names.length : 0 };
}

function byPosition(text: string, { lexis = {}, placeholders }: Engine): Rewritten {
  if (placeholders === 'question-mark') return { sql: text, count: 0 };
  const { sql, parameterCount = 0 } = numberPlaceholders(text, lexis, placeholders);
  return { sql, count: parameterCount };
}

for (const engine of [POSTGRES, MARIADB, SQLITE]) {
  // Where parameters are question marks, those by position are not rewritten.
  const styles = engine === POSTGRES ? STYLES : STYLES.slice(0, 1);
  const title = 'seeds 0: `?` placeholders rewritten per engine outside literals and comments';

  engine.describe(title, () => {
    let files: SqlDatabase;
    let connection: TestConnection<unknown>;

    beforeAll(async () => {
      files = await engine.create();
      connection = await files.open({ maxOpenConns: 1 });
    }, 60_000);

    afterAll(async () => {
      await connection?.close();
      await files?.drop();
    });

    /** Whether the engine takes the statement. Rejects when it reads other parameters than were rewritten. */
    async function accepts({ sql, count }: Rewritten): Promise<boolean> {
      const session = connection.engine.sql?.session(connection.lanes);
      if (session === undefined) throw new Error('no SQL');
      const params = Array.from({ length: count }, (_, at) => `value ${at}`);
      try {
        await session.query({ sql, params });
        return true;
      } catch (error) {
        if (isDbManagerError(error, 'DBM_INVALID_OPTION')) throw error;
        return false;
      } finally {
        session.release();
      }
    }

    describe.each(styles)('%s', (_style, parameter, rewrite) => {
      it('are the parameters that the engine itself reads in the text, whatever that is', async () => {
        const fragment = fc.oneof(fc.constantFrom(...FRAGMENTS), fc.constant(`, ${parameter}`), fc.constant(parameter));
        const soup = fc.array(fragment, { minLength: 1, maxLength: 12 }).map((parts) => `select 1${parts.join('')}`);
        const own = connection.engine.sql as Engine;
        let accepted = 0;
        const property = fc.asyncProperty(soup, async (text) => {
          const rewritten = rewrite(text, own);
          if ((await accepts(rewritten)) && rewritten.count > 0) accepted += 1;
        });
        await fc.assert(property, { numRuns: RUNS, verbose: true });
        expect(accepted).toBeGreaterThan(RUNS / 100);
      }, 120_000);
    });
  });
}

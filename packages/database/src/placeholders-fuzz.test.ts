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
/** What opens, closes and escapes on some engine, out of its place, and what stands between. */
const FRAGMENTS = [
  ...[
    "'",
    "''",
    '"',
    '`',
    '[',
    ']',
    '\\',
    "\\'",
    '\\\\',
    '$$',
    '$q$',
    '$q',
    '$',
    '--',
    '#',
    '\n',
    '\r',
    '/*',
    '*/',
    '-',
    '*',
    '/',
  ],
  ...['1', ' ', ', 1', 'x', ':', '::text', ':=', '(', ')', '+'],
];
/** What some engine reads as one thing, with whatever stands in it. */
const PAIRS = [
  ["'", "'"],
  ["E'", "'"],
  ["U&'", "'"],
  ['"', '"'],
  ['`', '`'],
  ['[', ']'],
  ['$$', '$$'],
  ['$q$', '$q$'],
  ['/*', '*/'],
  ['/*!', '*/'],
  ['-- ', '\n'],
  ['--', '\n'],
  ['#', '\n'],
  ["'a'\n'", "'"],
] as const;

const STYLES: readonly (readonly [
  style: string,
  parameter: string,
  rewrite: (sql: string, of: Engine) => Rewritten,
])[] = [
  ['by name', ':a', byName],
  ['by position', '?', byPosition],
];

/** A parameter, or something else of a select list, or what may hold either, or hide it. */
function pieceOf(parameter: string): fc.Arbitrary<string> {
  const listed = (text: fc.Arbitrary<string>) =>
    fc.tuple(fc.constantFrom(', ', ' ', ''), text).map((parts) => parts.join(''));
  const { piece } = fc.letrec<{ piece: string; pair: string }>((tie) => ({
    piece: fc.oneof(
      { maxDepth: 3 },
      { weight: 3, arbitrary: listed(fc.constant(parameter)) },
      { weight: 1, arbitrary: fc.constantFrom(...FRAGMENTS) },
      { weight: 5, arbitrary: listed(tie('pair')) },
    ),
    pair: fc
      .tuple(fc.constantFrom(...PAIRS), fc.array(tie('piece'), { maxLength: 3 }))
      .map(([[open, close], inner]) => `${open}${inner.join('')}${close}`),
  }));
  return piece;
}

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
        const soup = fc.array(pieceOf(parameter), { minLength: 1, maxLength: 5 });
        const texts = soup.map((pieces) => `select 1${pieces.join('')}`);
        const own = connection.engine.sql as Engine;
        let accepted = 0;
        const property = fc.asyncProperty(texts, async (text) => {
          const rewritten = rewrite(text, own);
          if ((await accepts(rewritten)) && rewritten.count > 0) accepted += 1;
        });
        await fc.assert(property, { numRuns: RUNS, verbose: true });
        expect(accepted).toBeGreaterThan(RUNS / 100);
      }, 120_000);
    });
  });
}

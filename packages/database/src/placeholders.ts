import { endOfQuoted, isWord, matchEnd, type NumberedPlaceholders, type SqlLexis } from '@dbmanager/core';

/** How parameters are written on the engine: what stands before their number, and what such a one looks like. */
const STYLES: Readonly<Record<NumberedPlaceholders, PlaceholderStyle>> = {
  numbered: { prefix: '$', native: /\$\d+/y },
  'at-numbered': { prefix: '@p', native: /@p\d+/iy },
};

interface PlaceholderStyle {
  readonly prefix: string;
  readonly native: RegExp;
}

/** A statement in the numbered style, and how many `?` it had. */
export interface NumberedStatement {
  readonly sql: string;
  /** Undefined when the statement was passed on as it is. */
  readonly parameterCount: number | undefined;
}

/**
 * Rewrites `?` placeholders to `$1`, `$2` … or `@p1`, `@p2` …, reading the statement as the database does (`lexis`): nothing inside
 * string literals (on PostgreSQL `'…'`, `E'…'`, continued ones), quoted names, dollar quotes and comments is touched.
 *
 * `??` stands for the operator character `?`, as in JDBC: `tags ?? 'a'`, `tags ??| array['a']`, `path @?? '$.a'`. A
 * statement that has a native `$1` or `@p1` is taken to be written for the engine and passed on as it is, its `?` being operators.
 */
export function numberPlaceholders(
  sql: string,
  lexis: SqlLexis,
  style: NumberedPlaceholders = 'numbered',
): NumberedStatement {
  if (!sql.includes('?')) return { sql, parameterCount: undefined };
  const { prefix } = STYLES[style];
  const marks = questionMarks(sql, lexis, STYLES[style]);
  if (marks === undefined) return { sql, parameterCount: undefined };
  let text = '';
  let copied = 0;
  let parameterCount = 0;
  for (const { at, escaped } of marks) {
    text += sql.slice(copied, at);
    copied = at + (escaped ? 2 : 1);
    text += escaped ? '?' : spaced(`${prefix}${++parameterCount}`, sql[at - 1], sql[copied]);
  }
  return { sql: text + sql.slice(copied), parameterCount };
}

interface QuestionMark {
  readonly at: number;
  readonly escaped: boolean;
}

/** The question marks that are not quoted or commented out; undefined when the statement is in the native style. */
function questionMarks(sql: string, lexis: SqlLexis, { prefix, native }: PlaceholderStyle): QuestionMark[] | undefined {
  const marks: QuestionMark[] = [];
  let at = 0;
  while (at < sql.length) {
    const char = sql[at];
    if (char === '?') {
      const escaped = sql[at + 1] === '?';
      marks.push({ at, escaped });
      at += escaped ? 2 : 1;
    } else {
      if (char === prefix[0] && !isWord(sql[at - 1]) && matchEnd(native, sql, at) !== undefined) return undefined;
      at = endOfQuoted(sql, at, lexis) ?? at + 1;
    }
  }
  return marks;
}

/** Keeps `limit?` from becoming the name `limit$1`, and `?1` from becoming `$11`. */
function spaced(placeholder: string, before: string | undefined, after: string | undefined): string {
  return `${isWord(before) ? ' ' : ''}${placeholder}${isWord(after) ? ' ' : ''}`;
}

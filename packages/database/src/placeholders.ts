import {
  endOfQuoted,
  isWord,
  matchEnd,
  type NumberedPlaceholders,
  type SqlEngine,
  type SqlLexis,
} from '@dbmanager/core';

/** How parameters are written on an engine. */
export type Placeholders = SqlEngine<unknown>['placeholders'];

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
  const marks = questionMarks(sql, lexis, STYLES[style]);
  if (marks === undefined) return { sql, parameterCount: undefined };
  let text = '';
  let copied = 0;
  let parameterCount = 0;
  for (const { at, escaped } of marks) {
    text += sql.slice(copied, at);
    copied = at + (escaped ? 2 : 1);
    text += escaped ? '?' : spaced(placeholder(++parameterCount, style), sql[at - 1], sql[copied]);
  }
  return { sql: text + sql.slice(copied), parameterCount };
}

/** False for a statement that has no parameter in the engine's own style for certain. */
export function mayBeNative(sql: string, style: NumberedPlaceholders): boolean {
  return sql.includes(STYLES[style].prefix[0] as string);
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

/** The n-th parameter (from 1) in the style of an engine. */
export function placeholder(n: number, style: Placeholders): string {
  return style === 'question-mark' ? '?' : `${STYLES[style].prefix}${n}`;
}

/** Keeps `limit?` from becoming the name `limit$1`, and `?1` from becoming `$11`. */
export function spaced(placeholder: string, before: string | undefined, after: string | undefined): string {
  return `${isWord(before) ? ' ' : ''}${placeholder}${isWord(after) ? ' ' : ''}`;
}

/** A statement in the style of an engine, made from one with named parameters. */
export interface NamedStatement {
  readonly sql: string;
  /** Whose value each parameter takes, in their order. */
  readonly names: readonly string[];
  /** A parameter in the engine's own style, which has no name. */
  readonly unnamed: string | undefined;
}

const NAME = /:([A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)/y;

/**
 * Rewrites `:name` parameters to the style of an engine, reading the statement as the database does (`lexis`). A cast
 * (`::text`), an assignment (`:=`) and a slice whose bound is a number or a name (`a[1:n]`) are left alone; what follows a
 * colon anywhere else is a parameter. A `?` is no parameter here, but an operator where the engine has such.
 */
export function rewriteNames(sql: string, lexis: SqlLexis, style: Placeholders): NamedStatement {
  const numbers = new Map<string, number>();
  const names: string[] = [];
  let unnamed: string | undefined;
  let text = '';
  let copied = 0;
  for (let at = 0; at < sql.length; ) {
    const end = endOfQuoted(sql, at, lexis);
    const name = end === undefined ? nameAt(sql, at) : undefined;
    if (name !== undefined) {
      const known = style === 'question-mark' ? undefined : numbers.get(name);
      const n = known ?? names.push(name);
      numbers.set(name, n);
      const next = at + 1 + name.length;
      text += sql.slice(copied, at) + spaced(placeholder(n, style), undefined, sql[next]);
      copied = next;
      at = next;
    } else {
      unnamed ??= end === undefined ? nativeAt(sql, at, style) : undefined;
      at = end ?? at + (sql.startsWith('::', at) ? 2 : 1);
    }
  }
  return { sql: text + sql.slice(copied), names, unnamed };
}

function nameAt(sql: string, at: number): string | undefined {
  if (sql[at] !== ':' || isWord(sql[at - 1])) return undefined;
  NAME.lastIndex = at;
  return NAME.exec(sql)?.[1];
}

function nativeAt(sql: string, at: number, style: Placeholders): string | undefined {
  if (style === 'question-mark') return sql[at] === '?' ? '?' : undefined;
  const { prefix, native } = STYLES[style];
  if (sql[at] !== prefix[0] || isWord(sql[at - 1])) return undefined;
  const end = matchEnd(native, sql, at);
  return end === undefined ? undefined : sql.slice(at, end);
}

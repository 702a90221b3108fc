import { type SqlLexis, sqlTokens } from '@dbmanager/core';

/** What a comment says; what is undefined or empty is left out. */
export type CommentTags = Readonly<Record<string, string | undefined>>;

/** Longer texts are not read for comments; they have one when they look so. */
const LONGEST_READ = 16_384;

/**
 * Tags as sqlcommenter writes them: `application='shop',traceparent='00-…'` between the signs of a comment, by key. Keys and values are percent-encoded
 * but for letters, digits, `-`, `.`, `_` and `~`, so that nothing in them ends the comment, nests one, or is a placeholder.
 * Empty when there are none. Format: https://google.github.io/sqlcommenter/spec/
 */
export function sqlComment(tags: CommentTags): string {
  const pairs = Object.entries(tags).flatMap(([key, value]) =>
    value === undefined || value === '' ? [] : [`${encode(key)}='${encode(value)}'`],
  );
  return pairs.length === 0 ? '' : `/*${pairs.sort().join(',')}*/`;
}

/** The statement with a comment at its end: before a last semicolon, as after it some servers see an empty statement. */
export function appendComment(sql: string, comment: string): string {
  let end = sql.length;
  while (end > 0 && /[\s;]/.test(sql[end - 1] as string)) end--;
  return end === 0 || comment === '' ? sql : `${sql.slice(0, end)} ${comment}${sql.slice(end)}`;
}

/** Whether a statement has a comment of its own; of a very long one, whether it may have. */
export function holdsComment(sql: string, lexis: SqlLexis): boolean {
  const looksSo = lexis.hashComments ? /--|\/\*|#/ : /--|\/\*/;
  if (!looksSo.test(sql)) return false;
  if (sql.length > LONGEST_READ) return true;
  for (const { kind } of sqlTokens(sql, lexis)) if (kind === 'comment') return true;
  return false;
}

/** RFC 3986, which encodes more than `encodeURIComponent` does: among it the quote and the star. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(/[!'()*]/g, hexOf);
}

function hexOf(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
}

import { type SqlLexis, sqlTokens } from '@dbmanager/core';

/** Longest text that is shown of a statement. */
export const LONGEST_TEXT = 4_096;

/**
 * A statement with `?` for each literal, without comments, white space made one space; at most {@link LONGEST_TEXT} characters
 * of it, so that a bulk insert costs no more than its beginning.
 */
export function maskLiterals(sql: string, lexis: SqlLexis): string {
  let masked = '';
  for (const { kind, text } of sqlTokens(sql, lexis)) {
    if (kind === 'literal') masked += '?';
    else if (kind === 'comment' || /^\s$/.test(text)) masked += masked === '' || masked.endsWith(' ') ? '' : ' ';
    else masked += text;
    if (masked.length > LONGEST_TEXT) return shorten(masked);
  }
  return masked.trimEnd();
}

/** At most {@link LONGEST_TEXT} characters of a text. */
export function shorten(text: string): string {
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
}

import { summariseStatement } from '@dbmanager/core';

const LITERALS = /'(?:[^']|'')*(?:'|$)|\$(\w*)\$.*?(?:\$\1\$|$)|(?<![$\w])\d[\d.]*\b/gs;

/** The beginning of a statement with its literals masked, for leak reports. */
export function summarise(sql: string): string {
  return summariseStatement(sql, LITERALS);
}

/** The same for whatever pg takes as a query: a text, or an object that has one. */
export function summariseQuery(query: unknown): string {
  const text = typeof query === 'string' ? query : (query as { text?: unknown } | null)?.text;
  return typeof text === 'string' ? summarise(text) : '';
}

import { summariseStatement } from '@dbmanager/core';

const LITERALS = /'(?:[^'\\]|\\.|'')*(?:'|$)|"(?:[^"\\]|\\.|"")*(?:"|$)|\b\d[\d.]*\b/gs;
/** White space, or a comment that the server does not execute; one at a time, as a pattern for many might backtrack for ever. */
const FILLER = /\s+|--(?=\s|$)[^\n]*|#[^\n]*|\/\*(?!M?!)[\s\S]*?\*\/|\/\*M?!\d*/y;
/** Statements before and after which the server commits (MySQL manual, "Statements That Cause an Implicit Commit"). */
const COMMITS =
  /(?:ALTER|ANALYZE|CACHE\s+INDEX|CHECK\s+TABLE|CREATE(?!\s+(?:OR\s+REPLACE\s+)?TEMPORARY\b)|DROP(?!\s+(?:TEMPORARY|PREPARE)\b)|FLUSH|GRANT|INSTALL|LOAD\s+INDEX|LOCK\s+TABLES?|OPTIMIZE|RENAME|REPAIR|RESET(?!\s+QUERY)|REVOKE|SET\s+PASSWORD|TRUNCATE|UNINSTALL)\b/iy;
const FIRST_WORDS = /\w+(?:\s+\w+)?/y;

/** The beginning of a statement with its literals masked, for leak reports. */
export function summarise(sql: string): string {
  return summariseStatement(sql, LITERALS);
}

/** The same for whatever mysql2 takes as a query. */
export function summariseQuery(query: unknown): string {
  return summarise(textOf(query));
}

/** The text of whatever mysql2 takes as a query: a text, or an object that has one. */
export function textOf(query: unknown): string {
  const text = typeof query === 'string' ? query : (query as { sql?: unknown } | null)?.sql;
  return typeof text === 'string' ? text : '';
}

/** The first words of a statement for which the server would commit an open transaction; undefined for others. */
export function implicitCommit(sql: string): string | undefined {
  FILLER.lastIndex = 0;
  let start = 0;
  while (FILLER.test(sql)) start = FILLER.lastIndex;
  COMMITS.lastIndex = start;
  if (!COMMITS.test(sql)) return undefined;
  FIRST_WORDS.lastIndex = start;
  return FIRST_WORDS.exec(sql)?.[0].toUpperCase();
}

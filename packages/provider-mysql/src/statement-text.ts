import { sqlWords, summariseStatement } from '@dbmanager/core';
import { MYSQL_LEXIS } from './mysql-lexis.js';

const LITERALS = /'(?:[^'\\]|\\.|'')*(?:'|$)|"(?:[^"\\]|\\.|"")*(?:"|$)|\b\d[\d.]*\b/gs;
/** One of these words is in every statement that commits: most others need no reading. */
const SUSPICIOUS =
  /\b(?:alter|analyze|autocommit|cache|change|check|create|drop|flush|grant|install|load|lock|optimize|password|rename|repair|reset|revoke|slaves?|replica|truncate|uninstall)\b/i;
/**
 * Statements before and after which the server commits (MySQL manual, "Statements That Cause an Implicit Commit"), by their
 * first words.
 */
const COMMITS =
  /^(?:ALTER|ANALYZE (?:\w+ )?TABLE|CACHE INDEX|CHANGE (?:MASTER|REPLICATION)|CHECK (?:TABLES?|VIEW)|CREATE(?! (?:OR REPLACE )?TEMPORARY\b)|DROP(?! (?:TEMPORARY|PREPARE)\b)|FLUSH|GRANT|INSTALL|LOAD INDEX|LOCK TABLES?|OPTIMIZE|RENAME|REPAIR|RESET(?! QUERY)|REVOKE|SET PASSWORD|(?:START|STOP) (?:ALL )?(?:SLAVES?|REPLICA)|TRUNCATE|UNINSTALL)\b/;
/** Switched off and on again it commits, too. */
const SETS_AUTOCOMMIT = /\bautocommit\s*:?=/i;
/** As many words of a statement as tell whether it commits. */
const HEAD_WORDS = 4;
const QUOTED_NAME = '""';

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

/** The first words of the statement in a text for which the server would commit an open transaction; undefined without one. */
export function implicitCommit(sql: string): string | undefined {
  if (!SUSPICIOUS.test(sql)) return undefined;
  for (const head of statementHeads(sql)) {
    if (head[0] === 'SET' && SETS_AUTOCOMMIT.test(sql)) return 'SET AUTOCOMMIT';
    if (!COMMITS.test(head.join(' '))) continue;
    return head
      .slice(0, 2)
      .filter((word) => word !== QUOTED_NAME)
      .join(' ');
  }
  return undefined;
}

/** The first words of each statement, in capitals; of `SET STATEMENT … FOR` those of the statement behind it. */
function* statementHeads(sql: string): Generator<readonly string[], void> {
  let head: string[] = [];
  for (const word of sqlWords(sql, MYSQL_LEXIS)) {
    if (word === ';') yield head;
    if (word === ';' || (word === 'FOR' && head[0] === 'SET' && head[1] === 'STATEMENT')) head = [];
    else if (head.length < HEAD_WORDS) head.push(word);
  }
  yield head;
}

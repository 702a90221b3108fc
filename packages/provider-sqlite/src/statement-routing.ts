/** White space or a comment; one at a time, because a pattern for many could be made to backtrack for ever. */
const FILLER = /\s+|--[^\n]*|\/\*[\s\S]*?\*\//y;
const READ = /(?:SELECT|VALUES|EXPLAIN|(WITH))\b/iy;
const WRITE_WORD = /\b(?:INSERT|UPDATE|DELETE|REPLACE)\b/i;
const PLAIN_BEGIN = /BEGIN(?:\s+DEFERRED)?(?:\s+TRANSACTION)?\s*(?:;\s*)?$/iy;
const ROLLBACK = /ROLLBACK(?:\s+TRANSACTION)?\s*(?:;\s*)?$/iy;
const COMMIT = /(?:COMMIT|END)(?:\s+TRANSACTION)?\s*(?:;\s*)?$/iy;
const FIRST_WORDS = /\w+(?:\s+[\w"`.]+){0,2}/y;

/** Matches a sticky pattern where the statement itself begins, after white space and comments. */
function matchAtStart(pattern: RegExp, sql: string): RegExpExecArray | null {
  FILLER.lastIndex = 0;
  let start = 0;
  while (FILLER.test(sql)) start = FILLER.lastIndex;
  pattern.lastIndex = start;
  return pattern.exec(sql);
}

/**
 * True when the statement may be tried on a reader: its first word after comments is SELECT, VALUES, EXPLAIN or WITH.
 * The reader then asks SQLite itself whether it changes nothing; a WITH that looks like a write is not even tried.
 */
export function mayRead(sql: string): boolean {
  const match = matchAtStart(READ, sql);
  return match !== null && (match[1] === undefined || !WRITE_WORD.test(sql));
}

/** `BEGIN` as it must be here: a deferred one could fail at its first write, after it has read. */
export function immediateBegin(sql: string): string {
  return matchAtStart(PLAIN_BEGIN, sql) !== null ? 'BEGIN IMMEDIATE' : sql;
}

/** Whether the statement ends a transaction, and how. */
export function endOfTransaction(sql: string): 'commit' | 'rollback' | undefined {
  if (matchAtStart(COMMIT, sql) !== null) return 'commit';
  return matchAtStart(ROLLBACK, sql) !== null ? 'rollback' : undefined;
}

/** The first words of a statement, for leak reports: no values. */
export function summary(sql: string): string {
  return matchAtStart(FIRST_WORDS, sql)?.[0] ?? 'statement';
}

/** White space and comments before a statement. */
const LEADING = String.raw`(?:\s|--[^\n]*(?:\n|$)|/\*[^]*?\*/)*`;
const READ = new RegExp(`^${LEADING}(?:SELECT|VALUES|EXPLAIN|(WITH))\\b`, 'i');
const WRITE_WORD = /\b(?:INSERT|UPDATE|DELETE|REPLACE)\b/i;
const PLAIN_BEGIN = new RegExp(`^${LEADING}BEGIN(?:\\s+DEFERRED)?(?:\\s+TRANSACTION)?\\s*;?\\s*$`, 'i');
const ROLLBACK = new RegExp(`^${LEADING}ROLLBACK(?:\\s+TRANSACTION)?\\s*;?\\s*$`, 'i');
const COMMIT = new RegExp(`^${LEADING}(?:COMMIT|END)(?:\\s+TRANSACTION)?\\s*;?\\s*$`, 'i');

/**
 * True when the statement may be tried on a reader: its first word after comments is SELECT, VALUES, EXPLAIN or WITH.
 * The reader then asks SQLite itself whether it changes nothing; a WITH that looks like a write is not even tried.
 */
export function mayRead(sql: string): boolean {
  const match = READ.exec(sql);
  return match !== null && (match[1] === undefined || !WRITE_WORD.test(sql));
}

/** `BEGIN` as it must be here: a deferred one could fail at its first write, after it has read. */
export function immediateBegin(sql: string): string {
  return PLAIN_BEGIN.test(sql) ? 'BEGIN IMMEDIATE' : sql;
}

/** Whether the statement ends a transaction, and how. */
export function endOfTransaction(sql: string): 'commit' | 'rollback' | undefined {
  if (COMMIT.test(sql)) return 'commit';
  return ROLLBACK.test(sql) ? 'rollback' : undefined;
}

/** The first words of a statement, for leak reports: no values. */
export function summary(sql: string): string {
  const words = sql.replace(new RegExp(`^${LEADING}`), '').match(/^\w+(?:\s+[\w"`.]+){0,2}/);
  return words?.[0] ?? 'statement';
}

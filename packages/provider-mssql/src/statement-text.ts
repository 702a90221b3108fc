import { sqlWords, summariseStatement } from '@dbmanager/core';
import { MSSQL_LEXIS } from './mssql-lexis.js';

const LITERALS = /N?'(?:[^']|'')*(?:'|$)|\b0x[0-9a-f]*\b|\b\d[\d.]*\b/gis;
const ROLLBACK = /^ROLLBACK(?: WORK| TRAN| TRANSACTION)?$/;

/**
 * Words that write, all of them reserved: no name is one of them unless it is quoted. EXECUTE is not among them, as a procedure
 * may be one that reads.
 */
const WRITES = new Set(
  'ALTER BACKUP BULK CREATE DELETE DENY DROP GRANT INSERT INTO MERGE RESTORE REVOKE TRUNCATE UPDATE UPDATETEXT WRITETEXT'.split(
    ' ',
  ),
);

/** What is left on a connection that a reset does not take away for certain, or that makes it fail. */
const LASTING = /\bsp_set_session_context\b|\bset\s+context_info\b|\bsp_setapprole\b|\bexec(?:ute)?\s+as\b/i;
const ISOLATION = /\bset\s+transaction\s+isolation\b/i;

/** The beginning of a statement with its literals masked, for leak reports. */
export function summarise(sql: string): string {
  return summariseStatement(sql, LITERALS);
}

/** True for a text that does nothing but roll the whole transaction back. */
export function isRollback(sql: string): boolean {
  return /rollback/i.test(sql) && ROLLBACK.test([...words(sql)].join(' '));
}

/** True for a text that has the word ROLLBACK, as a statement of its own. */
export function hasRollback(sql: string): boolean {
  if (!/rollback/i.test(sql)) return false;
  for (const word of words(sql)) if (word === 'ROLLBACK') return true;
  return false;
}

/** The first word of a text that writes; undefined when there is none. */
export function writingWord(sql: string): string | undefined {
  for (const word of words(sql)) if (WRITES.has(word)) return word;
  return undefined;
}

/** True when a text may leave something on its connection that only closing it takes away for certain. */
export function leavesForGood(sql: string): boolean {
  return LASTING.test(sql);
}

/** True when a text may set the isolation level of its connection. */
export function setsIsolation(sql: string): boolean {
  return ISOLATION.test(sql);
}

function* words(sql: string): Generator<string, void> {
  for (const word of sqlWords(sql, MSSQL_LEXIS)) if (word !== ';') yield word;
}

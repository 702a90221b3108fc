import { type SqlLexis, sqlWords } from '@dbmanager/core';

/** What is all body: it runs when it is called. In SQL Server nothing else may stand in its batch. */
const MODULE = /^(?:ALTER|CREATE(?: OR ALTER)?) (?:PROC|PROCEDURE|FUNCTION|TRIGGER)\b/;
/** As many words as tell that. */
const MODULE_WORDS = 4;
const TRANSACTION_WORDS: ReadonlySet<string | undefined> = new Set(['TRAN', 'TRANSACTION']);
/** Reserved words that begin a statement of T-SQL, or end a block, and so can name no savepoint. */
const STATEMENT_WORDS = new Set(
  (
    'ALTER BACKUP BEGIN BREAK BULK CHECKPOINT CLOSE COMMIT CONTINUE CREATE DBCC DEALLOCATE DECLARE DELETE DENY DROP ELSE END EXEC ' +
    'EXECUTE FETCH GOTO GRANT IF INSERT KILL MERGE OPEN PRINT RAISERROR READTEXT RECONFIGURE RESTORE RETURN REVERT REVOKE ' +
    'ROLLBACK SAVE SELECT SET SHUTDOWN TRUNCATE UPDATE UPDATETEXT USE WAITFOR WHILE WITH WRITETEXT ;'
  ).split(' '),
);

/**
 * The words of a text in T-SQL that would begin or end a transaction; undefined when none would. Statements follow each other
 * without a semicolon there, so the words count wherever they stand: they are reserved, and no name without quotes. A block
 * (`BEGIN … END`, `BEGIN TRY`) is none, and neither is `ROLLBACK TRANSACTION` to a savepoint, which names it.
 */
export function controlWithoutSemicolons(sql: string, lexis: SqlLexis): string | undefined {
  const words = [...sqlWords(sql, lexis)];
  if (MODULE.test(words.slice(0, MODULE_WORDS).join(' '))) return undefined;
  for (const [at, word] of words.entries()) {
    const next = words[at + 1];
    if (word === 'COMMIT') return word;
    if (word === 'BEGIN' && (TRANSACTION_WORDS.has(next) || next === 'DISTRIBUTED')) return `${word} ${next}`;
    if (word === 'ROLLBACK' && !(TRANSACTION_WORDS.has(next) && isName(words[at + 2]))) return word;
  }
  return undefined;
}

function isName(word: string | undefined): boolean {
  return word !== undefined && !STATEMENT_WORDS.has(word);
}

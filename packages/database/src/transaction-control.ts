import { type SqlLexis, sqlWords } from '@dbmanager/core';
import { controlWithoutSemicolons } from './control-without-semicolons.js';

/** Spares most statements the reading: none of the words, nothing to find. */
const SUSPICIOUS = /begin|start|commit|end|rollback|abort|prepare/i;
/** What has a body of statements of its own, between BEGIN and END. */
const HAS_BODY = /^CREATE (?:OR REPLACE )?(?:TEMP |TEMPORARY )?(?:FUNCTION|PROCEDURE|TRIGGER)\b/;
/** As many words of a statement as tell what it does. */
const HEAD_WORDS = 4;

/**
 * The words with which one of the statements of `sql` would begin, end or leave a transaction (`COMMIT`,
 * `START TRANSACTION`, `PREPARE TRANSACTION` …); undefined when none would. Savepoints would not. Neither comments, quotes
 * nor several statements in one text hide them, read as the database itself reads them.
 */
export function transactionControl(sql: string, lexis: SqlLexis): string | undefined {
  if (!SUSPICIOUS.test(sql)) return undefined;
  if (lexis.semicolons === 'optional') return controlWithoutSemicolons(sql, lexis);
  for (const head of statementHeads(sql, lexis)) {
    const control = controlOf(head);
    if (control !== undefined) return control;
  }
  return undefined;
}

function controlOf(head: readonly string[]): string | undefined {
  const [first, second, third] = head;
  switch (first) {
    case 'BEGIN':
    case 'COMMIT':
    case 'END':
    case 'ABORT':
      return first;
    case 'START':
    case 'PREPARE':
      return second === 'TRANSACTION' ? `${first} ${second}` : undefined;
    case 'ROLLBACK':
      return second === 'TO' || ((second === 'WORK' || second === 'TRANSACTION') && third === 'TO') ? undefined : first;
    default:
      return undefined;
  }
}

/** The first words of each statement, in capitals. */
function* statementHeads(sql: string, lexis: SqlLexis): Generator<readonly string[]> {
  let body = new StatementBody();
  let head: string[] = [];
  for (const token of sqlWords(sql, lexis)) {
    if (token !== ';') {
      if (head.length < HEAD_WORDS) head.push(token);
      body.read(token, head);
    } else if (!body.open) {
      yield head;
      head = [];
      body = new StatementBody();
    }
  }
  yield head;
}

/** Follows the statements inside CREATE FUNCTION, PROCEDURE and TRIGGER, which belong to it. */
class StatementBody {
  #cases = 0;
  #open = false;
  #previous: string | undefined;

  get open(): boolean {
    return this.#open;
  }

  read(word: string, head: readonly string[]): void {
    // PostgreSQL says BEGIN ATOMIC, and a function may be called `begin`; in a trigger of SQLite BEGIN stands alone.
    const begins = word === 'ATOMIC' ? this.#previous === 'BEGIN' : word === 'BEGIN' && head.includes('TRIGGER');
    this.#previous = word;
    if (!this.#open) {
      this.#open = begins && HAS_BODY.test(head.join(' '));
      this.#cases = 0;
    } else if (word === 'CASE') {
      this.#cases++;
    } else if (word === 'END') {
      if (this.#cases > 0) this.#cases--;
      else this.#open = false;
    }
  }
}

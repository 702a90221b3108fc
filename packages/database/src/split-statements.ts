import { endOfQuoted, isWord, type SqlLexis } from '@dbmanager/core';

/** One statement of a file. */
export interface ScriptStatement {
  /** Without the semicolon that ends it. */
  readonly sql: string;
  /** The line of the file on which it begins, from 1. */
  readonly line: number;
}

/** What may have a body of statements of its own: a trigger, a routine. A table may well be called `event`. */
const HAS_BODY = /^(?:CREATE|ALTER)(?: (?!TABLE|VIEW|INDEX)\S+)* (?:TRIGGER|PROCEDURE|FUNCTION|EVENT|PACKAGE)\b/;
/** `CREATE OR REPLACE DEFINER = x SQL SECURITY DEFINER PROCEDURE`, and some more. */
const HEAD_WORDS = 12;
/** What END ends besides a block, and what its own word begins. */
const ENDED_BY_NAME: ReadonlySet<string> = new Set(['IF', 'LOOP', 'WHILE', 'REPEAT', 'FOR']);

/**
 * The statements of a text, read as the database reads it: semicolons in literals, comments, dollar quotes and in the
 * bodies of triggers and routines end none. Texts without anything but comments are left out.
 */
export function splitStatements(script: string, lexis: SqlLexis): ScriptStatement[] {
  const statements: ScriptStatement[] = [];
  const lines = new LineCounter(script);
  let from = 0;
  /** Where the statement's own first character is; undefined before it. */
  let start: number | undefined;
  let body = new StatementBody();
  const end = (to: number) => {
    if (start !== undefined) statements.push({ sql: script.slice(from, to).trim(), line: lines.at(start) });
    start = undefined;
    body = new StatementBody();
  };
  for (let at = 0; at < script.length; ) {
    const quoted = endOfQuoted(script, at, lexis);
    if (quoted !== undefined) {
      if (!isComment(script, at, quoted)) start ??= at;
      at = quoted;
    } else if (isWord(script[at])) {
      start ??= at;
      const word = at;
      while (isWord(script[at])) at++;
      body.read(script.slice(word, at).toUpperCase());
    } else if (script[at] === ';') {
      at++;
      if (body.goesOn()) continue;
      end(at - 1);
      from = at;
    } else {
      if (/\S/.test(script[at] as string)) start ??= at;
      at++;
    }
  }
  end(script.length);
  return statements;
}

/** The beginning of a comment that is executed is passed over as quoted, and is none. */
function isComment(script: string, at: number, end: number): boolean {
  const char = script[at];
  return char === '-' || char === '#' || (char === '/' && !/^\/\*M?!\d*$/.test(script.slice(at, end)));
}

/** Follows the blocks inside what has a body, whose statements belong to it. */
class StatementBody {
  readonly #head: string[] = [];
  /** Blocks that are open. */
  #depth = 0;
  /** The last word was END, and what it ends is not known yet. */
  #ending = false;

  read(word: string): void {
    if (this.#head.length < HEAD_WORDS) this.#head.push(word);
    if (this.#ending && this.#endedBy(word)) return;
    if (word === 'END') this.#ending = this.#depth > 0;
    else if (this.#begins(word)) this.#depth++;
  }

  /** Whether a semicolon that comes now leaves the statement open. */
  goesOn(): boolean {
    if (this.#ending) this.#endedBy(';');
    return this.#depth > 0;
  }

  /** Reads what follows END: true for a word that says what was ended. */
  #endedBy(word: string): boolean {
    this.#ending = false;
    if (ENDED_BY_NAME.has(word)) return true;
    this.#depth--;
    return word === 'CASE';
  }

  #begins(word: string): boolean {
    if (word === 'CASE') return this.#depth > 0;
    if (word === 'BEGIN') return this.#depth > 0 || HAS_BODY.test(this.#head.join(' '));
    // MariaDB's block outside routines: BEGIN NOT ATOMIC.
    return word === 'NOT' && this.#head.length === 2 && this.#head[0] === 'BEGIN';
  }
}

/** Line numbers of places that come in order. */
class LineCounter {
  readonly #text: string;
  #at = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  at(place: number): number {
    for (; this.#at < place; this.#at++) if (this.#text[this.#at] === '\n') this.#line++;
    return this.#line;
  }
}

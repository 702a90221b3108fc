import type { SqlLexis } from './sql.js';

/** A character of a name or number, as PostgreSQL reads it; a byte order mark is white space to SQLite. */
const WORD = /[A-Za-z0-9_$\u0080-\ufefe\uff00-\uffff]/;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y;
/** The beginning of a comment whose text is executed, with the oldest version that executes it. */
const EXECUTABLE = /\/\*M?!\d*/y;
/** A string goes on after whitespace with a line break in it, in the same escape mode as it began. */
const CONTINUATION = /[ \t\f\v]*(?:--[^\r\n]*)?[\r\n](?:\s|--[^\r\n]*[\r\n])*'/y;

/** True for a character that would be read as part of the name or number beside it. */
export function isWord(char: string | undefined): boolean {
  return char !== undefined && WORD.test(char);
}

/** Where `pattern`, a sticky one, ends when it matches at `at`. */
export function matchEnd(pattern: RegExp, sql: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(sql) ? pattern.lastIndex : undefined;
}

/** Where the literal, quoted name or comment that begins at `at` ends; undefined when none begins there. */
export function endOfQuoted(sql: string, at: number, lexis: SqlLexis): number | undefined {
  const char = sql[at];
  switch (char) {
    case "'":
      return endOfString(sql, at, lexis);
    case '"':
      return endOfRun(sql, at + 1, '"', lexis.backslashes === 'all-strings');
    case '`':
    case '[':
      return lexis.nameQuotes?.includes(char) === true ? endOfRun(sql, at + 1, char === '[' ? ']' : char) : undefined;
    case '-':
      return beginsLineComment(sql, at, lexis) ? endOfLine(sql, at, lexis) : undefined;
    case '#':
      return lexis.hashComments === true ? endOfLine(sql, at, lexis) : undefined;
    case '/':
      return sql[at + 1] === '*' ? endOfBlock(sql, at, lexis) : undefined;
    case '$':
      return lexis.dollarQuotes === true && !isWord(sql[at - 1]) ? endOfDollarQuote(sql, at) : undefined;
    default:
      return undefined;
  }
}

/** True for the first character of a comment, as opposed to a literal or a quoted name. */
function isCommentStart(char: string | undefined): boolean {
  return char === '-' || char === '/' || char === '#';
}

/** Words in capitals, and semicolons, of what is neither literal nor comment; a quoted name counts as the word `""`. */
export function* sqlWords(sql: string, lexis: SqlLexis): Generator<string, void> {
  const { nameSigns = '' } = lexis;
  const isPart = (char: string | undefined) => isWord(char) || (char !== undefined && nameSigns.includes(char));
  for (let at = 0; at < sql.length; ) {
    const end = endOfQuoted(sql, at, lexis);
    if (end !== undefined) {
      if (!isCommentStart(sql[at])) yield '""';
      at = end;
    } else if (isPart(sql[at])) {
      const start = at;
      while (isPart(sql[at])) at++;
      yield sql.slice(start, at).toUpperCase();
    } else {
      if (sql[at] === ';') yield ';';
      at++;
    }
  }
}

function beginsLineComment(sql: string, at: number, { hashComments }: SqlLexis): boolean {
  return sql[at + 1] === '-' && (hashComments !== true || !/\S/.test(sql[at + 2] ?? ' '));
}

/** Of a comment whose text is executed only its beginning is passed over. */
function endOfBlock(sql: string, at: number, { nestedComments, executableComments }: SqlLexis): number {
  const opened = executableComments === true ? matchEnd(EXECUTABLE, sql, at) : undefined;
  return opened ?? endOfComment(sql, at, nestedComments === true);
}

function endOfString(sql: string, at: number, { backslashes }: SqlLexis): number {
  const prefix = sql[at - 1];
  const escaped =
    backslashes === 'all-strings' ||
    (backslashes === 'e-strings' && (prefix === 'E' || prefix === 'e') && !isWord(sql[at - 2]));
  let end = endOfRun(sql, at + 1, "'", escaped);
  for (let next = matchEnd(CONTINUATION, sql, end); next !== undefined; next = matchEnd(CONTINUATION, sql, end)) {
    end = endOfRun(sql, next, "'", escaped);
  }
  return end;
}

/** Just after the closing `quote`; a doubled one does not close. */
function endOfRun(sql: string, from: number, quote: string, backslashes = false): number {
  for (let at = from; at < sql.length; at++) {
    if (backslashes && sql[at] === '\\') at++;
    else if (sql[at] !== quote) continue;
    else if (sql[at + 1] === quote) at++;
    else return at + 1;
  }
  return sql.length;
}

function endOfLine(sql: string, from: number, { lineEnds }: SqlLexis): number {
  for (let at = from; at < sql.length; at++) {
    if (sql[at] === '\n' || (sql[at] === '\r' && lineEnds === 'cr-or-lf')) return at;
  }
  return sql.length;
}

function endOfComment(sql: string, from: number, nested: boolean): number {
  let depth = 0;
  for (let at = from; at < sql.length; at++) {
    const pair = sql.slice(at, at + 2);
    if (pair !== '/*' && pair !== '*/') continue;
    if (pair === '*/') depth--;
    else if (nested || depth === 0) depth++;
    at++;
    if (depth === 0) return at + 1;
  }
  return sql.length;
}

function endOfDollarQuote(sql: string, at: number): number | undefined {
  const opened = matchEnd(DOLLAR_TAG, sql, at);
  if (opened === undefined) return undefined;
  const tag = sql.slice(at, opened);
  const closing = sql.indexOf(tag, opened);
  return closing === -1 ? sql.length : closing + tag.length;
}

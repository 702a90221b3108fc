/** A character that PostgreSQL would read as part of a name or number standing beside it. */
const WORD = /[A-Za-z0-9_$\u0080-\uffff]/;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y;
const NATIVE = /\$\d+/y;
/** A string goes on after whitespace with a line break in it, in the same escape mode as it began. */
const CONTINUATION = /[ \t\f\v]*(?:--[^\r\n]*)?[\r\n](?:\s|--[^\r\n]*[\r\n])*'/y;

/** A statement in the numbered style, and how many `?` it had. */
export interface NumberedStatement {
  readonly sql: string;
  /** Undefined when the statement was passed on as it is. */
  readonly parameterCount: number | undefined;
}

/**
 * Rewrites `?` placeholders to `$1`, `$2` …, reading the statement as PostgreSQL's scanner does: nothing inside string
 * literals (`'…'`, `E'…'`, continued ones), quoted identifiers, dollar quotes and comments (nested ones too) is touched.
 * `standard_conforming_strings` is taken to be on, its default since 9.1.
 *
 * `??` stands for the operator character `?`, as in JDBC: `tags ?? 'a'`, `tags ??| array['a']`, `path @?? '$.a'`. A
 * statement that has a native `$1` is taken to be written for the engine and passed on as it is, its `?` being operators.
 */
export function numberPlaceholders(sql: string): NumberedStatement {
  if (!sql.includes('?')) return { sql, parameterCount: undefined };
  const marks = questionMarks(sql);
  if (marks === undefined) return { sql, parameterCount: undefined };
  let text = '';
  let copied = 0;
  let parameterCount = 0;
  for (const { at, escaped } of marks) {
    text += sql.slice(copied, at);
    copied = at + (escaped ? 2 : 1);
    text += escaped ? '?' : spaced(`$${++parameterCount}`, sql[at - 1], sql[copied]);
  }
  return { sql: text + sql.slice(copied), parameterCount };
}

interface QuestionMark {
  readonly at: number;
  readonly escaped: boolean;
}

/** The question marks that are not quoted or commented out; undefined when the statement is in the native style. */
function questionMarks(sql: string): QuestionMark[] | undefined {
  const marks: QuestionMark[] = [];
  let at = 0;
  while (at < sql.length) {
    const char = sql[at];
    if (char === '?') {
      const escaped = sql[at + 1] === '?';
      marks.push({ at, escaped });
      at += escaped ? 2 : 1;
    } else if (char === '$' && !isWord(sql[at - 1])) {
      if (matchEnd(NATIVE, sql, at) !== undefined) return undefined;
      at = endOfDollarQuote(sql, at) ?? at + 1;
    } else {
      at = endOfQuoted(sql, at) ?? at + 1;
    }
  }
  return marks;
}

/** Where the literal, quoted identifier or comment that begins at `at` ends; undefined when none begins there. */
function endOfQuoted(sql: string, at: number): number | undefined {
  switch (sql[at]) {
    case "'":
      return endOfString(sql, at);
    case '"':
      return endOfRun(sql, at + 1, '"');
    case '-':
      return sql[at + 1] === '-' ? endOfLine(sql, at) : undefined;
    case '/':
      return sql[at + 1] === '*' ? endOfComment(sql, at) : undefined;
    default:
      return undefined;
  }
}

function endOfString(sql: string, at: number): number {
  const prefix = sql[at - 1];
  const backslashes = (prefix === 'E' || prefix === 'e') && !isWord(sql[at - 2]);
  let end = endOfRun(sql, at + 1, "'", backslashes);
  for (let next = matchEnd(CONTINUATION, sql, end); next !== undefined; next = matchEnd(CONTINUATION, sql, end)) {
    end = endOfRun(sql, next, "'", backslashes);
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

function endOfLine(sql: string, from: number): number {
  for (let at = from; at < sql.length; at++) if (sql[at] === '\n' || sql[at] === '\r') return at;
  return sql.length;
}

function endOfComment(sql: string, from: number): number {
  let depth = 0;
  for (let at = from; at < sql.length; at++) {
    const pair = sql.slice(at, at + 2);
    if (pair !== '/*' && pair !== '*/') continue;
    depth += pair === '/*' ? 1 : -1;
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

function matchEnd(pattern: RegExp, sql: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(sql) ? pattern.lastIndex : undefined;
}

/** Keeps `limit?` from becoming the name `limit$1`, and `?1` from becoming `$11`. */
function spaced(placeholder: string, before: string | undefined, after: string | undefined): string {
  return `${isWord(before) ? ' ' : ''}${placeholder}${isWord(after) ? ' ' : ''}`;
}

function isWord(char: string | undefined): boolean {
  return char !== undefined && WORD.test(char);
}

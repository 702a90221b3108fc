import type { SqlLexis } from './sql.js';
import { endOfQuoted, isWord } from './sql-lexer.js';

/** A piece of a statement. */
export interface SqlToken {
  /** `literal` is a string or a number; `name` a quoted one; `word` a keyword, a plain name or a numbered placeholder. */
  readonly kind: 'word' | 'name' | 'literal' | 'comment' | 'sign';
  readonly text: string;
}

/** The pieces of a statement in their order; white space is a sign. */
export function* sqlTokens(sql: string, lexis: SqlLexis): Generator<SqlToken, void> {
  const { nameSigns = '' } = lexis;
  const isPart = (char: string | undefined) => isWord(char) || (char !== undefined && nameSigns.includes(char));
  for (let at = 0; at < sql.length; ) {
    const start = at;
    const char = sql[at] as string;
    const quoted = endOfQuoted(sql, at, lexis);
    if (quoted !== undefined) at = quoted;
    else if (isDigit(char)) at = endOfNumber(sql, at);
    else if (isPart(char)) while (isPart(sql[at])) at++;
    else at++;
    const text = sql.slice(start, at);
    if (quoted !== undefined) yield { kind: quotedKind(char, lexis), text };
    else yield { kind: isDigit(char) ? 'literal' : isPart(char) ? 'word' : 'sign', text };
  }
}

function quotedKind(char: string, { backslashes }: SqlLexis): SqlToken['kind'] {
  switch (char) {
    case "'":
    case '$':
      return 'literal';
    case '"':
      // Where a backslash escapes in these, too, they are strings.
      return backslashes === 'all-strings' ? 'literal' : 'name';
    case '`':
    case '[':
      return 'name';
    default:
      return 'comment';
  }
}

function isDigit(char: string): boolean {
  return char >= '0' && char <= '9';
}

/** Of `1`, `0x1F`, `1.5e-3`: whatever is written together. */
function endOfNumber(sql: string, from: number): number {
  let at = from;
  while (at < sql.length && (isWord(sql[at]) || sql[at] === '.' || isExponentSign(sql, from, at))) at++;
  return at;
}

/** The sign in `1.5e-3`. */
function isExponentSign(sql: string, from: number, at: number): boolean {
  return (sql[at] === '-' || sql[at] === '+') && /^[\d.]+e$/i.test(sql.slice(from, at));
}

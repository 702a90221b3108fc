import { SqlError } from '../sql-error.js';

/** `word`: a bare name or keyword; `name`: one in brackets or double quotes; `variable` has its `@`. */
export type TokenKind = 'word' | 'name' | 'string' | 'number' | 'binary' | 'variable' | 'symbol' | 'end';

/** A piece of T-SQL. */
export interface Token {
  readonly kind: TokenKind;
  /** As it stands in the batch. */
  readonly text: string;
  /** Of a string or name, without quotes; of the others the text. Words are in capitals. */
  readonly value: string;
  readonly line: number;
  /** True when nothing, not even a space, stands before it. */
  readonly glued: boolean;
}

const WORD = /[\p{L}_#][\p{L}\p{N}_@#$]*/uy;
const VARIABLE = /@@?[\p{L}\p{N}_@#$]+/uy;
const BINARY = /0x[0-9a-f]*/iy;
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?/iy;
const SYMBOL = /<>|<=|>=|!=|!<|!>|\+=|-=|\*=|\/=|::|[^\s]/uy;
const SPACE = /\s+/uy;
const LINE_COMMENT = /--[^\n]*/y;
const CLOSING: Readonly<Record<string, string>> = { "'": "'", '"': '"', '[': ']' };

/** Cuts a batch into tokens; the last one is `end`. Rejects a batch with a quote or a comment left open (errors 105, 113). */
export function tokenize(sql: string): Token[] {
  return new Lexer(sql).tokens();
}

class Lexer {
  readonly #sql: string;
  #at = 0;
  #line = 1;
  #glued = false;

  constructor(sql: string) {
    this.#sql = sql;
  }

  tokens(): Token[] {
    const tokens: Token[] = [];
    for (;;) {
      this.#skip();
      const token = this.#next();
      tokens.push(token);
      if (token.kind === 'end') return tokens;
    }
  }

  /** Goes over spaces and comments. */
  #skip(): void {
    const from = this.#at;
    for (;;) {
      const before = this.#at;
      this.#match(SPACE);
      this.#match(LINE_COMMENT);
      if (this.#sql.startsWith('/*', this.#at)) this.#skipComment();
      if (this.#at === before) break;
    }
    this.#glued = this.#at === from && from > 0;
    this.#line += this.#sql.slice(from, this.#at).split('\n').length - 1;
  }

  /** Block comments nest. */
  #skipComment(): void {
    let depth = 0;
    do {
      if (this.#sql.startsWith('/*', this.#at)) depth++;
      else if (this.#sql.startsWith('*/', this.#at)) depth--;
      else {
        this.#at++;
        if (this.#at > this.#sql.length) throw new SqlError(113, "Missing end comment mark '*/'.", { severity: 15 });
        continue;
      }
      this.#at += 2;
    } while (depth > 0);
  }

  #next(): Token {
    const first = this.#sql[this.#at];
    if (first === undefined) return this.#token('end', '', '');
    const national = /^N'/i.test(this.#sql.slice(this.#at, this.#at + 2));
    if (national || first === "'") return this.#quoted('string', national ? 1 : 0);
    if (first === '[' || first === '"') return this.#quoted('name', 0);
    const word = this.#match(WORD);
    if (word !== undefined) return this.#token('word', word, word.toUpperCase());
    const variable = this.#match(VARIABLE);
    if (variable !== undefined) return this.#token('variable', variable, variable.toLowerCase());
    const binary = this.#match(BINARY);
    if (binary !== undefined) return this.#token('binary', binary, binary.slice(2));
    const number = this.#match(NUMBER);
    if (number !== undefined) return this.#token('number', number, number);
    const symbol = this.#match(SYMBOL) ?? first;
    return this.#token('symbol', symbol, symbol);
  }

  /** A string or a quoted name: its closing quote is doubled inside. */
  #quoted(kind: 'string' | 'name', prefix: number): Token {
    const from = this.#at;
    const opening = this.#sql[from + prefix] ?? '';
    const closing = CLOSING[opening] ?? opening;
    let value = '';
    this.#at += prefix + 1;
    for (;;) {
      const end = this.#sql.indexOf(closing, this.#at);
      if (end === -1) {
        const rest = this.#sql.slice(from + prefix + 1);
        throw new SqlError(105, `Unclosed quotation mark after the character string '${rest}'.`, { severity: 15 });
      }
      value += this.#sql.slice(this.#at, end);
      this.#at = end + 1;
      if (this.#sql[this.#at] !== closing) break;
      value += closing;
      this.#at++;
    }
    const token = this.#token(kind, this.#sql.slice(from, this.#at), value);
    this.#line += value.split('\n').length - 1;
    return token;
  }

  #token(kind: TokenKind, text: string, value: string): Token {
    return { kind, text, value, line: this.#line, glued: this.#glued };
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#sql)?.[0];
    if (match !== undefined) this.#at += match.length;
    return match;
  }
}

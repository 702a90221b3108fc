import { SqlError } from '../sql-error.js';
import { type SqlType, sqlType } from '../sql-type.js';
import type { Token } from './lexer.js';

/** Two-word names of types, by their first word and the second. */
const LONG_TYPE_NAMES: Readonly<Record<string, string>> = {
  'DOUBLE PRECISION': 'float',
  'CHARACTER VARYING': 'varchar',
  'CHAR VARYING': 'varchar',
  'NATIONAL CHARACTER': 'nchar',
  'NATIONAL CHAR': 'nchar',
};

/** Words that a statement begins with. */
export const STATEMENT_WORDS = new Set(
  `SELECT INSERT UPDATE DELETE MERGE WITH DECLARE SET IF BEGIN COMMIT ROLLBACK SAVE EXEC EXECUTE CREATE ALTER DROP TRUNCATE
  USE WAITFOR RAISERROR THROW PRINT KILL RETURN WHILE BREAK CONTINUE END ELSE GRANT DENY REVOKE SHUTDOWN DBCC`.split(
    /\s+/,
  ),
);

/** Goes through tokens from left to right. */
export class TokenCursor {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** The token so many places ahead; past the last one always that, which is `end`. */
  peek(ahead = 0): Token {
    const token = this.#tokens[this.#at + ahead] ?? this.#tokens.at(-1);
    return token ?? END;
  }

  get previous(): Token | undefined {
    return this.#tokens[this.#at - 1];
  }

  get atEnd(): boolean {
    return this.peek().kind === 'end';
  }

  next(): Token {
    const token = this.peek();
    if (token.kind !== 'end') this.#at++;
    return token;
  }

  /** True when the next tokens are these words or symbols. */
  sees(...texts: readonly string[]): boolean {
    return texts.every((text, ahead) => isToken(this.peek(ahead), text));
  }

  seesAny(texts: readonly string[]): boolean {
    return texts.some((text) => this.sees(text));
  }

  /** Goes over these words or symbols if they come next; says whether they did. */
  accept(...texts: readonly string[]): boolean {
    if (!this.sees(...texts)) return false;
    this.#at += texts.length;
    return true;
  }

  expect(...texts: readonly string[]): void {
    for (const text of texts) if (!this.accept(text)) throw this.wrong();
  }

  /** An identifier, quoted or not. */
  name(): string {
    const token = this.next();
    if (token.kind === 'word') return token.text;
    if (token.kind === 'name') return token.value;
    throw syntaxError(token);
  }

  /** The parts of a name such as [db].[schema].[table]; an empty part is left out. */
  qualifiedName(): string[] {
    const parts = [this.name()];
    while (this.accept('.')) {
      if (!this.sees('.')) parts.push(this.name());
    }
    return parts;
  }

  /** Names with commas between them, in parentheses. */
  names(): string[] {
    return this.list(() => {
      const name = this.name();
      if (!this.accept('ASC')) this.accept('DESC');
      return name;
    });
  }

  /** What `item` reads, with commas between, in parentheses. */
  list<T>(item: () => T): T[] {
    const items: T[] = [];
    this.expect('(');
    do items.push(item());
    while (this.accept(','));
    this.expect(')');
    return items;
  }

  /** The tokens up to one that stands outside all parentheses and CASE … END and of which `ends` says that it is no part. */
  until(ends: (token: Token) => boolean): Token[] {
    const taken: Token[] = [];
    let depth = 0;
    for (;;) {
      const token = this.peek();
      if (token.kind === 'end') break;
      if (depth === 0 && (isToken(token, ')') || isToken(token, ';') || ends(token))) break;
      if (isToken(token, '(') || isToken(token, 'CASE')) depth++;
      else if (isToken(token, ')') || isToken(token, 'END')) depth--;
      taken.push(this.next());
    }
    return taken;
  }

  /** The tokens up to where the next statement begins, or to one of these words or symbols. */
  statementPart(...stops: readonly string[]): Token[] {
    return this.until(
      (token) =>
        (token.kind === 'word' && STATEMENT_WORDS.has(token.value)) || stops.some((stop) => isToken(token, stop)),
    );
  }

  /** The tokens between the parenthesis that comes next and the one that closes it. */
  parenthesized(): Token[] {
    this.expect('(');
    const inside = this.until(() => false);
    this.expect(')');
    return inside;
  }

  /** A type with its arguments; undefined, and nothing read, when there is none. */
  type(): SqlType | undefined {
    const start = this.#at;
    const name = this.#typeName();
    const known = name === undefined ? undefined : sqlType(name, ...this.#typeArguments());
    if (known === undefined) this.#at = start;
    return known;
  }

  #typeName(): string | undefined {
    const long = LONG_TYPE_NAMES[`${this.peek().value} ${this.peek(1).value}`];
    const token = this.next();
    if (token.kind !== 'word' && token.kind !== 'name') return undefined;
    if (long !== undefined) {
      this.next();
      return long;
    }
    return token.value.toLowerCase() === 'sys' && this.accept('.') ? this.name() : token.value;
  }

  #typeArguments(): (number | 'max')[] {
    if (!this.sees('(')) return [];
    return this.list(() => (this.accept('MAX') ? 'max' : Number(this.next().value)));
  }

  /** The error of a batch that is no T-SQL at the next token. */
  wrong(): SqlError {
    return syntaxError(this.peek());
  }
}

const END: Token = { kind: 'end', text: '', value: '', line: 1, glued: false };

/** True when it is that word, in whatever case, or that symbol. */
export function isToken({ kind, value }: Token, text: string): boolean {
  return (kind === 'word' || kind === 'symbol') && value === text;
}

export function syntaxError(token: Token): SqlError {
  const text = token.kind === 'string' ? token.value : token.text;
  return new SqlError(102, `Incorrect syntax near '${text}'.`, { severity: 15, reach: 'batch' });
}

import { type SqlLexis, type SqlToken, sqlTokens } from '@dbmanager/core';

/** A piece that counts. */
interface Piece extends SqlToken {
  /** In capitals when it is a word; of a sign the sign; else empty. */
  readonly word: string;
}

/** What is open between two parentheses, or outside of all. */
interface Level {
  /** A comma is followed by another table. */
  list: boolean;
  /** FROM is of a function: `EXTRACT(YEAR FROM day)`. */
  ofFunction: boolean;
}

/** As many words of a statement as tell what it is. */
const HEAD_WORDS = 6;
const NOTHING: Piece = { kind: 'sign', text: '', word: '' };

const FUNCTIONS_WITH_FROM = words('EXTRACT SUBSTRING TRIM OVERLAY');
/** What may stand between FROM, JOIN and their kin and the name of a table. */
const BEFORE_SOURCE = words('ONLY LATERAL TABLE');
/** What may stand between a verb and the name of a table; after INTO only ONLY may. */
const BEFORE_TARGET = words(
  'ONLY TABLE TOP PERCENT BULK INTO IGNORE OR ABORT FAIL ROLLBACK REPLACE LOW_PRIORITY HIGH_PRIORITY DELAYED QUICK',
);
const AFTER_INTO = words('ONLY');
/** Words that end a list of tables. */
const AFTER_LIST = words(
  'WHERE GROUP ORDER HAVING LIMIT UNION EXCEPT INTERSECT SET WINDOW FETCH OFFSET FOR RETURNING OPTION OUTPUT',
);
/** Words after which UPDATE, DELETE and INSERT are part of another statement: `FOR UPDATE`, `ON CONFLICT DO UPDATE`. */
const PART_OF_ANOTHER = words('FOR KEY DO THEN');
/** Reserved words of SQL Server that begin a statement wherever they stand. */
const ALWAYS_HEADS = words('BEGIN COMMIT ROLLBACK EXEC EXECUTE CREATE ALTER DROP TRUNCATE');
const FOLLOWS_TABLE = words(', ) ; ( *');
/** Reserved on every engine: no name of a table, unless in quotes. */
const CLAUSES = words('SELECT WITH VALUES FROM SET WHEN WHERE GROUP ORDER HAVING UNION JOIN ON AS');

/** The tables that statements name, and what they do to them, found without a grammar. */
export class StatementReading {
  /** The first words of each statement of the text. */
  readonly heads: string[][] = [];
  /** INSERT, UPDATE, DELETE, MERGE, TRUNCATE and REPLACE wherever they stand as such. */
  readonly verbs = new Set<string>();
  /** Tables after INSERT, UPDATE, DELETE and their kin. */
  readonly targets = new Set<string>();
  /** Tables after FROM, JOIN and their kin. */
  readonly sources = new Set<string>();
  /** Something stands INTO something. */
  into = false;
  /** Rows are locked. */
  locking = false;
  /** Something other than a table stands where one was looked for: a function, a variable. */
  unclear = false;
  readonly #pieces: readonly Piece[];
  readonly #separated: boolean;
  readonly #levels: Level[] = [{ list: false, ofFunction: false }];
  #at = 0;
  /** Where the next name belongs. */
  #expected: Set<string> | undefined;
  #atStart = true;

  constructor(sql: string, lexis: SqlLexis) {
    this.#pieces = [...pieces(sql, lexis)];
    this.#separated = lexis.semicolons !== 'optional';
    while (this.#at < this.#pieces.length) {
      this.#noteHead();
      if (this.#expected === undefined || !this.#table(this.#expected)) this.#step();
    }
  }

  #piece(distance = 0): Piece {
    return this.#pieces[this.#at + distance] ?? NOTHING;
  }

  get #level(): Level {
    return this.#levels.at(-1) as Level;
  }

  #noteHead(): void {
    const { word } = this.#piece();
    const begins = this.#atStart ? word !== '(' && word !== ';' : !this.#separated && ALWAYS_HEADS.has(word);
    if (!begins) return;
    this.#atStart = false;
    this.heads.push(Array.from({ length: HEAD_WORDS }, (_, distance) => this.#piece(distance).word));
  }

  /** What stands where a table is looked for; false when it is a word with a meaning of its own. */
  #table(expected: Set<string>): boolean {
    const { kind, word } = this.#piece();
    if (this.#isBeforeName(expected)) {
      if (word === 'INTO') this.into = true;
      this.#at++;
      if (word === 'TOP') this.#skipGroup();
      return true;
    }
    if (word === '(') return false;
    this.#expected = undefined;
    if (isClause(word)) return false;
    if (kind === 'word' || kind === 'name') this.#name(expected);
    else if (word !== ')' && word !== ';') this.unclear = true;
    else return false;
    return true;
  }

  /** Whether a word that may stand before a name does; else it is one: all but a few can be names on some engine. */
  #isBeforeName(expected: Set<string>): boolean {
    const before = this.#piece(-1).word;
    const ofTargets = before === 'INTO' ? AFTER_INTO : BEFORE_TARGET;
    if (before === 'ONLY' || !(expected === this.sources ? BEFORE_SOURCE : ofTargets).has(this.#piece().word))
      return false;
    const { kind, word } = this.#piece(1);
    return word === '(' || kind === 'name' || (kind === 'word' && !isClause(word));
  }

  /** What stands in parentheses next, if anything does. */
  #skipGroup(): void {
    let depth = 0;
    do {
      const { word } = this.#piece();
      if (word === '(') depth++;
      else if (word === ')') depth--;
      else if (depth === 0) return;
      this.#at++;
    } while (depth > 0 && this.#at < this.#pieces.length);
  }

  /** Takes a name, of which the last part counts. */
  #name(expected: Set<string>): void {
    let name = this.#piece();
    this.#at++;
    while (this.#piece().word === '.') {
      this.#at++;
      const part = this.#piece();
      if (part.kind !== 'word' && part.kind !== 'name') continue;
      name = part;
      this.#at++;
    }
    expected.add((name.kind === 'name' ? name.text.slice(1, -1) : name.text).toLowerCase());
    const { kind, word } = this.#piece();
    if (expected === this.sources && word === '(') this.unclear = true;
    else if (kind === 'sign' && word !== '' && !FOLLOWS_TABLE.has(word) && expected === this.sources)
      this.unclear = true;
  }

  #step(): void {
    const { word } = this.#piece();
    const before = this.#piece(-1).word;
    switch (word) {
      case '(':
        // Where a table is looked for it opens more of the list: `FROM (a, b)`.
        this.#levels.push({ list: this.#expected === this.sources, ofFunction: FUNCTIONS_WITH_FROM.has(before) });
        break;
      case ')':
        if (this.#levels.length > 1) this.#levels.pop();
        this.#expected = undefined;
        break;
      case ',':
        if (this.#level.list) this.#expected = this.sources;
        break;
      case ';':
        this.#levels.length = 1;
        this.#levels[0] = { list: false, ofFunction: false };
        this.#expected = undefined;
        this.#atStart = true;
        break;
      default:
        this.#keyword(word, before);
    }
    this.#at++;
  }

  #keyword(word: string, before: string): void {
    switch (word) {
      case 'SELECT':
        this.#level.list = false;
        this.#level.ofFunction = false;
        this.#expected = undefined;
        break;
      case 'FROM':
        if (!this.#level.ofFunction && !this.#compares()) this.#expectSources();
        break;
      case 'JOIN':
      case 'STRAIGHT_JOIN':
      case 'APPLY':
        this.#expectSources();
        break;
      case 'TABLE':
        // In place of SELECT: `SELECT a FROM b UNION TABLE c`.
        if (this.#piece(1).word !== '(') this.#expectSources();
        break;
      case 'USING':
        if (this.#piece(1).word !== '(') this.#expectSources();
        break;
      case 'INTO':
        this.into = true;
        this.#expected = this.targets;
        break;
      case 'INSERT':
      case 'REPLACE':
      case 'UPDATE':
      case 'DELETE':
      case 'MERGE':
      case 'TRUNCATE':
        this.#verb(word, before);
        break;
      case 'SHARE':
        if (before === 'FOR' || before === 'KEY' || before === 'IN') this.locking = true;
        break;
      default:
        if (this.#endsList(word)) this.#level.list = false;
    }
  }

  /** Not where it is an alias, or what `FROM a FOR SYSTEM_TIME ALL, b` has. */
  #endsList(word: string): boolean {
    const { word: next } = this.#piece(1);
    return AFTER_LIST.has(word) && next !== ',' && next !== 'SYSTEM_TIME';
  }

  #expectSources(): void {
    this.#expected = this.sources;
    this.#level.list = true;
  }

  /** `a IS DISTINCT FROM b`. */
  #compares(): boolean {
    const before = this.#piece(-2).word;
    return this.#piece(-1).word === 'DISTINCT' && (before === 'IS' || before === 'NOT');
  }

  #verb(word: string, before: string): void {
    // A function: `REPLACE(a, 'b', 'c')`.
    if (this.#piece(1).word === '(' || before === '.') return;
    if (PART_OF_ANOTHER.has(before)) {
      this.locking = true;
      return;
    }
    this.verbs.add(word);
    this.#expected = this.targets;
    // MySQL updates several, and empties several.
    this.#level.list = word !== 'INSERT' && word !== 'REPLACE';
  }
}

function isClause(word: string): boolean {
  return CLAUSES.has(word);
}

function* pieces(sql: string, lexis: SqlLexis): Generator<Piece, void> {
  for (const token of sqlTokens(sql, lexis)) {
    const { kind, text } = token;
    if (kind === 'comment' || /^\s$/.test(text)) continue;
    yield { kind, text, word: kind === 'word' ? text.toUpperCase() : kind === 'sign' ? text : '' };
  }
}

function words(list: string): ReadonlySet<string> {
  return new Set(list.split(' '));
}

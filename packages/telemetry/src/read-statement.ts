import { type SqlLexis, type SqlToken, sqlTokens } from '@dbmanager/core';

/** What a statement does, and to what. */
export interface StatementSubject {
  /** Its keyword in capitals, of a schema change with the kind of object: `SELECT`, `CREATE TABLE`; `OTHER` when it is not known. */
  readonly operation: string;
  /** The first table that it names, as it is written but for quotes; undefined where that is not plain to see. */
  readonly collection: string | undefined;
}

const OTHER = 'OTHER';
/** How the collection is found. */
type Rule = 'from' | 'into' | 'object' | 'name' | 'none';

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ...rule('from', 'SELECT DELETE'),
  ...rule('into', 'INSERT REPLACE MERGE UPDATE'),
  ...rule('object', 'CREATE ALTER DROP TRUNCATE'),
  ...rule('name', 'CALL EXEC EXECUTE'),
  ...rule(
    'none',
    'BEGIN START COMMIT END ROLLBACK ABORT SAVEPOINT RELEASE SAVE SET RESET SHOW EXPLAIN DESCRIBE ANALYZE',
  ),
  ...rule(
    'none',
    'VALUES TABLE PRAGMA COPY LOCK UNLOCK USE VACUUM DO DECLARE FETCH CLOSE PREPARE DEALLOCATE DISCARD IF',
  ),
  ...rule(
    'none',
    'GRANT REVOKE LISTEN NOTIFY UNLISTEN REFRESH REINDEX COMMENT KILL LOAD FLUSH OPTIMIZE RENAME ATTACH PRINT',
  ),
]);
/** What the statement of a WITH begins with. */
const AFTER_WITH: ReadonlySet<string> = new Set(['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'MERGE', 'VALUES', 'TABLE']);
/** Kinds of objects that are made, changed and dropped. */
const OBJECTS = words(
  'TABLE INDEX VIEW SEQUENCE SCHEMA DATABASE FUNCTION PROCEDURE TRIGGER TYPE EXTENSION ROLE USER POLICY',
);
/** What may stand between a keyword and the name of the table. */
const MODIFIERS = words(
  'OR IGNORE ABORT FAIL ROLLBACK REPLACE LOW_PRIORITY HIGH_PRIORITY DELAYED ONLY TOP IF NOT EXISTS QUICK CONCURRENTLY',
);
/** What may stand between `CREATE` and the kind of object. */
const ADJECTIVES = words(
  'OR REPLACE TEMP TEMPORARY UNLOGGED UNIQUE MATERIALIZED GLOBAL LOCAL VIRTUAL CLUSTERED NONCLUSTERED',
);
/** Pieces that are looked at before giving up. */
const MOST_TOKENS = 5_000;

/** Reads what a statement is about. Of several in one text, the first counts. It may be wrong in strange cases, never costly. */
export function readStatement(sql: string, lexis: SqlLexis): StatementSubject {
  const reader = new Reader(sql, lexis);
  const keyword = mainKeyword(reader);
  switch (RULES.get(keyword)) {
    case 'from':
      return { operation: keyword, collection: reader.skipToFrom() ? tableOf(reader) : undefined };
    case 'into':
      return { operation: keyword, collection: target(reader) };
    case 'object':
      return subjectOfChange(keyword, reader);
    case 'name':
      reader.next();
      return { operation: keyword, collection: reader.name() };
    case 'none':
      return { operation: keyword, collection: undefined };
    default:
      return { operation: OTHER, collection: undefined };
  }
}

function mainKeyword(reader: Reader): string {
  let token = reader.next();
  while (token?.text === '(' || token?.text === ';') token = reader.next();
  if (token?.kind !== 'word') return '';
  if (reader.keyword !== 'WITH') return reader.keyword;
  const { depth } = reader;
  while (token !== undefined && !(reader.depth === depth && AFTER_WITH.has(reader.keyword))) token = reader.next();
  return reader.keyword;
}

/** The table after FROM; a function that gives rows is none. */
function tableOf(reader: Reader): string | undefined {
  reader.next();
  while (reader.keyword === 'ONLY' || reader.keyword === 'LATERAL') reader.next();
  const name = reader.name();
  return reader.current?.text === '(' ? undefined : name;
}

function target(reader: Reader): string | undefined {
  const { depth } = reader;
  reader.next();
  while (reader.depth > depth || reader.current?.text === ')' || MODIFIERS.has(reader.keyword)) reader.next();
  if (reader.keyword === 'INTO') reader.next();
  return reader.name();
}

function subjectOfChange(keyword: string, reader: Reader): StatementSubject {
  reader.next();
  while (ADJECTIVES.has(reader.keyword)) reader.next();
  const kind = reader.keyword;
  if (!OBJECTS.has(kind)) return { operation: keyword, collection: keyword === 'TRUNCATE' ? reader.name() : undefined };
  const operation = `${keyword} ${kind}`;
  return { operation, collection: kind === 'TABLE' ? target(reader) : undefined };
}

/** Goes through the pieces that count. */
class Reader {
  /** Of parentheses that are open at the current piece. */
  depth = 0;
  current: SqlToken | undefined;
  /** The current piece in capitals when it is a word, else empty. */
  keyword = '';
  readonly #tokens: Iterator<SqlToken, void>;
  #left = MOST_TOKENS;

  constructor(sql: string, lexis: SqlLexis) {
    this.#tokens = sqlTokens(sql, lexis);
  }

  next(): SqlToken | undefined {
    do {
      this.current = this.#left-- > 0 ? (this.#tokens.next().value ?? undefined) : undefined;
    } while (this.current !== undefined && (this.current.kind === 'comment' || /^\s$/.test(this.current.text)));
    const { current } = this;
    if (current?.text === '(') this.depth++;
    else if (current?.text === ')') this.depth--;
    this.keyword = current?.kind === 'word' ? current.text.toUpperCase() : '';
    return current;
  }

  /** To the FROM of the same depth; false when there is none. */
  skipToFrom(): boolean {
    const { depth } = this;
    for (let before = this.keyword; this.next() !== undefined; before = this.keyword) {
      if (this.depth < depth || this.current?.text === ';') return false;
      // `a IS DISTINCT FROM b` compares.
      if (this.depth === depth && this.keyword === 'FROM' && before !== 'DISTINCT') return true;
    }
    return false;
  }

  /** The name that begins here, with what it is in: `sales.orders`. Goes to the piece after it. */
  name(): string | undefined {
    const parts: string[] = [];
    while (this.current?.kind === 'word' || this.current?.kind === 'name') {
      parts.push(unquoted(this.current));
      if (this.next()?.text !== '.') break;
      this.next();
    }
    const name = parts.join('.');
    return name === '' || RULES.has(name.toUpperCase()) ? undefined : name;
  }
}

function unquoted({ kind, text }: SqlToken): string {
  return kind === 'name' ? text.slice(1, -1) : text;
}

function words(list: string): ReadonlySet<string> {
  return new Set(list.split(' '));
}

function rule(name: Rule, list: string): readonly (readonly [string, Rule])[] {
  return list.split(' ').map((keyword) => [keyword, name] as const);
}

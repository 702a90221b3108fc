import { INT } from '../sql-type.js';
import type {
  ColumnDefault,
  ColumnDefinition,
  ConstraintDefinition,
  IndexDefinition,
  ReferentialAction,
  TableAlteration,
  TableDefinition,
} from '../table-definition.js';
import type { Token } from './lexer.js';
import { isToken, type TokenCursor } from './token-cursor.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const CONSTRAINT_WORDS = ['CONSTRAINT', 'PRIMARY', 'UNIQUE', 'FOREIGN', 'CHECK'];

/** T-SQL of tokens again, with single spaces where there was any. */
export function textOf(tokens: readonly Token[]): string {
  return tokens.map(({ text, glued }, index) => (glued || index === 0 ? text : ` ${text}`)).join('');
}

/** What stands in the parentheses of CREATE TABLE, and after ADD of ALTER TABLE. */
class DefinitionParser {
  readonly #cursor: TokenCursor;
  readonly #columns: ColumnDefinition[] = [];
  readonly #constraints: ConstraintDefinition[] = [];
  readonly #indexes: IndexDefinition[] = [];
  readonly #defaults: ColumnDefault[] = [];

  constructor(cursor: TokenCursor) {
    this.#cursor = cursor;
  }

  get definition(): TableDefinition {
    return { columns: this.#columns, constraints: this.#constraints, indexes: this.#indexes };
  }

  /** Defaults of columns that are there already. */
  get defaults(): readonly ColumnDefault[] {
    return this.#defaults;
  }

  items(): this {
    do this.#item();
    while (this.#cursor.accept(','));
    return this;
  }

  #item(): void {
    const cursor = this.#cursor;
    if (cursor.sees(')')) return; // a comma before the end is allowed
    if (cursor.seesAny(CONSTRAINT_WORDS)) this.#tableConstraint();
    else if (cursor.sees('INDEX')) this.#index();
    else this.#column();
  }

  #index(): void {
    this.#cursor.expect('INDEX');
    const name = this.#cursor.name();
    const unique = this.#cursor.accept('UNIQUE');
    this.#clustering();
    this.#indexes.push({ name, columns: this.#cursor.names(), unique });
  }

  #column(): void {
    const cursor = this.#cursor;
    const name = cursor.name();
    const column: Mutable<ColumnDefinition> = { name, type: INT, nullable: true };
    if (cursor.accept('AS')) {
      const expression = textOf(cursor.parenthesized());
      column.computed = { expression: `(${expression})`, persisted: cursor.accept('PERSISTED') };
    } else {
      const type = cursor.type();
      if (type === undefined) throw cursor.wrong();
      column.type = type;
    }
    while (this.#columnProperty(column));
    this.#columns.push(column);
  }

  /** False when no property comes next. */
  #columnProperty(column: Mutable<ColumnDefinition>): boolean {
    const cursor = this.#cursor;
    if (cursor.accept('NOT', 'NULL')) column.nullable = false;
    else if (cursor.accept('NULL')) column.nullable = true;
    else if (cursor.accept('IDENTITY')) column.identity = this.#identity(column);
    else if (cursor.accept('COLLATE')) column.collation = cursor.name();
    else if (cursor.accept('ROWGUIDCOL') || cursor.accept('SPARSE')) return true;
    else return this.#columnConstraint(column);
    return true;
  }

  #identity(column: { nullable: boolean }): NonNullable<ColumnDefinition['identity']> {
    column.nullable = false;
    if (!this.#cursor.sees('(')) return { id: 0, seed: 1, increment: 1 };
    const [seed = 1, increment = 1] = this.#cursor.list(() =>
      Number(textOf([...this.#cursor.until((t) => isToken(t, ','))])),
    );
    return { id: 0, seed, increment };
  }

  #columnConstraint(column: Mutable<ColumnDefinition>): boolean {
    const cursor = this.#cursor;
    const name = cursor.accept('CONSTRAINT') ? cursor.name() : '';
    if (cursor.accept('DEFAULT')) column.default = { name, expression: this.#defaultExpression() };
    else if (cursor.accept('PRIMARY', 'KEY')) {
      column.nullable = false;
      this.#key('primary', name, [column.name]);
    } else if (cursor.accept('UNIQUE')) this.#key('unique', name, [column.name]);
    else if (cursor.accept('CHECK')) this.#check(name);
    else if (cursor.sees('REFERENCES') || cursor.accept('FOREIGN', 'KEY')) this.#foreign(name, [column.name]);
    else if (name !== '') throw cursor.wrong();
    else return false;
    return true;
  }

  /** As SQL Server keeps it: in parentheses, a number in two pairs, functions in small letters. */
  #defaultExpression(): string {
    const cursor = this.#cursor;
    if (cursor.sees('(')) return `(${textOf(cursor.parenthesized())})`;
    const tokens = [cursor.next()];
    const [first] = tokens;
    if (first?.kind === 'number') return `((${first.text}))`;
    if (cursor.previous?.value === 'CURRENT_TIMESTAMP') return '(getdate())';
    if (cursor.previous?.kind === 'symbol') tokens.push(cursor.next());
    if (cursor.sees('(')) return `(${textOf(tokens).toLowerCase()}(${textOf(cursor.parenthesized())}))`;
    return `(${textOf(tokens)})`;
  }

  #tableConstraint(): void {
    const cursor = this.#cursor;
    const name = cursor.accept('CONSTRAINT') ? cursor.name() : '';
    if (cursor.accept('PRIMARY', 'KEY')) this.#key('primary', name);
    else if (cursor.accept('UNIQUE')) this.#key('unique', name);
    else if (cursor.accept('CHECK')) this.#check(name);
    else if (cursor.accept('DEFAULT')) this.#defaultFor(name);
    else if (cursor.accept('FOREIGN', 'KEY')) this.#foreign(name, cursor.names());
    else throw cursor.wrong();
  }

  #key(kind: 'primary' | 'unique', name: string, ofColumn?: readonly string[]): void {
    this.#clustering();
    const columns = ofColumn ?? this.#cursor.names();
    this.#indexOptions();
    this.#constraints.push({ kind, name, columns });
  }

  #clustering(): void {
    if (!this.#cursor.accept('CLUSTERED')) this.#cursor.accept('NONCLUSTERED');
  }

  /** WITH (…) and ON filegroup: of no meaning here. */
  #indexOptions(): void {
    if (this.#cursor.accept('WITH')) this.#cursor.parenthesized();
    if (this.#cursor.sees('ON') && !this.#cursor.sees('ON', 'DELETE') && !this.#cursor.sees('ON', 'UPDATE')) {
      this.#cursor.next();
      this.#cursor.name();
    }
  }

  #check(name: string): void {
    this.#cursor.accept('NOT', 'FOR', 'REPLICATION');
    this.#constraints.push({ kind: 'check', name, expression: `(${textOf(this.#cursor.parenthesized())})` });
  }

  /** DEFAULT … FOR column, of ALTER TABLE … ADD. */
  #defaultFor(name: string): void {
    const expression = this.#defaultExpression();
    this.#cursor.expect('FOR');
    const column = this.#cursor.name();
    this.#defaults.push({ name, column, expression });
  }

  #foreign(name: string, columns: readonly string[]): void {
    const cursor = this.#cursor;
    cursor.expect('REFERENCES');
    const references = cursor.qualifiedName();
    const referenced = cursor.sees('(') ? cursor.names() : [];
    let onDelete: ReferentialAction = 'NO ACTION';
    let onUpdate: ReferentialAction = 'NO ACTION';
    for (;;) {
      if (cursor.accept('ON', 'DELETE')) onDelete = this.#action();
      else if (cursor.accept('ON', 'UPDATE')) onUpdate = this.#action();
      else break;
    }
    this.#constraints.push({ kind: 'foreign', name, columns, references, referenced, onDelete, onUpdate });
  }

  #action(): ReferentialAction {
    const cursor = this.#cursor;
    if (cursor.accept('CASCADE')) return 'CASCADE';
    if (cursor.accept('SET', 'NULL')) return 'SET NULL';
    if (cursor.accept('SET', 'DEFAULT')) return 'SET DEFAULT';
    cursor.expect('NO', 'ACTION');
    return 'NO ACTION';
  }
}

/** Reads what stands after the name in CREATE TABLE, and in DECLARE @t TABLE. */
export function parseTableDefinition(cursor: TokenCursor): TableDefinition {
  cursor.expect('(');
  const { definition } = new DefinitionParser(cursor).items();
  cursor.expect(')');
  return definition;
}

/** Reads what stands after the name in ALTER TABLE. */
export function parseAlteration(cursor: TokenCursor): TableAlteration {
  const check = cursor.accept('WITH', 'CHECK') || cursor.accept('WITH', 'NOCHECK');
  if (cursor.accept('ADD')) {
    const { definition, defaults } = new DefinitionParser(cursor).items();
    return { kind: 'add', definition, defaults };
  }
  if (check || cursor.sees('CHECK') || cursor.sees('NOCHECK')) return parseChecking(cursor);
  if (cursor.accept('ALTER', 'COLUMN')) return parseColumnChange(cursor);
  cursor.expect('DROP');
  return parseDrops(cursor);
}

function parseChecking(cursor: TokenCursor): TableAlteration {
  const on = cursor.accept('CHECK');
  if (!on) cursor.expect('NOCHECK');
  cursor.expect('CONSTRAINT');
  return { kind: 'check', on, name: cursor.accept('ALL') ? undefined : cursor.name() };
}

function parseColumnChange(cursor: TokenCursor): TableAlteration {
  const name = cursor.name();
  const type = cursor.type();
  if (type === undefined) throw cursor.wrong();
  if (cursor.accept('COLLATE')) cursor.name();
  const required = cursor.accept('NOT', 'NULL');
  if (!required) cursor.accept('NULL');
  return { kind: 'alterColumn', name, type, nullable: !required };
}

function parseDrops(cursor: TokenCursor): TableAlteration {
  const columns: string[] = [];
  const constraints: string[] = [];
  let into = constraints;
  let ifExists = false;
  do {
    if (cursor.accept('COLUMN')) into = columns;
    else if (cursor.accept('CONSTRAINT')) into = constraints;
    ifExists = cursor.accept('IF', 'EXISTS') || ifExists;
    into.push(cursor.name());
  } while (cursor.accept(','));
  return { kind: 'drop', columns, constraints, ifExists };
}

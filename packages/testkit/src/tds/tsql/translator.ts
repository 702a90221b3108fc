import { SqlError } from '../sql-error.js';
import { DATETIME, familyOf, type SqlType } from '../sql-type.js';
import type { ColumnDefinition, TableDefinition } from '../table-definition.js';
import { defaultExpression } from './default-expression.js';
import { FUNCTION_TYPES, SYSTEM_VARIABLE_TYPES, translateFunction } from './functions.js';
import { type Token, tokenize } from './lexer.js';
import { unsupported } from './parser.js';
import { assignedVariable, type Item, isStar, itemOf, itemsEnd, itemsStart, typeOfNodes } from './select-items.js';
import {
  type Group,
  indexOfWord,
  isGroup,
  isName,
  isNode,
  type Node,
  nameAt,
  nameOf,
  splitAtCommas,
  treeOf,
} from './token-tree.js';

/** A table that a name has been resolved to. */
export interface ResolvedTable {
  /** Its name in SQLite, quoted. */
  readonly sqlName: string;
  /** True when nobody else can see it: a temporary table or a table variable. */
  readonly temporary: boolean;
  readonly definition: TableDefinition | undefined;
}

/** What a translation must know of where it is to run. */
export interface TranslationScope {
  readonly database: string;
  isSchema(name: string): boolean;
  isTableVariable(name: string): boolean;
  /** The type of a variable or parameter; undefined when there is none of that name. */
  variableType(name: string): SqlType | undefined;
  table(parts: readonly string[]): ResolvedTable;
}

/** What is known of a column of a result before it runs. */
export interface ResultColumn {
  readonly name: string;
  readonly type: SqlType | undefined;
  /** The column that it is, when it is no more than that. */
  readonly reference?: string | undefined;
}

/** A statement in SQLite's SQL. */
export interface Translation {
  readonly sql: string;
  readonly verb: 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';
  /** The columns of its result; undefined: as SQLite gives them. */
  readonly columns?: readonly ResultColumn[] | undefined;
  /** Variables that take the values of the last row instead of sending any. */
  readonly assigns?: readonly string[];
  /** The new table of SELECT … INTO. */
  readonly into?: readonly string[];
  /** Where the rows of OUTPUT … INTO go, and which columns of it they fill. */
  readonly outputInto?: { readonly table: ResolvedTable; readonly columns: readonly string[] };
  /** The table that it writes to. */
  readonly target?: ResolvedTable;
  /** The columns that INSERT names. */
  readonly inserted?: readonly string[];
  /** The values that INSERT has for its columns, as expressions, row by row. */
  readonly insertedValues?: { readonly columns: readonly string[]; readonly rows: readonly (readonly string[])[] };
  /** It asks for locks as a writer does, by hints. */
  readonly locks: boolean;
  /** Of MERGE, which is several statements; then `sql` is empty. */
  readonly merge?: MergeSteps;
}

/** What MERGE does, one after the other. */
export interface MergeSteps {
  /** Makes the temporary table of the source, and marks its rows that match. */
  readonly prepare: readonly string[];
  /** Writes; each may give the rows of OUTPUT. */
  readonly write: readonly string[];
  readonly clean: string;
}

const LOCK_HINTS = ['UPDLOCK', 'XLOCK', 'HOLDLOCK', 'SERIALIZABLE', 'TABLOCKX', 'REPEATABLEREAD'];
/** Words before a parenthesis that are no functions. */
const NOT_FUNCTIONS = new Set(
  `SELECT FROM WHERE AND OR NOT IN EXISTS AS ON VALUES UNION ALL EXCEPT INTERSECT JOIN INNER OUTER CROSS CASE WHEN THEN ELSE
  BETWEEN LIKE IS SET INTO TABLE BY HAVING ORDER GROUP DISTINCT TOP OVER PARTITION WITH USING ANY SOME`.split(/\s+/),
);
/** What a chain of additions goes no further than. */
const CHAIN_ENDS =
  `, = < > <= >= <> != AND OR NOT AS FROM WHERE SELECT WHEN THEN ELSE CASE END ON LIKE IN BY SET VALUES BETWEEN IS`.split(
    ' ',
  );
const SYMBOLS: Readonly<Record<string, string>> = { '!<': '>=', '!>': '<=' };

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The name that a table of a schema has in SQLite, which has no schemas. */
export function tableName(schema: string, table: string): string {
  return schema.toLowerCase() === 'dbo' ? table : `${schema.toLowerCase()}.${table}`;
}

/** Turns statements and expressions into those of SQLite. One for each statement. */
export class Translator {
  readonly scope: TranslationScope;
  /** True while the columns of OUTPUT are translated: they are of the tables inserted and deleted. */
  #inOutput = false;
  #locks = false;

  constructor(scope: TranslationScope) {
    this.scope = scope;
  }

  expression(tokens: readonly Token[]): string {
    return this.render(treeOf(tokens));
  }

  /** An expression that a definition keeps as text. */
  definedExpression(text: string): string {
    return this.expression(tokenize(text));
  }

  query(tokens: readonly Token[]): Translation {
    const nodes = treeOf(tokens);
    if (!isNode(nodes[0], 'WITH')) return this.#statement(nodes, '');
    const main = indexOfWord(nodes, ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'MERGE']);
    if (main === -1) throw new SqlError(102, `Incorrect syntax near 'WITH'.`, { severity: 15, reach: 'batch' });
    return this.#statement(nodes.slice(main), `WITH ${this.render(nodes.slice(1, main))} `);
  }

  #statement(nodes: readonly Node[], prefix: string): Translation {
    const [first] = nodes;
    if (isNode(first, 'INSERT')) return this.#insert(nodes, prefix);
    if (isNode(first, 'UPDATE')) return this.#update(nodes, prefix);
    if (isNode(first, 'DELETE')) return this.#delete(nodes, prefix);
    if (isNode(first, 'MERGE')) return this.#merge(nodes);
    if (isGroup(first)) return { sql: prefix + this.render(nodes), verb: 'SELECT', locks: this.#locks };
    return this.#select(nodes, prefix);
  }

  #select(nodes: readonly Node[], prefix: string): Translation {
    const end = itemsEnd(nodes);
    const parts = splitAtCommas(nodes.slice(itemsStart(nodes), end));
    const assigns = parts.map(assignedVariable).filter((name) => name !== undefined);
    const items = parts.map((part) => itemOf(assigns.length > 0 ? part.slice(2) : part));
    const into = isNode(nodes[end], 'INTO') ? nameAt(nodes, end + 1) : undefined;
    const distinct = isNode(nodes[1], 'DISTINCT') ? 'DISTINCT ' : '';
    const top = nodes.slice(0, itemsStart(nodes)).findIndex((node) => isNode(node, 'TOP'));
    const limit = top === -1 ? '' : this.#limit(nodes[top + 1]);
    const rest = this.render(nodes.slice(into?.end ?? end));
    if (limit !== '' && indexOfWord(nodes, ['UNION', 'EXCEPT', 'INTERSECT']) !== -1)
      throw unsupported('TOP with UNION');
    const sql = `${prefix}SELECT ${distinct}${items.map((item) => this.#item(item)).join(', ')} ${rest}${limit}`;
    if (assigns.length > 0) return { sql, verb: 'SELECT', assigns, locks: this.#locks };
    const columns = this.#resultColumns(items);
    return { sql, verb: 'SELECT', columns, locks: this.#locks, ...(into !== undefined && { into: into.parts }) };
  }

  #item({ alias, expression }: Item): string {
    return alias === undefined ? this.render(expression) : `${this.render(expression)} AS ${quoted(alias)}`;
  }

  #limit(count: Node | undefined): string {
    if (count === undefined) return '';
    return ` LIMIT ${isGroup(count) ? `(${this.render(count.nodes)})` : this.render([count])}`;
  }

  #insert(nodes: readonly Node[], prefix: string): Translation {
    let at = isNode(nodes[1], 'INTO') ? 2 : 1;
    const name = nameAt(nodes, at);
    if (name === undefined) throw unsupported('this form of INSERT');
    const target = this.scope.table(name.parts);
    at = this.#skipHint(nodes, name.end);
    const list = nodes[at];
    const named =
      isGroup(list) && !isNode(list.nodes[0], 'SELECT') ? splitAtCommas(list.nodes).map(lastName) : undefined;
    if (named !== undefined) at++;
    const columns = named ?? target.definition?.columns.filter(isFilled).map((column) => column.name);
    const output = this.#output(nodes, at, target);
    const source = nodes.slice(output.end);
    const values = isNode(source[0], 'VALUES') ? this.#values(source, columns ?? [], target) : undefined;
    const rows = values?.map((row) => `(${row.join(', ')})`).join(', ');
    const from = rows === undefined ? this.render(source) : `VALUES ${rows}`;
    const into = columns === undefined || isNode(source[0], 'DEFAULT') ? '' : ` (${columns.map(quoted).join(', ')})`;
    const sql = `${prefix}INSERT INTO ${target.sqlName}${into} ${from}${output.sql}`;
    const insertedValues = { columns: columns ?? [], rows: values ?? [] };
    return { sql, verb: 'INSERT', target, inserted: named ?? [], insertedValues, locks: true, ...output.result };
  }

  /** The rows of VALUES; SQLite has no DEFAULT among them. */
  #values(nodes: readonly Node[], columns: readonly string[], target: ResolvedTable): string[][] {
    return splitAtCommas(nodes.slice(1)).map((row) => {
      const [group] = row;
      if (!isGroup(group)) throw unsupported('this form of VALUES');
      return splitAtCommas(group.nodes).map((value, index) =>
        isNode(value[0], 'DEFAULT') ? this.#defaultOf(columns[index], target) : this.render(value),
      );
    });
  }

  #defaultOf(column: string | undefined, { definition }: ResolvedTable): string {
    const found = definition?.columns.find(({ name }) => name.toLowerCase() === column?.toLowerCase());
    return (found && defaultExpression(found, (text) => this.definedExpression(text))) ?? 'NULL';
  }

  #update(nodes: readonly Node[], prefix: string): Translation {
    const top = isNode(nodes[1], 'TOP');
    const set = indexOfWord(nodes, ['SET']);
    const name = nameAt(nodes, top ? 3 : 1);
    if (name === undefined || set === -1 || top) throw unsupported('this form of UPDATE');
    const end = indexOfWord(nodes, ['OUTPUT', 'FROM', 'WHERE', 'OPTION'], set);
    const rest = end === -1 ? [] : nodes.slice(end);
    const assigned = splitAtCommas(nodes.slice(set + 1, end === -1 ? nodes.length : end)).map((a) =>
      this.#assignment(a),
    );
    const { target, table, joined, where, output } = this.#writeParts(rest, name.parts);
    const from = joined === undefined ? '' : ` FROM ${joined}`;
    const sql = `${prefix}UPDATE ${table} SET ${assigned.join(', ')}${from}${where}${output.sql}`;
    return { sql, verb: 'UPDATE', target, locks: true, ...output.result };
  }

  /** `t.a = 1`: SQLite takes no table there. */
  #assignment(nodes: readonly Node[]): string {
    const name = nameAt(nodes, 0);
    if (name === undefined || !isNode(nodes[name.end], '=')) return this.render(nodes);
    const value = nodes.slice(name.end + 1);
    return `${quoted(name.parts.at(-1) ?? '')} = ${isNode(value[0], 'DEFAULT') ? 'NULL' : this.render(value)}`;
  }

  #delete(nodes: readonly Node[], prefix: string): Translation {
    const from = isNode(nodes[1], 'FROM') ? 2 : 1;
    const name = nameAt(nodes, from);
    if (name === undefined || isNode(nodes[1], 'TOP')) throw unsupported('this form of DELETE');
    const { target, table, joined, where, output } = this.#writeParts(nodes.slice(name.end), name.parts);
    const matched = joined === undefined ? where : ` WHERE EXISTS (SELECT 1 FROM ${joined}${where})`;
    const sql = `${prefix}DELETE FROM ${table}${matched}${output.sql}`;
    return { sql, verb: 'DELETE', target, locks: true, ...output.result };
  }

  /** OUTPUT, FROM and WHERE of UPDATE and DELETE. FROM says which table their name, or alias, stands for. */
  #writeParts(nodes: readonly Node[], named: readonly string[]) {
    const from = indexOfWord(nodes, ['FROM']);
    const source = from === -1 ? undefined : writeSource(nodes, from + 1);
    const target = this.scope.table(source?.parts ?? named);
    const at = this.#skipHint(nodes, 0);
    const output = this.#output(nodes, at, target);
    const whereAt = indexOfWord(nodes, ['WHERE'], at);
    const conditions = [source?.on, whereAt === -1 ? undefined : nodes.slice(whereAt + 1)].filter(
      (part) => part !== undefined,
    );
    const where =
      conditions.length === 0 ? '' : ` WHERE ${conditions.map((part) => this.#condition(part)).join(' AND ')}`;
    const alias = source?.alias ?? (named.length > 1 ? named.at(-1) : undefined);
    const table = alias === undefined ? target.sqlName : `${target.sqlName} AS ${quoted(alias)}`;
    return { target, table, joined: source?.joined && this.render(source.joined), where, output };
  }

  #condition(nodes: readonly Node[]): string {
    const end = indexOfWord(nodes, ['OPTION']);
    return `(${this.render(end === -1 ? nodes : nodes.slice(0, end))})`;
  }

  /** MERGE: SQLite has none. Its source becomes a table, so that what it writes does not change what it matches. */
  #merge(nodes: readonly Node[]): Translation {
    const name = nameAt(nodes, isNode(nodes[1], 'INTO') ? 2 : 1);
    const using = indexOfWord(nodes, ['USING']);
    const on = indexOfWord(nodes, ['ON'], using);
    if (name === undefined || using === -1 || on === -1) throw unsupported('this form of MERGE');
    const target = this.scope.table(name.parts);
    const named = itemOf(nodes.slice(this.#skipHint(nodes, name.end) - 1, using)).alias ?? name.parts.at(-1) ?? '';
    const source = derivedName(nodes.slice(using + 1, on));
    const clauses = clausesOf(nodes, on);
    const condition = this.#condition(nodes.slice(on + 1, clauses.start));
    const outputAt = indexOfWord(nodes, ['OUTPUT', 'OPTION'], clauses.start);
    const output = outputAt === -1 ? { sql: '', end: nodes.length, result: {} } : this.#output(nodes, outputAt, target);
    const [table, rows] = [`${target.sqlName} AS ${quoted(named)}`, `temp.__merge AS ${quoted(source)}`];
    const places = { target, table, rows, condition };
    return {
      sql: '',
      verb: 'INSERT',
      target,
      locks: true,
      merge: {
        prepare: [
          `CREATE TEMP TABLE __merge AS SELECT *, 0 AS __matched FROM ${this.#sourceOfMerge(nodes.slice(using, on))}`,
          `UPDATE ${rows} SET __matched = 1 WHERE EXISTS (SELECT 1 FROM ${table} WHERE ${condition})`,
        ],
        write: clauses.parts.map((clause) => this.#mergeClause(clause, places) + output.sql),
        clean: 'DROP TABLE IF EXISTS temp.__merge',
      },
      ...output.result,
    };
  }

  /** @param nodes From USING on. */
  #sourceOfMerge(nodes: readonly Node[]): string {
    const using = nodes[0] as Token;
    return this.render(nodes).slice(using.text.length);
  }

  #mergeClause(clause: MergeClause, { target, table, rows, condition }: MergePlaces): string {
    const { matched, bySource, extra, action } = clause;
    const also = extra.length === 0 ? '' : ` AND ${this.#condition(extra)}`;
    if (isNode(action[0], 'UPDATE')) {
      if (bySource) throw unsupported('MERGE … WHEN NOT MATCHED BY SOURCE THEN UPDATE');
      const assigned = splitAtCommas(action.slice(2)).map((assignment) => this.#assignment(assignment));
      return `UPDATE ${table} SET ${assigned.join(', ')} FROM ${rows} WHERE ${condition}${also}`;
    }
    if (isNode(action[0], 'DELETE')) {
      const exists = `EXISTS (SELECT 1 FROM ${rows} WHERE ${condition}${matched ? also : ''})`;
      return `DELETE FROM ${table} WHERE ${matched ? exists : `NOT ${exists}${also}`}`;
    }
    const [, list] = action;
    const values = action.find((node, index) => isGroup(node) && isNode(action[index - 1], 'VALUES'));
    const from = `FROM ${rows} WHERE __matched = 0${also}`;
    if (!isGroup(values)) return this.#insertDefaults(target, from);
    const columns = isGroup(list)
      ? splitAtCommas(list.nodes).map(lastName)
      : (target.definition?.columns.filter(isFilled).map((column) => column.name) ?? []);
    const rendered = splitAtCommas(values.nodes).map((value, index) =>
      isNode(value[0], 'DEFAULT') ? this.#defaultOf(columns[index], target) : this.render(value),
    );
    return `INSERT INTO ${target.sqlName} (${columns.map(quoted).join(', ')}) SELECT ${rendered.join(', ')} ${from}`;
  }

  /** As many rows of defaults as `from` has. */
  #insertDefaults(target: ResolvedTable, from: string): string {
    const columns = target.definition?.columns.filter(({ computed }) => computed === undefined) ?? [];
    const values = columns.map(({ name }) => this.#defaultOf(name, target));
    const names = columns.map(({ name }) => quoted(name));
    return `INSERT INTO ${target.sqlName} (${names.join(', ')}) SELECT ${values.join(', ')} ${from}`;
  }

  /** OUTPUT, as SQLite's RETURNING. */
  #output(nodes: readonly Node[], from: number, target: ResolvedTable): Output {
    if (!isNode(nodes[from], 'OUTPUT')) return { sql: '', end: from, result: {} };
    const found = indexOfWord(nodes, ['VALUES', 'SELECT', 'DEFAULT', 'FROM', 'WHERE', 'INTO', 'OPTION'], from);
    const end = found === -1 ? nodes.length : found;
    const items = splitAtCommas(nodes.slice(from + 1, end)).map(itemOf);
    this.#inOutput = true;
    const sql = ` RETURNING ${items.map((item) => this.#item(item)).join(', ')}`;
    this.#inOutput = false;
    const columns = items.flatMap((item) => this.#outputColumns(item, target));
    if (!isNode(nodes[end], 'INTO')) return { sql, end, result: { columns } };
    const name = nameAt(nodes, end + 1);
    if (name === undefined) throw unsupported('this form of OUTPUT … INTO');
    const list = nodes[name.end];
    const table = this.scope.table(name.parts);
    const filled = isGroup(list)
      ? splitAtCommas(list.nodes).map(lastName)
      : table.definition?.columns.map((column) => column.name);
    const outputInto = { table, columns: filled ?? [] };
    return { sql, end: isGroup(list) ? name.end + 1 : name.end, result: { outputInto } };
  }

  #outputColumns(item: Item, { definition }: ResolvedTable): ResultColumn[] {
    const columns = definition?.columns ?? [];
    if (isStar(item)) return columns.map(({ name, type }) => ({ name, type }));
    const { alias, expression } = item;
    const reference = nameAt(expression, 0);
    const last = reference?.parts.at(-1)?.toLowerCase();
    const found = columns.find((column) => column.name.toLowerCase() === last);
    if (reference?.end === expression.length && found !== undefined)
      return [{ name: alias ?? reference.parts.at(-1) ?? '', type: found.type }];
    return [{ name: alias ?? '', type: this.#typeOf(expression) }];
  }

  /** What is known of the columns of SELECT; undefined when it has a `*`. */
  #resultColumns(items: readonly Item[]): ResultColumn[] | undefined {
    if (items.some(isStar)) return undefined;
    return items.map(({ alias, expression }) => {
      const reference = nameAt(expression, 0);
      const isColumn = reference?.end === expression.length && expression[0]?.kind !== 'variable';
      const column = isColumn ? reference.parts.at(-1) : undefined;
      // SQL Server calls a column as the query does, in its capitals.
      return { name: alias ?? column ?? '', type: this.#typeOf(expression), reference: column };
    });
  }

  /** The type of an expression, as far as it shows at a glance. */
  #typeOf(nodes: readonly Node[]): SqlType | undefined {
    const [first, second] = nodes;
    if (nodes.length === 1 && isGroup(first)) return this.#typeOf(first.nodes);
    if (nodes.length === 1 && first?.kind === 'variable') {
      return this.scope.variableType(first.value) ?? SYSTEM_VARIABLE_TYPES[first.value];
    }
    if (first?.kind !== 'word' || !isGroup(second) || (nodes.length > 2 && !isNode(nodes[2], 'OVER'))) return undefined;
    const args = splitAtCommas(second.nodes);
    switch (first.value) {
      case 'CAST':
      case 'TRY_CAST':
        return typeOfNodes(second.nodes.slice(indexOfWord(second.nodes, ['AS']) + 1));
      case 'CONVERT':
      case 'TRY_CONVERT':
        return typeOfNodes(args[0] ?? []);
      case 'DATEADD':
        return this.#typeOf(args[2] ?? []) ?? DATETIME;
      case 'ISNULL':
      case 'COALESCE':
      case 'MAX':
      case 'MIN':
        return this.#typeOf(args[0] ?? []);
      default:
        return FUNCTION_TYPES[first.value];
    }
  }

  /** Any part of a statement, in SQLite's words. */
  render(nodes: readonly Node[]): string {
    const out: string[] = [];
    let limit = '';
    for (let at = 0; at < nodes.length; ) {
      const node = nodes[at];
      if (isNode(node, 'TOP') && isNode(nodes[at - 1], 'SELECT', 'DISTINCT', 'ALL')) {
        limit = this.#limit(nodes[at + 1]);
        at += 2;
      } else at = this.#clause(nodes, at, out) ?? this.#operand(nodes, at, out);
    }
    return out.join(' ') + limit;
  }

  /** Clauses that SQLite has in another form or not at all. Gives the place after it; undefined when it is none. */
  #clause(nodes: readonly Node[], at: number, out: string[]): number | undefined {
    const node = nodes[at];
    if (isNode(node, 'WITH') && isGroup(nodes[at + 1])) return this.#skipHint(nodes, at);
    if (isNode(node, 'OPTION') && isGroup(nodes[at + 1])) return at + 2;
    if (isNode(node, 'OFFSET')) return this.#offset(nodes, at, out);
    if (isNode(node, 'COLLATE')) {
      const name = nodes[at + 1];
      out.push('COLLATE', isName(name) && /_CS|_BIN/i.test(nameOf(name)) ? 'BINARY' : 'NOCASE');
      return at + 2;
    }
    if (isNode(node, 'FOR') && isNode(nodes[at + 1], 'JSON', 'XML')) throw unsupported('FOR JSON and FOR XML');
    if (isNode(node, 'APPLY')) throw unsupported('APPLY');
    return undefined;
  }

  /** Goes over WITH (…) after a table, and takes note of what it asks for. */
  #skipHint(nodes: readonly Node[], at: number): number {
    const hint = nodes[at + 1];
    if (!isNode(nodes[at], 'WITH') || !isGroup(hint)) return at;
    if (hint.nodes.some((node) => isNode(node, ...LOCK_HINTS))) this.#locks = true;
    return at + 2;
  }

  #offset(nodes: readonly Node[], at: number, out: string[]): number | undefined {
    const rows = indexOfWord(nodes, ['ROWS', 'ROW'], at);
    if (rows === -1) return undefined;
    const offset = this.render(nodes.slice(at + 1, rows));
    const fetches = isNode(nodes[rows + 1], 'FETCH');
    const only = fetches ? indexOfWord(nodes, ['ONLY'], rows) : rows;
    const count = fetches ? this.render(nodes.slice(rows + 3, only - 1)) : '-1';
    out.push('LIMIT', count, 'OFFSET', offset);
    return only + 1;
  }

  /** One operand, operator or keyword. Gives the place after it. */
  #operand(nodes: readonly Node[], at: number, out: string[]): number {
    const node = nodes[at] as Node;
    switch (node.kind) {
      case 'group':
        return this.#group(nodes, at, out);
      case 'string':
        out.push(literal(node.value));
        return at + 1;
      case 'binary':
        out.push(`x'${node.value.length % 2 === 0 ? node.value : `0${node.value}`}'`);
        return at + 1;
      case 'variable':
        if (!isNode(nodes[at + 1], '.')) out.push(this.#variable(node));
        else return this.#named(nodes, at, out);
        return at + 1;
      case 'word':
      case 'name':
        return this.#named(nodes, at, out);
      case 'symbol':
        out.push(symbolAt(nodes, at));
        return at + 1;
      default:
        out.push(node.text);
        return at + 1;
    }
  }

  /** What is in parentheses; a query with names for its columns behind becomes one WITH them. */
  #group(nodes: readonly Node[], at: number, out: string[]): number {
    const inner = `(${this.render((nodes[at] as Group).nodes)})`;
    const named = isNode(nodes[at + 1], 'AS') ? at + 2 : at + 1;
    const [name, columns] = [nodes[named], nodes[named + 1]];
    const isTable =
      isNode(nodes[at - 1], 'FROM', 'JOIN', 'USING', ',') &&
      isNode((nodes[at] as Group).nodes[0], 'SELECT', 'VALUES', 'WITH');
    if (!isTable || !isName(name) || NOT_FUNCTIONS.has(name.value) || !isGroup(columns)) {
      out.push(inner);
      return at + 1;
    }
    const alias = quoted(nameOf(name));
    const list = splitAtCommas(columns.nodes).map((column) => quoted(lastName(column)));
    out.push(`(WITH ${alias} (${list.join(', ')}) AS ${inner} SELECT * FROM ${alias}) AS ${alias}`);
    return named + 2;
  }

  #variable({ value }: Token): string {
    if (value.startsWith('@@')) return `${value.replace('@@', 'system_')}()`;
    if (this.scope.isTableVariable(value)) return this.scope.table([value]).sqlName;
    if (this.scope.variableType(value) !== undefined) return value;
    throw new SqlError(137, `Must declare the scalar variable "${value}".`, { severity: 15, state: 2, reach: 'batch' });
  }

  /** A keyword, a function, or a name of one or more parts. */
  #named(nodes: readonly Node[], at: number, out: string[]): number {
    const node = nodes[at] as Token;
    const name = nameAt(nodes, at);
    if (name === undefined) throw unsupported(`a name such as ${node.text}`);
    const args = nodes[name.end];
    const inFrom = isNode(nodes[at - 1], 'FROM', 'JOIN', 'USING');
    const names =
      isNode(nodes[at - 1], 'INTO', 'AS') || (inFrom && !TABLE_FUNCTIONS.has((name.parts.at(-1) ?? '').toUpperCase()));
    const isKeyword = name.parts.length === 1 && (node.kind !== 'word' || NOT_FUNCTIONS.has(node.value));
    // A name with columns in parentheses before AS (…) heads a CTE.
    const heads = isNode(nodes[name.end + 1], 'AS') && isGroup(nodes[name.end + 2]);
    if (isGroup(args) && !names && !isKeyword && !heads) {
      out.push(translateFunction(name.parts, args.nodes, this));
      return name.end + 1;
    }
    const star = isNode(nodes[name.end - 1], '.') && isNode(nodes[name.end], '*');
    out.push(name.parts.length === 1 && !star ? this.#single(node) : this.#qualified(name.parts, star));
    if (inFrom && name.parts.length > 1 && !hasAlias(nodes[name.end])) out.push('AS', quoted(name.parts.at(-1) ?? ''));
    return star ? name.end + 1 : name.end;
  }

  #single(node: Token): string {
    if (node.kind === 'name' || node.text.startsWith('#')) return quoted(nameOf(node));
    if (node.value === 'CURRENT_TIMESTAMP') return 'getdate()';
    return node.value === 'SYSTEM_USER' || node.value === 'CURRENT_USER' ? 'suser_sname()' : node.text;
  }

  #qualified(parts: readonly string[], star: boolean): string {
    const all = (names: readonly string[]) => [...names.map(quoted), ...(star ? ['*'] : [])].join('.');
    const [first = '', second = '', ...rest] = parts;
    if (this.#inOutput && /^(?:inserted|deleted)$/i.test(first)) return all(parts.slice(1));
    if (first.startsWith('@')) return all(parts);
    const isDatabase = first.toLowerCase() === this.scope.database.toLowerCase();
    if (isDatabase && rest.length > 0) return this.#qualified(parts.slice(1), star);
    if (SYSTEM_DATABASE.test(first) && rest.length > 0) return quoted(`sys.${parts.at(-1)?.toLowerCase()}`);
    if (second === '' || !this.scope.isSchema(first)) return all(parts);
    // A column of a table with its schema: the table goes by its name alone.
    return rest.length > 0 || star ? all([second, ...rest]) : quoted(tableName(first, second));
  }
}

const SYSTEM_DATABASE = /^master$/i;
/** Functions that give rows. */
const TABLE_FUNCTIONS = new Set(['FN_LISTEXTENDEDPROPERTY', 'STRING_SPLIT', 'OPENJSON', 'GENERATE_SERIES']);
const NO_TABLE_ALIAS =
  'WHERE ON INNER LEFT RIGHT FULL CROSS JOIN OUTER GROUP ORDER UNION HAVING WITH OPTION SET OUTPUT FOR'.split(' ');

/** True when what follows a table is an alias for it. */
function hasAlias(next: Node | undefined): boolean {
  return isNode(next, 'AS') || (isName(next) && !isNode(next, ...NO_TABLE_ALIAS));
}

/** What FROM of UPDATE and DELETE says: the table, its alias, and what it is joined with by which condition. */
function writeSource(nodes: readonly Node[], at: number) {
  const name = nameAt(nodes, at);
  if (name === undefined) throw unsupported('a write FROM a query');
  const as = isNode(nodes[name.end], 'AS') ? name.end + 1 : name.end;
  const alias = hasAlias(nodes[name.end]) ? nameOf(nodes[as] as Token) : undefined;
  let next = alias === undefined ? name.end : as + 1;
  if (isNode(nodes[next], 'WITH')) next += 2;
  const { parts } = name;
  const end = indexOfWord(nodes, ['WHERE', 'OPTION'], next);
  const rest = nodes.slice(next, end === -1 ? nodes.length : end);
  if (rest.length === 0) return { parts, alias, joined: undefined, on: undefined };
  const join = isNode(rest[0], 'INNER') ? 1 : 0;
  const on = indexOfWord(rest, ['ON']);
  if (!isNode(rest[join], 'JOIN') || on === -1) throw unsupported('this join of a write');
  const found = indexOfWord(rest, ['INNER', 'LEFT', 'JOIN', 'CROSS'], on);
  const following = found === -1 ? rest.length : found;
  const joined = [...rest.slice(join + 1, on), ...rest.slice(following)];
  return { parts, alias, joined, on: rest.slice(on + 1, following) };
}

interface MergeClause {
  readonly matched: boolean;
  readonly bySource: boolean;
  readonly extra: readonly Node[];
  readonly action: readonly Node[];
}

interface MergePlaces {
  readonly target: ResolvedTable;
  readonly table: string;
  readonly rows: string;
  readonly condition: string;
}

/** The WHEN … THEN … of MERGE. */
function clausesOf(nodes: readonly Node[], from: number) {
  const starts: number[] = [];
  for (let at = indexOfWord(nodes, ['WHEN'], from); at !== -1; at = indexOfWord(nodes, ['WHEN'], at + 1))
    starts.push(at);
  const found = indexOfWord(nodes, ['OUTPUT', 'OPTION'], starts.at(-1) ?? from);
  const end = found === -1 ? nodes.length : found;
  const parts = starts.map((start, index): MergeClause => {
    const clause = nodes.slice(start, starts[index + 1] ?? end);
    const then = indexOfWord(clause, ['THEN']);
    const and = indexOfWord(clause.slice(0, then), ['AND']);
    const bySource = clause.slice(0, then).some((node) => isNode(node, 'SOURCE'));
    const extra = and === -1 ? [] : clause.slice(and + 1, then);
    return { matched: !isNode(clause[1], 'NOT'), bySource, extra, action: clause.slice(then + 1) };
  });
  return { start: starts[0] ?? end, parts };
}

/** What the source of MERGE is called: the last name in it, before the names of its columns. */
function derivedName(nodes: readonly Node[]): string {
  const name = nodes.findLast((node) => isName(node));
  return isName(name) ? nameOf(name) : 'source';
}

function lastName(nodes: readonly Node[]): string {
  return nameAt(nodes, 0)?.parts.at(-1) ?? '';
}

/** True for a column that INSERT without a list of columns gives values for. */
function isFilled({ identity, computed, type }: ColumnDefinition): boolean {
  return identity === undefined && computed === undefined && type.name !== 'rowversion';
}

function symbolAt(nodes: readonly Node[], at: number): string {
  const { value } = nodes[at] as Token;
  if (value === '+' && addsText(nodes, at)) return '||';
  const divisor = nodes[at + 1];
  const byZero = (value === '/' || value === '%') && divisor?.kind === 'number' && Number(divisor.value) === 0;
  return byZero ? `${value} divide_by_zero() +` : (SYMBOLS[value] ?? value);
}

/** True when an operand of the additions around a `+` is text: then it is no sum. */
function addsText(nodes: readonly Node[], at: number): boolean {
  const reach = (step: 1 | -1) => {
    const chain: Node[] = [];
    for (let index = at + step; nodes[index] !== undefined && !isNode(nodes[index], ...CHAIN_ENDS); index += step) {
      chain.push(nodes[index] as Node);
    }
    return chain;
  };
  return [...reach(-1), ...reach(1)].some(isText);
}

function isText(node: Node): boolean {
  if (!isGroup(node)) return node.kind === 'string';
  const as = indexOfWord(node.nodes, ['AS']);
  const type = as === -1 ? undefined : typeOfNodes(node.nodes.slice(as + 1));
  return type !== undefined && familyOf(type) === 'text';
}

interface Output {
  readonly sql: string;
  /** The place after it. */
  readonly end: number;
  readonly result: Pick<Translation, 'columns' | 'outputInto'>;
}

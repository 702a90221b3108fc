import { SqlError } from '../sql-error.js';
import { DATETIME, familyOf, type SqlType } from '../sql-type.js';
import { FUNCTION_TYPES, SYSTEM_VARIABLE_TYPES, translateFunction } from './functions.js';
import { type Token, tokenize } from './lexer.js';
import { translateMerge } from './merge-translator.js';
import { assignedVariable, type Item, isStar, itemOf, itemsEnd, itemsStart, typeOfNodes } from './select-items.js';
import { literal, quoted, tableName } from './sqlite-names.js';
import {
  type Group,
  hasAlias,
  indexOfWord,
  isGroup,
  isName,
  isNode,
  lastName,
  type Node,
  nameAt,
  nameOf,
  splitAtCommas,
  treeOf,
} from './token-tree.js';
import type { ResultColumn, Translation, TranslationScope } from './translation.js';
import { unsupported } from './unsupported.js';
import { WriteTranslator } from './write-translator.js';

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
const SYSTEM_DATABASE = /^master$/i;
/** Functions that give rows. */
const TABLE_FUNCTIONS = ['FN_LISTEXTENDEDPROPERTY'];

/** Turns queries and expressions into those of SQLite, and writes with the help of others. One for each statement. */
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

  /** @param prefix What WITH has said before it. */
  #statement(nodes: readonly Node[], prefix: string): Translation {
    const [first] = nodes;
    const writes = new WriteTranslator(this, prefix);
    if (isNode(first, 'INSERT')) return writes.insert(nodes);
    if (isNode(first, 'UPDATE')) return writes.update(nodes);
    if (isNode(first, 'DELETE')) return writes.delete(nodes);
    if (isNode(first, 'MERGE')) return translateMerge(this, writes, nodes);
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

  /** The columns of OUTPUT, with what they are called. */
  outputItems(items: readonly Item[]): string {
    this.#inOutput = true;
    const sql = items.map((item) => this.#item(item)).join(', ');
    this.#inOutput = false;
    return sql;
  }

  /** A condition in parentheses, without the hints that may follow it. */
  condition(nodes: readonly Node[]): string {
    const end = indexOfWord(nodes, ['OPTION']);
    return `(${this.render(end === -1 ? nodes : nodes.slice(0, end))})`;
  }

  /** What is known of the columns of SELECT; undefined when it has a `*`. */
  #resultColumns(items: readonly Item[]): ResultColumn[] | undefined {
    if (items.some(isStar)) return undefined;
    return items.map(({ alias, expression }) => {
      const reference = nameAt(expression, 0);
      const isColumn = reference?.end === expression.length && expression[0]?.kind !== 'variable';
      const column = isColumn ? reference.parts.at(-1) : undefined;
      // SQL Server calls a column as the query does, in its capitals.
      return { name: alias ?? column ?? '', type: this.typeOf(expression), reference: column };
    });
  }

  /** The type of an expression, as far as it shows at a glance. */
  typeOf(nodes: readonly Node[]): SqlType | undefined {
    const [first, second] = nodes;
    if (nodes.length === 1 && isGroup(first)) return this.typeOf(first.nodes);
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
        return this.typeOf(args[2] ?? []) ?? DATETIME;
      case 'ISNULL':
      case 'COALESCE':
      case 'MAX':
      case 'MIN':
        return this.typeOf(args[0] ?? []);
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
    if (isNode(node, 'WITH') && isGroup(nodes[at + 1])) return this.skipHint(nodes, at);
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
  skipHint(nodes: readonly Node[], at: number): number {
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
      isNode(nodes[at - 1], 'INTO', 'AS') ||
      (inFrom && !TABLE_FUNCTIONS.includes((name.parts.at(-1) ?? '').toUpperCase()));
    const isKeyword = name.parts.length === 1 && (node.kind !== 'word' || NOT_FUNCTIONS.has(node.value));
    // A name with columns in parentheses before AS (…) heads a CTE.
    const heads = isNode(nodes[name.end + 1], 'AS') && isGroup(nodes[name.end + 2]);
    if (isGroup(args) && !names && !isKeyword && !heads) {
      out.push(translateFunction(name.parts, args.nodes, this));
      return name.end + 1;
    }
    const star = isNode(nodes[name.end - 1], '.') && isNode(nodes[name.end], '*');
    out.push(name.parts.length === 1 && !star ? this.#single(node, inFrom) : this.#qualified(name.parts, star));
    if (inFrom && name.parts.length > 1 && !hasAlias(nodes[name.end])) out.push('AS', quoted(name.parts.at(-1) ?? ''));
    return star ? name.end + 1 : name.end;
  }

  #single(node: Token, inFrom: boolean): string {
    if (inFrom && nameOf(node).startsWith('#')) return this.scope.table([nameOf(node)]).sqlName;
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

import type { ColumnDefinition } from '../table-definition.js';
import { defaultExpression } from './default-expression.js';
import type { Token } from './lexer.js';
import { type Item, isStar, itemOf } from './select-items.js';
import { quoted } from './sqlite-names.js';
import {
  hasAlias,
  indexOfWord,
  isGroup,
  isNode,
  lastName,
  type Node,
  nameAt,
  nameOf,
  splitAtCommas,
} from './token-tree.js';
import type { ResolvedTable, ResultColumn, Translation, TranslationScope } from './translation.js';
import type { Translator } from './translator.js';
import { unsupported } from './unsupported.js';

/** OUTPUT of a write. */
export interface Output {
  readonly sql: string;
  /** The place after it. */
  readonly end: number;
  readonly result: Pick<Translation, 'columns' | 'outputInto'>;
}

/** Turns INSERT, UPDATE and DELETE into those of SQLite. */
export class WriteTranslator {
  readonly #query: Translator;
  /** What WITH has said before. */
  readonly #prefix: string;

  constructor(query: Translator, prefix: string) {
    this.#query = query;
    this.#prefix = prefix;
  }

  get #scope(): TranslationScope {
    return this.#query.scope;
  }

  insert(nodes: readonly Node[]): Translation {
    let at = isNode(nodes[1], 'INTO') ? 2 : 1;
    const name = nameAt(nodes, at);
    if (name === undefined) throw unsupported('this form of INSERT');
    const target = this.#scope.table(name.parts);
    at = this.#query.skipHint(nodes, name.end);
    const list = nodes[at];
    const named =
      isGroup(list) && !isNode(list.nodes[0], 'SELECT') ? splitAtCommas(list.nodes).map(lastName) : undefined;
    if (named !== undefined) at++;
    const columns = named ?? target.definition?.columns.filter(isFilled).map((column) => column.name);
    const output = this.output(nodes, at, target);
    const source = nodes.slice(output.end);
    const values = isNode(source[0], 'VALUES') ? this.#values(source, columns ?? [], target) : undefined;
    const rows = values?.map((row) => `(${row.join(', ')})`).join(', ');
    const from = rows === undefined ? this.#query.render(source) : `VALUES ${rows}`;
    const into = columns === undefined || isNode(source[0], 'DEFAULT') ? '' : ` (${columns.map(quoted).join(', ')})`;
    const sql = `${this.#prefix}INSERT INTO ${target.sqlName}${into} ${from}${output.sql}`;
    const insertedValues = { columns: columns ?? [], rows: values ?? [] };
    return { sql, verb: 'INSERT', target, inserted: named ?? [], insertedValues, locks: true, ...output.result };
  }

  /** The rows of VALUES; SQLite has no DEFAULT among them. */
  #values(nodes: readonly Node[], columns: readonly string[], target: ResolvedTable): string[][] {
    return splitAtCommas(nodes.slice(1)).map((row) => {
      const [group] = row;
      if (!isGroup(group)) throw unsupported('this form of VALUES');
      return splitAtCommas(group.nodes).map((value, index) => this.value(value, columns[index], target));
    });
  }

  /** A value for a column, which can be DEFAULT. */
  value(nodes: readonly Node[], column: string | undefined, target: ResolvedTable): string {
    return isNode(nodes[0], 'DEFAULT') ? this.defaultOf(column, target) : this.#query.render(nodes);
  }

  /** The default of a column, as an expression. */
  defaultOf(column: string | undefined, { definition }: ResolvedTable): string {
    const found = definition?.columns.find(({ name }) => name.toLowerCase() === column?.toLowerCase());
    return (found && defaultExpression(found, (text) => this.#query.definedExpression(text))) ?? 'NULL';
  }

  update(nodes: readonly Node[]): Translation {
    const top = isNode(nodes[1], 'TOP');
    const set = indexOfWord(nodes, ['SET']);
    const name = nameAt(nodes, top ? 3 : 1);
    if (name === undefined || set === -1 || top) throw unsupported('this form of UPDATE');
    const end = indexOfWord(nodes, ['OUTPUT', 'FROM', 'WHERE', 'OPTION'], set);
    const rest = end === -1 ? [] : nodes.slice(end);
    const { target, table, joined, where, output } = this.#writeParts(rest, name.parts);
    const assignments = splitAtCommas(nodes.slice(set + 1, end === -1 ? nodes.length : end));
    const assigned = assignments.map((assignment) => this.assignment(assignment, target));
    const from = joined === undefined ? '' : ` FROM ${joined}`;
    const sql = `${this.#prefix}UPDATE ${table} SET ${assigned.join(', ')}${from}${where}${output.sql}`;
    return { sql, verb: 'UPDATE', target, locks: true, ...output.result };
  }

  /** `t.a = 1`: SQLite takes no table there. */
  assignment(nodes: readonly Node[], target: ResolvedTable): string {
    const name = nameAt(nodes, 0);
    if (name === undefined || !isNode(nodes[name.end], '=')) return this.#query.render(nodes);
    const column = name.parts.at(-1) ?? '';
    return `${quoted(column)} = ${this.value(nodes.slice(name.end + 1), column, target)}`;
  }

  delete(nodes: readonly Node[]): Translation {
    const from = isNode(nodes[1], 'FROM') ? 2 : 1;
    const name = nameAt(nodes, from);
    if (name === undefined || isNode(nodes[1], 'TOP')) throw unsupported('this form of DELETE');
    const { target, table, joined, where, output } = this.#writeParts(nodes.slice(name.end), name.parts);
    const matched = joined === undefined ? where : ` WHERE EXISTS (SELECT 1 FROM ${joined}${where})`;
    const sql = `${this.#prefix}DELETE FROM ${table}${matched}${output.sql}`;
    return { sql, verb: 'DELETE', target, locks: true, ...output.result };
  }

  /** OUTPUT, FROM and WHERE of UPDATE and DELETE. FROM says which table their name, or alias, stands for. */
  #writeParts(nodes: readonly Node[], named: readonly string[]) {
    const from = indexOfWord(nodes, ['FROM']);
    const source = from === -1 ? undefined : writeSource(nodes, from + 1);
    const target = this.#scope.table(source?.parts ?? named);
    const at = this.#query.skipHint(nodes, 0);
    const output = this.output(nodes, at, target);
    const whereAt = indexOfWord(nodes, ['WHERE'], at);
    const conditions = [source?.on, whereAt === -1 ? undefined : nodes.slice(whereAt + 1)].filter(
      (part) => part !== undefined,
    );
    const where =
      conditions.length === 0 ? '' : ` WHERE ${conditions.map((part) => this.#query.condition(part)).join(' AND ')}`;
    const alias = source?.alias ?? (named.length > 1 ? named.at(-1) : undefined);
    const table = alias === undefined ? target.sqlName : `${target.sqlName} AS ${quoted(alias)}`;
    return { target, table, joined: source?.joined && this.#query.render(source.joined), where, output };
  }

  /** OUTPUT, as SQLite's RETURNING. */
  output(nodes: readonly Node[], from: number, target: ResolvedTable): Output {
    if (!isNode(nodes[from], 'OUTPUT')) return { sql: '', end: from, result: {} };
    const found = indexOfWord(nodes, ['VALUES', 'SELECT', 'DEFAULT', 'FROM', 'WHERE', 'INTO', 'OPTION'], from);
    const end = found === -1 ? nodes.length : found;
    const items = splitAtCommas(nodes.slice(from + 1, end)).map(itemOf);
    const sql = ` RETURNING ${this.#query.outputItems(items)}`;
    const columns = items.flatMap((item) => this.#outputColumns(item, target));
    if (!isNode(nodes[end], 'INTO')) return { sql, end, result: { columns } };
    const name = nameAt(nodes, end + 1);
    if (name === undefined) throw unsupported('this form of OUTPUT … INTO');
    const list = nodes[name.end];
    const table = this.#scope.table(name.parts);
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
    return [{ name: alias ?? '', type: this.#query.typeOf(expression) }];
  }
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

/** True for a column that INSERT without a list of columns gives values for. */
export function isFilled({ identity, computed, type }: ColumnDefinition): boolean {
  return identity === undefined && computed === undefined && type.name !== 'rowversion';
}

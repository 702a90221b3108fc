import type { Token } from './lexer.js';
import { itemOf } from './select-items.js';
import { quoted } from './sqlite-names.js';
import {
  indexOfWord,
  isGroup,
  isName,
  isNode,
  lastName,
  type Node,
  nameAt,
  nameOf,
  splitAtCommas,
} from './token-tree.js';
import type { ResolvedTable, Translation } from './translation.js';
import type { Translator } from './translator.js';
import { unsupported } from './unsupported.js';
import { isFilled, type WriteTranslator } from './write-translator.js';

/**
 * MERGE, which SQLite has not, as several statements. Its source becomes a table, so that what is written does not change
 * what matches.
 */
export function translateMerge(query: Translator, writes: WriteTranslator, nodes: readonly Node[]): Translation {
  const name = nameAt(nodes, isNode(nodes[1], 'INTO') ? 2 : 1);
  const using = indexOfWord(nodes, ['USING']);
  const on = indexOfWord(nodes, ['ON'], using);
  if (name === undefined || using === -1 || on === -1) throw unsupported('this form of MERGE');
  const target = query.scope.table(name.parts);
  const named = itemOf(nodes.slice(query.skipHint(nodes, name.end) - 1, using)).alias ?? name.parts.at(-1) ?? '';
  const clauses = clausesOf(nodes, on);
  const condition = query.condition(nodes.slice(on + 1, clauses.start));
  const outputAt = indexOfWord(nodes, ['OUTPUT'], clauses.start);
  const output = writes.output(nodes, outputAt === -1 ? nodes.length : outputAt, target);
  const table = `${target.sqlName} AS ${quoted(named)}`;
  const rows = `temp.__merge AS ${quoted(derivedName(nodes.slice(using + 1, on)))}`;
  const places = { target, table, rows, condition };
  return {
    sql: '',
    verb: 'INSERT',
    target,
    locks: true,
    merge: {
      prepare: [
        `CREATE TEMP TABLE __merge AS SELECT *, 0 AS __matched FROM ${sourceOf(query, nodes.slice(using, on))}`,
        `UPDATE ${rows} SET __matched = 1 WHERE EXISTS (SELECT 1 FROM ${table} WHERE ${condition})`,
      ],
      write: clauses.parts.map((clause) => clauseSql(query, writes, clause, places) + output.sql),
      clean: 'DROP TABLE IF EXISTS temp.__merge',
    },
    ...output.result,
  };
}

/** @param nodes From USING on. */
function sourceOf(query: Translator, nodes: readonly Node[]): string {
  const using = nodes[0] as Token;
  return query.render(nodes).slice(using.text.length);
}

function clauseSql(
  query: Translator,
  writes: WriteTranslator,
  clause: MergeClause,
  { target, table, rows, condition }: MergePlaces,
): string {
  const { matched, bySource, extra, action } = clause;
  const also = extra.length === 0 ? '' : ` AND ${query.condition(extra)}`;
  if (isNode(action[0], 'UPDATE')) {
    if (bySource) throw unsupported('MERGE … WHEN NOT MATCHED BY SOURCE THEN UPDATE');
    const assigned = splitAtCommas(action.slice(2)).map((assignment) => writes.assignment(assignment, target));
    return `UPDATE ${table} SET ${assigned.join(', ')} FROM ${rows} WHERE ${condition}${also}`;
  }
  if (isNode(action[0], 'DELETE')) {
    const exists = `EXISTS (SELECT 1 FROM ${rows} WHERE ${condition}${matched ? also : ''})`;
    return `DELETE FROM ${table} WHERE ${matched ? exists : `NOT ${exists}${also}`}`;
  }
  const [, list] = action;
  const values = action.find((node, index) => isGroup(node) && isNode(action[index - 1], 'VALUES'));
  const from = `FROM ${rows} WHERE __matched = 0${also}`;
  if (!isGroup(values)) return insertDefaults(writes, target, from);
  const columns = isGroup(list)
    ? splitAtCommas(list.nodes).map(lastName)
    : (target.definition?.columns.filter(isFilled).map((column) => column.name) ?? []);
  const rendered = splitAtCommas(values.nodes).map((value, index) => writes.value(value, columns[index], target));
  return `INSERT INTO ${target.sqlName} (${columns.map(quoted).join(', ')}) SELECT ${rendered.join(', ')} ${from}`;
}

/** As many rows of defaults as `from` has. */
function insertDefaults(writes: WriteTranslator, target: ResolvedTable, from: string): string {
  const columns = target.definition?.columns.filter(({ computed }) => computed === undefined) ?? [];
  const values = columns.map(({ name }) => writes.defaultOf(name, target));
  const names = columns.map(({ name }) => quoted(name));
  return `INSERT INTO ${target.sqlName} (${names.join(', ')}) SELECT ${values.join(', ')} ${from}`;
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

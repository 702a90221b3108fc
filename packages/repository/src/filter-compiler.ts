import type { Column } from './column.js';
import { ALWAYS, all, any, type Fragment, fragment, NEVER, not } from './fragment.js';
import { invalidInput, kindOf, shownName } from './invalid-input.js';
import type { Table } from './table.js';

/** Makes a condition of what an operator was given. */
type Operator = (column: Column, value: unknown, path: string, table: Table) => Fragment;

const COMPARISONS = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;

/** How deep filters may nest: what comes from outside must not exhaust the stack, or the parser of a database. */
const DEEPEST = 32;

const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ['eq', equality(true)],
  ['ne', equality(false)],
  ...Object.entries(COMPARISONS).map(([name, sign]) => [name, comparison(sign)] as const),
  ['in', membership(true)],
  ['notIn', membership(false)],
  ['like', like],
  ['isNull', isNull],
]);

/**
 * The condition of a filter; undefined when it says nothing, `ALWAYS` when what it says leaves no row out. Names of columns and operators are looked up, never copied;
 * values are bindings. Throws `DBM_INVALID_INPUT`, with the path to what is wrong.
 */
export function compileFilter(table: Table, filter: unknown): Fragment | undefined {
  if (filter === undefined) return undefined;
  const entries = entriesOf(table, filter, 'filter');
  return entries.length === 0 ? undefined : conditionOf(table, entries, 'filter', 0);
}

function nested(table: Table, filter: unknown, path: string, depth: number): Fragment {
  if (depth > DEEPEST) throw invalidInput(table.connectionName, path, `filters nest at most ${DEEPEST} deep`);
  const entries = entriesOf(table, filter, path);
  if (entries.length === 0) throw invalidInput(table.connectionName, path, 'says nothing');
  return conditionOf(table, entries, path, depth);
}

function conditionOf(table: Table, entries: readonly [string, unknown][], path: string, depth: number): Fragment {
  return all(entries.map(([key, value]) => part(table, key, value, `${path}.${key}`, depth)));
}

function part(table: Table, key: string, value: unknown, path: string, depth: number): Fragment {
  switch (key) {
    case 'and':
      return all(alternatives(table, value, path, depth));
    case 'or':
      return any(alternatives(table, value, path, depth));
    case 'not':
      return not(nested(table, value, path, depth + 1));
    default:
      return columnCondition(table, table.column(key, path), value, path);
  }
}

function alternatives(table: Table, value: unknown, path: string, depth: number): Fragment[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw invalidInput(table.connectionName, path, 'takes a list of filters that is not empty');
  }
  // By index: holes are undefined, and refused as such.
  return Array.from(value, (each: unknown, index) => nested(table, each, `${path}.${index}`, depth + 1));
}

function columnCondition(table: Table, column: Column, value: unknown, path: string): Fragment {
  if (!isPlainObject(value)) return equality(true)(column, value, path, table);
  const entries = Object.entries(value);
  if (entries.length === 0) throw invalidInput(table.connectionName, path, 'says nothing', column.name);
  return all(
    entries.map(([name, operand]) => {
      const operator = OPERATORS.get(name);
      const at = `${path}.${name}`;
      if (operator !== undefined) return operator(column, operand, at, table);
      const known = [...OPERATORS.keys()].join(', ');
      const reason = `${shownName(name)} is no operator; there are: ${known}`;
      throw invalidInput(table.connectionName, at, reason, column.name);
    }),
  );
}

function equality(equal: boolean): Operator {
  return (column, value, path, table) => {
    if (value === null) return isNull(column, equal, path, table);
    return fragment(`${column.sql} ${equal ? '=' : '<>'} ?`, column.compared(value, path));
  };
}

function comparison(sign: string): Operator {
  return (column, value, path) => fragment(`${column.sql} ${sign} ?`, column.compared(value, path));
}

function membership(among: boolean): Operator {
  return (column, value, path, table) => {
    column.assertComparable(path);
    if (!Array.isArray(value)) {
      throw invalidInput(table.connectionName, path, `takes a list, not ${kindOf(value)}`, column.name);
    }
    const bindings = Array.from(value, (each: unknown, index) => column.compared(each, `${path}.${index}`));
    // Of NULL it is not known whether it is in a list, but in an empty one nothing is.
    if (bindings.length === 0) return among ? NEVER : ALWAYS;
    return { sql: `${column.sql} ${among ? 'in' : 'not in'} (${bindings.map(() => '?').join(', ')})`, bindings };
  };
}

function like(column: Column, value: unknown, path: string, table: Table): Fragment {
  if (column.kind !== 'text' || typeof value !== 'string') {
    throw invalidInput(table.connectionName, path, 'takes a text, of a column of kind text', column.name);
  }
  if (/(?<!\\)(?:\\\\)*\\$/.test(value)) {
    throw invalidInput(table.connectionName, path, 'a pattern cannot end in a single backslash', column.name);
  }
  const { likeEscape, likePattern } = table.flavour;
  return fragment(`${column.sql} like ? escape ${likeEscape}`, likePattern?.(value) ?? value);
}

function isNull(column: Column, value: unknown, path: string, table: Table): Fragment {
  if (typeof value === 'boolean') return fragment(`${column.sql} is ${value ? '' : 'not '}null`);
  throw invalidInput(table.connectionName, path, `takes true or false, not ${kindOf(value)}`, column.name);
}

function entriesOf(table: Table, filter: unknown, path: string): [string, unknown][] {
  if (isPlainObject(filter)) return Object.entries(filter);
  throw invalidInput(table.connectionName, path, `takes an object, not ${kindOf(filter)}`);
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Of another realm, as test runners and vm contexts have them, it has another Object.prototype, which itself has none.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

import type { Row, Statement, StatementResult } from '@dbmanager/core';

/** Tables by name; the first column of each is its primary key. */
type Tables = Map<string, Map<unknown, Row>>;

/** What one kind of statement does with the tables; `match` is that of its pattern. */
type Handler = (tables: Tables, match: RegExpMatchArray, values: readonly unknown[]) => readonly Row[] | number;

/** The statements the fake understands: what the shared suite needs, and no more. */
const HANDLERS: readonly (readonly [pattern: RegExp, writes: boolean, handler: Handler])[] = [
  [/^CREATE TABLE (?<table>\w+) \((?<columns>.*)\)$/is, true, createTable],
  [/^DROP TABLE (?:IF EXISTS )?(?<table>\w+)$/i, true, dropTable],
  [/^INSERT INTO (?<table>\w+) \((?<columns>[\w, ]+)\) VALUES \([?, ]+\)$/i, true, insert],
  [/^UPDATE (?<table>\w+) SET (?<column>\w+) = \? WHERE \w+ = \?$/i, true, update],
  [/^SELECT (?<columns>[\w, ]+) FROM (?<table>\w+)(?<where> WHERE \w+ = \?)?(?: ORDER BY \w+)?$/i, false, select],
  [/^SELECT (?<items>(?:(?:\?|\d+) AS \w+(?:, )?)+)$/i, false, selectValues],
];

/** The tables of a fake database, or a transaction's view of them. */
export class FakeTables {
  readonly #tables: Tables;

  constructor(tables: Tables = new Map()) {
    this.#tables = tables;
  }

  /** An independent copy. */
  copy(): FakeTables {
    return new FakeTables(new Map([...this.#tables].map(([table, rows]) => [table, new Map(rows)])));
  }

  /** Runs one statement. Throws a plain error, as a driver would, when it cannot; then nothing has changed. */
  run({ sql, params = [] }: Statement): StatementResult {
    const { handler, match } = recognise(sql);
    const outcome = handler(this.#tables, match, params);
    return typeof outcome === 'number'
      ? { rows: [], rowsAffected: outcome, lastInsertId: undefined }
      : { rows: outcome, rowsAffected: outcome.length, lastInsertId: undefined };
  }
}

/** True when the statement changes tables. */
export function isWrite(sql: string): boolean {
  return recognise(sql).writes;
}

function recognise(sql: string): { handler: Handler; match: RegExpMatchArray; writes: boolean } {
  for (const [pattern, writes, handler] of HANDLERS) {
    const match = sql.trim().match(pattern);
    if (match !== null) return { handler, match, writes };
  }
  throw new Error(`syntax error at or near "${sql.trim().split(/\s/, 1)[0]}"`);
}

function createTable(tables: Tables, match: RegExpMatchArray): number {
  const table = part(match, 'table');
  if (tables.has(table)) throw new Error(`table ${table} already exists`);
  tables.set(table, new Map());
  return 0;
}

function dropTable(tables: Tables, match: RegExpMatchArray): number {
  tables.delete(part(match, 'table'));
  return 0;
}

function insert(tables: Tables, match: RegExpMatchArray, values: readonly unknown[]): number {
  const rows = rowsOf(tables, match);
  if (rows.has(values[0])) throw new Error(`duplicate key in ${part(match, 'table')}`);
  rows.set(values[0], Object.fromEntries(columnsOf(match).map((column, index) => [column, values[index] ?? null])));
  return 1;
}

function update(tables: Tables, match: RegExpMatchArray, [value, key]: readonly unknown[]): number {
  const rows = rowsOf(tables, match);
  const row = rows.get(key);
  if (row === undefined) return 0;
  rows.set(key, { ...row, [part(match, 'column')]: value });
  return 1;
}

function select(tables: Tables, match: RegExpMatchArray, [key]: readonly unknown[]): readonly Row[] {
  const one = part(match, 'where') !== '';
  return [...rowsOf(tables, match)]
    .filter(([rowKey]) => !one || rowKey === key)
    .map(([, row]) => Object.fromEntries(columnsOf(match).map((column) => [column, row[column] ?? null])));
}

function selectValues(_: Tables, match: RegExpMatchArray, values: readonly unknown[]): readonly Row[] {
  let next = 0;
  const items = part(match, 'items')
    .split(', ')
    .map((item) => {
      const [expression, , column] = item.split(' ');
      return [column, expression === '?' ? values[next++] : Number(expression)];
    });
  return [Object.fromEntries(items)];
}

function part(match: RegExpMatchArray, group: string): string {
  return match.groups?.[group] ?? '';
}

function columnsOf(match: RegExpMatchArray): readonly string[] {
  return part(match, 'columns')
    .split(',')
    .map((column) => column.trim());
}

function rowsOf(tables: Tables, match: RegExpMatchArray): Map<unknown, Row> {
  const rows = tables.get(part(match, 'table'));
  if (rows === undefined) throw new Error(`no such table: ${part(match, 'table')}`);
  return rows;
}

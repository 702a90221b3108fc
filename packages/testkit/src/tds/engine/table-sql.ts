import { familyOf, type SqlType, type TypeFamily } from '../sql-type.js';
import type { ColumnDefinition, ConstraintDefinition, TableDefinition } from '../table-definition.js';
import { defaultExpression } from '../tsql/default-expression.js';
import { quoted, tableName } from '../tsql/sqlite-names.js';

/** Turns an expression of T-SQL into one of SQLite. */
export type TranslateExpression = (text: string) => string;

/** How SQLite is told of types: it has few, and the definition knows the rest. */
const STORED_AS: Readonly<Record<TypeFamily, string>> = {
  whole: 'INTEGER',
  exact: 'NUMERIC',
  approximate: 'REAL',
  temporal: 'TEXT',
  text: 'TEXT COLLATE NOCASE',
  binary: 'BLOB',
  guid: 'TEXT COLLATE NOCASE',
};

/** Heads the names of the checks that hold a column to its length. */
export const LENGTH_CHECK = 'length of ';

/**
 * CREATE TABLE for SQLite. Keys are no part of it: they are indexes, which can come and go without the table being made
 * anew.
 */
export function tableSql(
  sqlName: string,
  { columns, constraints }: TableDefinition,
  translate: TranslateExpression,
): string {
  const parts = [
    ...columns.map((column) => columnSql(column, translate)),
    ...constraints.flatMap((constraint) => constraintSql(constraint, translate) ?? []),
  ];
  return `CREATE TABLE ${quoted(sqlName)} (${parts.join(', ')})`;
}

function columnSql(column: ColumnDefinition, translate: TranslateExpression): string {
  const { name, type, nullable, computed } = column;
  const head = `${quoted(name)} ${storedAs(column)}`;
  if (computed !== undefined) return `${quoted(name)} AS ${translate(computed.expression)}`;
  return `${head}${nullable ? '' : ' NOT NULL'}${defaultSql(column, translate)}${lengthSql(name, type)}`;
}

/** What tells capitals apart, or compares bytes, is SQLite's BINARY. */
function storedAs({ type, collation = '' }: ColumnDefinition): string {
  const stored = STORED_AS[familyOf(type)];
  return /_CS|_BIN/i.test(collation) ? stored.replace('NOCASE', 'BINARY') : stored;
}

function defaultSql(column: ColumnDefinition, translate: TranslateExpression): string {
  const expression = defaultExpression(column, translate);
  return expression === undefined ? '' : ` DEFAULT (${expression})`;
}

function lengthSql(name: string, { length }: SqlType): string {
  if (length === undefined || length === 'max') return '';
  return ` CONSTRAINT ${quoted(`${LENGTH_CHECK}${name}`)} CHECK (length(${quoted(name)}) <= ${length})`;
}

function constraintSql(constraint: ConstraintDefinition, translate: TranslateExpression): string | undefined {
  if (constraint.kind === 'check') {
    return `CONSTRAINT ${quoted(constraint.name)} CHECK (${translate(constraint.expression)})`;
  }
  if (constraint.kind !== 'foreign' || constraint.disabled) return undefined;
  const [table = '', schema = 'dbo'] = [...constraint.references].reverse();
  return (
    `CONSTRAINT ${quoted(constraint.name)} FOREIGN KEY (${list(constraint.columns)})` +
    ` REFERENCES ${quoted(tableName(schema, table))} (${list(constraint.referenced)})` +
    ` ON DELETE ${constraint.onDelete} ON UPDATE ${constraint.onUpdate}`
  );
}

/** The name in SQLite of an index or key: SQL Server's are of their table, SQLite's of the database. */
export function indexName(sqlName: string, index: string): string {
  return `${sqlName}.${index}`;
}

/** Statements that make the keys and indexes of a table. */
export function indexSql(sqlName: string, definition: TableDefinition, translate: TranslateExpression): string[] {
  const create = (name: string, columns: readonly string[], unique: boolean, where?: string) =>
    `CREATE ${unique ? 'UNIQUE ' : ''}INDEX ${quoted(indexName(sqlName, name))} ON ${quoted(sqlName)} (${list(columns)})` +
    (where === undefined ? '' : ` WHERE ${translate(where)}`);
  return [
    ...definition.constraints.flatMap((constraint) =>
      constraint.kind === 'primary' || constraint.kind === 'unique'
        ? create(constraint.name, constraint.columns, true)
        : [],
    ),
    ...definition.indexes.map(({ name, columns, unique, where }) => create(name, columns, unique, where)),
  ];
}

function list(columns: readonly string[]): string {
  return columns.map(quoted).join(', ');
}

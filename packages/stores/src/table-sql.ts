import { DbManagerError } from '@dbmanager/core';
import type { IndexDefinition, StoreDialect } from './store-dialect.js';
import type { StoreColumn, StoreTable } from './store-table.js';

/** Short enough that the longest name of an index stays below the 63 characters of PostgreSQL. */
const PREFIX = /^(?:[a-z_][a-z0-9_]{0,19})?$/;

/** Throws `DBM_INVALID_OPTION` for a prefix that is more than small letters, digits and `_`: it is written into statements. */
export function checkPrefix(prefix: unknown, connectionName?: string): string {
  if (typeof prefix === 'string' && PREFIX.test(prefix)) return prefix;
  throw new DbManagerError(
    'DBM_INVALID_OPTION',
    'a prefix of tables is made of at most 20 small letters, digits and _, and does not begin with a digit',
    { connectionName, option: 'prefix' },
  );
}

/** Statements that create a table and its indexes, in order. Each does nothing where what it creates is there. */
export function createStatements(dialect: StoreDialect, prefix: string, table: StoreTable): string[] {
  const name = prefix + table.name;
  const indexes = (table.indexes ?? []).map(
    (columns): IndexDefinition => ({ name: `${name}_by_${columns.join('_')}`, table: name, columns }),
  );
  const parts = [
    ...Object.entries<StoreColumn>(table.columns).map(([column, definition]) => columnSql(dialect, column, definition)),
    ...keySql(table),
    ...Object.entries<StoreColumn>(table.columns).flatMap(([column, definition]) =>
      referenceSql(prefix, column, definition),
    ),
  ];
  const create = dialect.createTable(name, parts, indexes);
  return [create, ...indexes.flatMap((index) => dialect.createIndex?.(index) ?? [])];
}

function columnSql(dialect: StoreDialect, column: string, definition: StoreColumn): string {
  const { kind, optional = false } = definition;
  return `${column} ${dialect.columnType(definition)}${optional || kind === 'id' ? '' : ' not null'}`;
}

/** An `id` is the key by its type. */
function keySql({ columns, primaryKey }: StoreTable): string[] {
  const [first = ''] = primaryKey;
  return columns[first]?.kind === 'id' ? [] : [`primary key (${primaryKey.join(', ')})`];
}

function referenceSql(prefix: string, column: string, { references }: StoreColumn): string[] {
  if (references === undefined) return [];
  const { table, column: referenced, onDelete } = references;
  return [`foreign key (${column}) references ${prefix}${table} (${referenced}) on delete ${onDelete}`];
}

import { marks, overwritten, type StoreDialect, type Upsert } from '../store-dialect.js';
import type { ColumnKind } from '../store-table.js';

/** Compares code units, whatever the database's own collation. */
const EXACT = 'collate Latin1_General_100_BIN2';

const TYPES: Readonly<Record<ColumnKind, string>> = {
  id: 'bigint identity(1, 1) not null primary key',
  key: 'nvarchar',
  text: 'nvarchar(max)',
  json: 'nvarchar(max)',
  time: 'bigint',
  whole: 'bigint',
  number: 'float',
  flag: 'bit',
};

/** SQL Server, from 2016 on. */
export const MSSQL_DIALECT: StoreDialect = {
  columnType: ({ kind, length }) => (length === undefined ? TYPES[kind] : `${TYPES[kind]}(${length}) ${EXACT}`),
  createTable(name, parts, indexes) {
    const all = [...parts, ...indexes.map((index) => `index ${index.name} (${index.columns.join(', ')})`)];
    return `if object_id(N'${name}', N'U') is null create table ${name} (${all.join(', ')})`;
  },
  dropTable: (name) => `drop table if exists ${name}`,
  upsert(upsert) {
    const assigned = overwritten(upsert).map((column) => `${column} = given.${column}`);
    return merge(upsert, `when matched then update set ${assigned.join(', ')} `);
  },
  insertAbsent: (upsert) => merge(upsert, ''),
  deleteSome: ({ name, key, column, until, count }) => ({
    sql: `delete from ${name} where ${column} <= ? and ${key} in
(select top (${count}) ${key} from ${name} where ${column} <= ? order by ${column})`,
    params: [until, until],
  }),
};

/** Two that merge the same row at once wait for each other: without `holdlock` both would find it missing. */
function merge<C extends string>({ table, name, columns }: Upsert<C>, whenMatched: string): string {
  const list = columns.join(', ');
  // A column of VALUES has the database's collation, which would be neither's to choose.
  const same = table.primaryKey.map((column) => `kept.${column} = given.${column} ${EXACT}`);
  return `merge into ${name} with (holdlock) as kept
using (values (${marks(columns)})) as given (${list}) on ${same.join(' and ')}
${whenMatched}when not matched then insert (${list}) values (${columns.map((column) => `given.${column}`).join(', ')});`;
}

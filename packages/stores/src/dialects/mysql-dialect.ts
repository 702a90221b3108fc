import { marks, overwritten, type StoreDialect, type Upsert } from '../store-dialect.js';
import type { ColumnKind } from '../store-table.js';

/** Compares code points, whatever the database's own collation. */
const EXACT = 'character set utf8mb4 collate utf8mb4_bin';

const TYPES: Readonly<Record<ColumnKind, string>> = {
  id: 'bigint not null auto_increment primary key',
  key: 'varchar',
  text: `longtext ${EXACT}`,
  json: `longtext ${EXACT}`,
  time: 'bigint',
  whole: 'bigint',
  number: 'double',
  flag: 'boolean',
};

/** MySQL and MariaDB. `values()` of an upsert is old, but MariaDB knows no other. */
export const MYSQL_DIALECT: StoreDialect = {
  columnType: ({ kind, length }) => (length === undefined ? TYPES[kind] : `${TYPES[kind]}(${length}) ${EXACT}`),
  createTable(name, parts, indexes) {
    const all = [...parts, ...indexes.map((index) => `index ${index.name} (${index.columns.join(', ')})`)];
    return `create table if not exists ${name} (${all.join(', ')}) engine = InnoDB`;
  },
  dropTable: (name) => `drop table if exists ${name}`,
  upsert(upsert) {
    const assigned = overwritten(upsert).map((column) => `${column} = values(${column})`);
    return onDuplicateKey(upsert, assigned.join(', '));
  },
  // Not `insert ignore`, which would store what does not fit as something else.
  insertAbsent(upsert) {
    const [key] = upsert.table.primaryKey;
    return onDuplicateKey(upsert, `${key} = ${upsert.name}.${key}`);
  },
  deleteSome: ({ name, column, until, count }) => ({
    sql: `delete from ${name} where ${column} <= ? order by ${column} limit ${count}`,
    params: [until],
  }),
};

function onDuplicateKey<C extends string>({ name, columns }: Upsert<C>, assigned: string): string {
  return `insert into ${name} (${columns.join(', ')}) values (${marks(columns)}) on duplicate key update ${assigned}`;
}

import { marks, overwritten, type StoreDialect, type Upsert } from '../store-dialect.js';

/** What SQLite and PostgreSQL have in common. */
export const STANDARD_DIALECT: Omit<StoreDialect, 'columnType'> = {
  createTable: (name, parts) => `create table if not exists ${name} (${parts.join(', ')})`,
  createIndex: ({ name, table, columns }) => `create index if not exists ${name} on ${table} (${columns.join(', ')})`,
  dropTable: (name) => `drop table if exists ${name}`,
  upsert(upsert) {
    const assigned = overwritten(upsert).map((column) => `${column} = excluded.${column}`);
    return onConflict(upsert, `do update set ${assigned.join(', ')}`);
  },
  insertAbsent: (upsert) => onConflict(upsert, 'do nothing'),
  // Asked again outside: a row that was given more time since the inner query has read it stays.
  deleteSome: ({ name, key, column, until, count }) => ({
    sql: `delete from ${name} where ${column} <= ? and ${key} in
(select ${key} from ${name} where ${column} <= ? order by ${column} limit ${count})`,
    params: [until, until],
  }),
};

function onConflict<C extends string>({ table, name, columns }: Upsert<C>, action: string): string {
  return `insert into ${name} (${columns.join(', ')}) values (${marks(columns)})
on conflict (${table.primaryKey.join(', ')}) ${action}`;
}

export { dialectOf } from './dialect-of.js';
export { StoreContext, type StoreContextSetup, type StoreOptions } from './store-context.js';
export type { IndexDefinition, PartialDelete, StoreDialect, Upsert } from './store-dialect.js';
export type { ColumnKind, ColumnOf, StoreColumn, StoreTable, StoreTableName } from './store-table.js';

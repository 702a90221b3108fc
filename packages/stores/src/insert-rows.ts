import type { StoreContext, StoreOptions } from './store-context.js';
import { marks } from './store-dialect.js';
import type { StoreTable } from './store-table.js';

/** SQL Server takes 2,100 parameters in a statement, the other engines more. */
const MAX_PARAMETERS = 2_000;

/** Inserts rows, each with a value for every column, by as few statements as engines take. Not all or nothing by itself. */
export async function insertRows<C extends string>(
  context: StoreContext,
  table: StoreTable<C>,
  columns: readonly NoInfer<C>[],
  rows: readonly (readonly unknown[])[],
  options?: StoreOptions,
): Promise<void> {
  const perStatement = Math.floor(MAX_PARAMETERS / columns.length);
  const into = `insert into ${context.name(table)} (${columns.join(', ')}) values `;
  for (let from = 0; from < rows.length; from += perStatement) {
    const some = rows.slice(from, from + perStatement);
    const sql = into + some.map((row) => `(${marks(row)})`).join(', ');
    await context.execute(table, sql, some.flat(), options);
  }
}

import { abortedError } from '@dbmanager/core';
import type { StoreContext, StoreOptions } from './store-context.js';
import type { StoreTable } from './store-table.js';
import { timeOf } from './store-values.js';

/** Most rows deleted by one statement, so that nobody waits long for their locks. */
const CHUNK = 500;

/** Options of a clean-up. */
export interface CleanUpOptions extends StoreOptions {
  /** What has expired up to this moment goes. Default: now. */
  readonly until?: Date | undefined;
}

/**
 * Deletes the rows of a table whose moment in `column` is not after `until`, a few at a time; the number of them. Those of
 * chunks before an error, or before `signal` was aborted, stay deleted.
 */
export async function deleteUntil<C extends string>(
  context: StoreContext,
  table: StoreTable<C>,
  column: NoInfer<C>,
  { until, ...options }: CleanUpOptions = {},
): Promise<number> {
  const { signal } = options;
  const { sql, params = [] } = context.dialect.deleteSome({
    name: context.name(table),
    key: String(table.primaryKey[0]),
    column,
    until: until === undefined ? context.now() : timeOf(context, 'until', until),
    count: CHUNK,
  });
  for (let deleted = 0; ; ) {
    if (signal?.aborted) throw abortedError(signal, context.connectionName);
    const { rowsAffected } = await context.execute(table, sql, params, options);
    deleted += rowsAffected;
    if (rowsAffected < CHUNK) return deleted;
  }
}

import type { Database as Sqlite } from 'better-sqlite3';
import type { SqlValue } from '../sql-value.js';

/** Rows of a system table, made when it is asked for. */
export interface SystemTable {
  readonly columns: readonly string[];
  rows(): Iterable<readonly SqlValue[]>;
}

/** System tables of the server, by their names with schema, such as `sys.databases`. */
export type SystemTables = Readonly<Record<string, SystemTable>>;

/** Makes the system tables readable in a connection of SQLite. */
export function registerSystemTables(sqlite: Sqlite, tables: SystemTables): void {
  for (const [name, { columns, rows }] of Object.entries(tables)) {
    sqlite.table(name, {
      columns: [...columns],
      *rows() {
        for (const row of rows()) yield [...row];
      },
    });
  }
}

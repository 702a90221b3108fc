import { DbManagerError, KnownOptions } from '@dbmanager/core';
import type { Queryable } from '@dbmanager/database';
import { dialectOf } from './dialect-of.js';
import type { StoreTable } from './store-table.js';
import { PLUGIN_TABLES, STORE_TABLES } from './store-tables.js';
import { checkPrefix, createStatements } from './table-sql.js';

/** Some of the tables: all of them, those of plugins, or all but those. */
export type TableSelection = 'all' | 'plugins' | 'framework';

/** What a {@link StoreMigration} is made of. */
export interface StoreMigrationOptions {
  /** The `type` of the connection. */
  readonly type: string;
  /** Its place among the other migrations. */
  readonly version: number | bigint;
  /** Which tables. Default: all. */
  readonly tables?: TableSelection | undefined;
  /** What their names begin with. Default: nothing. */
  readonly prefix?: string | undefined;
}

/** A migration in code, as `@dbmanager/migrations` takes them. */
export interface StoreMigration {
  readonly version: number | bigint;
  readonly description: string;
  up(step: { readonly db: Queryable }): Promise<void>;
  down(step: { readonly db: Queryable }): Promise<void>;
}

const OPTIONS = new KnownOptions<StoreMigrationOptions>('a migration of stores', {
  type: true,
  version: true,
  tables: true,
  prefix: true,
});

const SELECTIONS: ReadonlyMap<TableSelection, readonly StoreTable[]> = new Map([
  ['all', STORE_TABLES],
  ['plugins', PLUGIN_TABLES],
  ['framework', STORE_TABLES.filter((table) => !PLUGIN_TABLES.includes(table))],
]);

/** Those tables, each after those it refers to. Throws `DBM_INVALID_OPTION` for a selection that there is not: they may be dropped. */
export function selectedTables(selection: TableSelection = 'all', connectionName?: string): readonly StoreTable[] {
  const tables = SELECTIONS.get(selection);
  if (tables !== undefined) return tables;
  const message = `there is no such selection of tables; there are: ${[...SELECTIONS.keys()].join(', ')}`;
  throw new DbManagerError('DBM_INVALID_OPTION', message, { connectionName, option: 'tables' });
}

/**
 * The tables of the stores as a migration: `connection.migrations({ migrations: [storeMigration({ type: 'postgres', version: 1 })] })`,
 * or what a module in the folder of migrations exports. Throws `DBM_UNSUPPORTED` for a type that has no stores,
 * `DBM_INVALID_OPTION` for a bad prefix or selection, and for an option that there is not.
 */
export function storeMigration(options: StoreMigrationOptions): StoreMigration {
  OPTIONS.check(options, undefined);
  const { type, version, tables, prefix } = options;
  const dialect = dialectOf(type);
  const checked = checkPrefix(prefix ?? '');
  const selected = selectedTables(tables);
  return {
    version,
    description: 'tables of the stores',
    async up({ db }) {
      for (const sql of selected.flatMap((table) => createStatements(dialect, checked, table))) await db.execute(sql);
    },
    async down({ db }) {
      for (const { name } of selected.toReversed()) await db.execute(dialect.dropTable(checked + name));
    },
  };
}

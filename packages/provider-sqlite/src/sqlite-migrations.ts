import { type SqlMigrations, sqlWords } from '@dbmanager/core';

/** Statements that SQLite refuses inside a transaction. */
const OUTSIDE: ReadonlySet<string | undefined> = new Set(['VACUUM', 'ATTACH', 'DETACH']);

/** SQLite has one writer: the transaction of a step is the lock. */
export const SQLITE_MIGRATIONS: SqlMigrations = {
  transactionalDdl: true,
  outsideTransactions(statement) {
    const { value } = sqlWords(statement, {}).next();
    return OUTSIDE.has(value ?? undefined);
  },
  scripts: 'by-statement',
  flag: { type: 'boolean', on: 'true', off: 'false' },
  hasTable(name) {
    const [table, schema] = name.toReversed();
    const catalogue = schema === undefined ? 'sqlite_master' : `"${schema.replaceAll('"', '""')}".sqlite_master`;
    return { sql: `select 1 from ${catalogue} where type = 'table' and lower(name) = lower(?)`, params: [table] };
  },
};

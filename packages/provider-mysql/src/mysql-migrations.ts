import type { SqlMigrations } from '@dbmanager/core';
import { implicitCommit } from './statement-text.js';

/** MySQL and MariaDB commit before and after every change of a schema. */
export const MYSQL_MIGRATIONS: SqlMigrations = {
  transactionalDdl: false,
  outsideTransactions: (statement) => implicitCommit(statement) !== undefined,
  scripts: 'by-statement',
  flag: { type: 'boolean', on: 'true', off: 'false' },
  hasTable(name) {
    const [table, schema = null] = name.toReversed();
    const where = 'table_schema = ifnull(?, database()) and table_name = ?';
    return { sql: `select 1 from information_schema.tables where ${where}`, params: [schema, table] };
  },
  lock: {
    held: 'by-session',
    scope: (name) => ({ sql: "select concat(ifnull(database(), ''), ':', ?) as name", params: [name.join('.')] }),
    take: (id) => ({ sql: 'select get_lock(?, 0) as locked', params: [String(id)] }),
    give: (id) => ({ sql: 'select release_lock(?)', params: [String(id)] }),
  },
};

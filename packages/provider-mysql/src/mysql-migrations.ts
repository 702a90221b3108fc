import type { SqlMigrations } from '@dbmanager/core';
import { implicitCommit } from './statement-text.js';

/** A key of GET_LOCK, which holds for all databases of the server and takes 64 characters. */
const KEY = "sha1(concat(ifnull(database(), ''), '/', ?))";

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
    take: (name) => ({ sql: `select get_lock(${KEY}, 0) as locked`, params: [name] }),
    give: (name) => ({ sql: `select release_lock(${KEY})`, params: [name] }),
  },
};

import { DbManagerError } from '@dbmanager/core';
import { MSSQL_DIALECT } from './dialects/mssql-dialect.js';
import { MYSQL_DIALECT } from './dialects/mysql-dialect.js';
import { POSTGRES_DIALECT } from './dialects/postgres-dialect.js';
import { SQLITE_DIALECT } from './dialects/sqlite-dialect.js';
import type { StoreDialect } from './store-dialect.js';

const DIALECTS: ReadonlyMap<string, StoreDialect> = new Map([
  ['sqlite', SQLITE_DIALECT],
  ['postgres', POSTGRES_DIALECT],
  ['cockroachdb', POSTGRES_DIALECT],
  ['mysql', MYSQL_DIALECT],
  ['mariadb', MYSQL_DIALECT],
  ['mssql', MSSQL_DIALECT],
]);

/** How our tables are written on connections of a type. Throws `DBM_UNSUPPORTED` for one that has no SQL we know. */
export function dialectOf(type: string, connectionName?: string): StoreDialect {
  const dialect = DIALECTS.get(type);
  if (dialect !== undefined) return dialect;
  const known = [...DIALECTS.keys()].join(', ');
  throw new DbManagerError('DBM_UNSUPPORTED', `stores need a connection of type ${known}, not ${type}`, {
    connectionName,
  });
}

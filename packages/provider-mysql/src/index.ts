export type { MysqlConnection, MysqlDriver, MysqlPool, MysqlPoolConnection } from './mysql-driver.js';
export { type MysqlDsn, parseMysqlDsn } from './mysql-dsn.js';
export { MYSQL_LEXIS } from './mysql-lexis.js';
export * from './mysql-options.js';
export type { PoolFacadeOptions } from './mysql-pool-facade.js';
export { type MysqlEngine, type MysqlProvider, mariadbProvider, mysqlProvider } from './mysql-provider.js';

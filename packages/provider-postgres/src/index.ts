export * from './cockroachdb-options.js';
export { cockroachdbProvider } from './cockroachdb-provider.js';
export type { PgClient, PgDriver, PgPool } from './pg-driver.js';
export { type PostgresDsn, parsePostgresDsn } from './postgres-dsn.js';
export * from './postgres-lexis.js';
export * from './postgres-options.js';
export { type PoolFacadeOptions, type PoolFacadeSetup, PostgresPoolFacade } from './postgres-pool-facade.js';
export { type PgProvider, type PostgresEngine, postgresProvider } from './postgres-provider.js';

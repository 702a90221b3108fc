export type { DrizzleBridgeOptions, DrizzleHandles, DrizzleTransactions } from '@dbmanager/bridge-drizzle';
export type { AnyTables } from '@dbmanager/bridge-kysely';
export type { MongoMikroOrm } from '@dbmanager/bridge-mikro-orm';
export { formatProblems, jsonSchema, loadConfigFile } from '@dbmanager/config';
export * from '@dbmanager/core';
export {
  type CacheOptions,
  type CallOptions,
  Database,
  type ExecuteResult,
  NamedSql,
  type OptionalTransactionOptions,
  PreparedStatement,
  type Propagation,
  type QueryOptions,
  type QueryParams,
  type RetryOptions,
  RowStream,
  SqlTemplate,
  type StatementText,
  sql,
  Transaction,
  type TransactionOptions,
} from '@dbmanager/database';
export { createEndpoints, createRequestListener, HealthServer } from '@dbmanager/http';
export { KeyValueTable, type KeyValueTableOptions } from '@dbmanager/kv-sql';
export { PrometheusMetrics, type PrometheusMetricsOptions } from '@dbmanager/metrics';
export {
  type AppliedMigration,
  type CodeMigration,
  type CreatedMigration,
  createMigration,
  type MigrationDirection,
  type MigrationEntry,
  MigrationError,
  type MigrationProblem,
  type MigrationProgress,
  type MigrationState,
  type MigrationStep,
  Migrations,
  type MigrationsOptions,
  type MigrationsStatus,
  type PlannedMigration,
  type RunOptions,
} from '@dbmanager/migrations';
export {
  bytes,
  type KeyValueOptions,
  type KeyValueStore,
  type KeyValueTransaction,
  utf8,
} from '@dbmanager/provider-kv';
export { type MongodbTransactionOptions, mongodbTransaction } from '@dbmanager/provider-mongodb';
export { type Forget, QueryCache } from '@dbmanager/query-cache';
export {
  type Filter,
  type FindOptions,
  type ListOptions,
  likeText,
  type Order,
  type Page,
  type PageOptions,
  Repository,
  type RepositoryOptions,
  type RowId,
  type RowValues,
} from '@dbmanager/repository';
export { type SqlFile, type SqlFileProblem, SqlFiles, SqlFilesError } from '@dbmanager/sql-files';
export {
  type AccessToken,
  type AccessTokenInput,
  type AccessTokenStore,
  type BoundStores,
  ExpressRateLimitStore,
  type ExpressRateLimitStoreOptions,
  expressSessionStore,
  type FastifyRateLimitStoreOptions,
  FastifySessionStore,
  fastifyRateLimitStore,
  type RateLimitDecision,
  type RateLimits,
  type Session,
  type SessionInput,
  type SessionStore,
  StoreCleaner,
  type StoreMigration,
  Stores,
  type StoresOptions,
  storeMigration,
  type Tenant,
  type TenantInput,
  type TenantStore,
  type WebSessionOptions,
  type WorkloadMetrics,
  type WorkloadMetricsInput,
  type WorkloadMetricsStore,
} from '@dbmanager/stores';
export { BRIDGES } from './bridges.js';
export { Connection, type ConnectionSettings } from './connection.js';
export { ConnectionDatabase } from './connection-database.js';
export {
  ConnectionManager,
  type ConnectionManagerOptions,
  type LoadOptions,
  type OpenOptions,
  PROVIDERS,
} from './connection-manager.js';
export type { NativeHandles, NativeTransactionHandles } from './native-handles.js';
export { NoDatabaseManager } from './no-database-manager.js';
export { getManager, resetManager, setupManager } from './process-manager.js';
export type { SqlQueries } from './sql-queries.js';
export { ConnectionTransaction } from './transaction.js';

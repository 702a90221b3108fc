export {
  type AccessToken,
  type AccessTokenGrant,
  type AccessTokenInput,
  AccessTokenStore,
  type ValidateOptions,
} from './access-token-store.js';
export { ExpressRateLimitStore, type ExpressRateLimitStoreOptions } from './adapters/express-rate-limit-store.js';
export { expressSessionStore } from './adapters/express-session-store.js';
export {
  type FastifyRateLimitSettings,
  FastifyRateLimitStore,
  type FastifyRateLimitStoreOptions,
  fastifyRateLimitStore,
} from './adapters/fastify-rate-limit-store.js';
export { FastifySessionStore } from './adapters/fastify-session-store.js';
export type { SessionOwner, WebSession, WebSessionOptions } from './adapters/web-sessions.js';
export type { CleanUpOptions } from './delete-until.js';
export { dialectOf } from './dialect-of.js';
export {
  MAX_WINDOW_MS,
  type RateLimitDecision,
  type RateLimitState,
  RateLimits,
  type RateLimitsOptions,
  type Window,
} from './rate-limits.js';
export { type Session, type SessionInput, SessionStore, type SessionStoreOptions } from './session-store.js';
export { StoreCleaner } from './store-cleaner.js';
export { StoreContext, type StoreContextSetup, type StoreOptions } from './store-context.js';
export type { IndexDefinition, PartialDelete, StoreDialect, Upsert } from './store-dialect.js';
export {
  type StoreMigration,
  type StoreMigrationOptions,
  storeMigration,
  type TableSelection,
} from './store-migration.js';
export type { ColumnKind, ColumnOf, StoreColumn, StoreTable, StoreTableName } from './store-table.js';
export type { JsonObject } from './store-values.js';
export {
  BoundStores,
  type CleanerOptions,
  Stores,
  type StoresOptions,
  type StoresSetup,
  type TableOptions,
} from './stores.js';
export { type Tenant, type TenantInput, TenantStore } from './tenant-store.js';
export { type WorkloadMetrics, type WorkloadMetricsInput, WorkloadMetricsStore } from './workload-metrics-store.js';

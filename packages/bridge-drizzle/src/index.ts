export { drizzleBridge } from './drizzle-bridge.js';
export type {
  DrizzleHandles,
  DrizzleMysqlDatabase,
  DrizzleMysqlTransaction,
  DrizzlePostgresDatabase,
  DrizzlePostgresTransaction,
  DrizzleSchema,
  DrizzleSqliteDatabase,
  DrizzleTransactions,
  DrizzleType,
  SqliteRunResult,
} from './drizzle-handles.js';
export type { DrizzleBridgeOptions } from './drizzle-options.js';

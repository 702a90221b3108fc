export { drizzleBridge } from './drizzle-bridge.js';
export type {
  DrizzleHandles,
  DrizzleMysqlDatabase,
  DrizzleMysqlTransaction,
  DrizzleSchema,
  DrizzleSqliteDatabase,
  DrizzleTransactions,
  DrizzleType,
  SqliteRunResult,
} from './drizzle-handles.js';
export type { DrizzleBridgeOptions } from './drizzle-options.js';

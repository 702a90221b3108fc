export { SqliteConnection } from './sqlite-connection.js';
export type { SqliteDatabase, SqliteDriver, SqliteRow, SqliteStatement } from './sqlite-driver.js';
export { type SqliteLease, type SqliteLeaseOptions, SqliteNative, type SqliteWork } from './sqlite-native.js';
export * from './sqlite-options.js';
export * from './sqlite-provider.js';

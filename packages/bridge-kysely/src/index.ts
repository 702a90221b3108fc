export type { AnyTables } from './any-tables.js';
export { type AnyDatabase, createKysely, type TransactionRunner } from './held-kysely.js';
export { kyselyBridge } from './kysely-bridge.js';
export { type KyselyModule, loadKysely } from './kysely-module.js';
export type { KyselyBridgeOptions } from './kysely-options.js';
export type { MysqlColumn, MysqlResults } from './mysql-statements.js';
export { nestByCallback, nestedTransactionBegun } from './nested-transactions.js';
export type { TypeParsers } from './postgres-statements.js';
export { boundDialect, SHARED_DIALECT_TYPES, type SharedDialectOptions, sharedDialect } from './shared-dialects.js';

export {
  FaultProxy,
  MariadbServer,
  PostgresServer,
  type PostgresServerOptions,
  RedisServer,
  TestServerBroker,
} from '@dbmanager/testkit';
export { type FailCommitOptions, Faults, type WithFaultsOptions, withFaults } from './faults.js';
export { type FillPoolOptions, FullPool, fillPool } from './full-pool.js';
export { MockDatabase, type MockDatabaseOptions } from './mock-database.js';
export type { MockExpectation } from './mock-expectation.js';
export type { MockScriptOptions } from './mock-script.js';
export { TestDatabase, type TestServerType, testDatabase } from './test-database.js';
export { type TestConnectionOptions, TestManager, type TestManagerOptions, testManager } from './test-manager.js';
export type { TestSchema } from './test-schema.js';
export {
  type TestHooks,
  TestTransaction,
  type TransactionPerTestOptions,
  transactionPerTest,
} from './test-transaction.js';

export { createDatabase, Database, type DatabaseSetup } from './database.js';
export { type NumberedStatement, numberPlaceholders } from './placeholders.js';
export { type ExecuteResult, Queryable, type QueryOptions } from './queryable.js';
export { Transaction, type TransactionEnd, type TransactionSetup } from './transaction.js';
export type { RetryOptions, TransactionOptions } from './transaction-options.js';
export { TransactionRunner, type TransactionRunnerSetup } from './transaction-runner.js';

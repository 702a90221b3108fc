export { AmbientTransactions } from './ambient-transactions.js';
export type { CacheOptions, CacheWish } from './cache-options.js';
export { createDatabase, Database, type DatabaseSetup } from './database.js';
export { NamedSql } from './named-sql.js';
export { type NamedStatement, type NumberedStatement, numberPlaceholders, rewriteNames } from './placeholders.js';
export { PreparedStatement, type PreparedStatementSetup } from './prepared-statement.js';
export type { CallOptions, QueryOptions } from './query-options.js';
export { type ExecuteResult, Queryable, type StatementCall } from './queryable.js';
export { RememberingSource } from './remembering-source.js';
export type { CachedRead, ResultCache } from './result-cache.js';
export { type OpenRows, RowStream } from './row-stream.js';
export { type ScriptStatement, splitStatements } from './split-statements.js';
export { SqlIdentifier, SqlTemplate, sql } from './sql-template.js';
export type { QueryParams, StatementText } from './statement-text.js';
export { type Enclose, Transaction, type TransactionEnd, type TransactionSetup } from './transaction.js';
export { transactionControl } from './transaction-control.js';
export {
  checkOptions as checkTransactionOptions,
  type OptionalPropagation,
  type OptionalTransactionOptions,
  type Propagation,
  type RetryOptions,
  type TransactionOptions,
} from './transaction-options.js';
export { TransactionRunner, type TransactionRunnerSetup, type TransactionSource } from './transaction-runner.js';

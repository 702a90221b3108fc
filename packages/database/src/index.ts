export { createDatabase, Database, type DatabaseSetup, type TransactionOptions } from './database.js';
export { type NumberedStatement, numberPlaceholders } from './placeholders.js';
export { type ExecuteResult, Queryable, type QueryOptions } from './queryable.js';
export { Transaction } from './transaction.js';

export type { MongodbConnection } from './mongodb-connection.js';
export type { MongoClient, MongodbDriver } from './mongodb-driver.js';
export * from './mongodb-options.js';
export { MongodbPool } from './mongodb-pool.js';
export * from './mongodb-provider.js';
export * from './mongodb-transaction.js';

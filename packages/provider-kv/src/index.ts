export { bytes, type Codec, json, utf8 } from './codecs.js';
export type { KeyRange, KeyValueOptions, SetOptions } from './key-space.js';
export { KeyValueBatch } from './key-value-batch.js';
export { KeyValueReader, type ReadOptions, type ScanOptions } from './key-value-reader.js';
export { KeyValueSnapshot } from './key-value-snapshot.js';
export {
  type KeyValueSource,
  KeyValueStore,
  type KeyValueTransactionOptions,
  keyValueStore,
} from './key-value-store.js';
export { KeyValueTransaction } from './key-value-transaction.js';
export { KvConnection } from './kv-connection.js';
export type { KvNative } from './kv-native.js';
export * from './kv-options.js';
export * from './kv-provider.js';
export type { LevelDatabase, LevelDriver } from './level-driver.js';
export type { WriteOptions } from './write-queue.js';

export { type ByteRange, following } from './byte-range.js';
export { bytes, type Codec, json, utf8 } from './codecs.js';
export { type KeyLimits, type KeyRange, KeySpace, type KeyValueOptions, type SetOptions } from './key-space.js';
export type {
  KeyValueBackend,
  KeyValueMoment,
  RepeatOptions,
  TransactionRecords,
} from './key-value-backend.js';
export { KeyValueBatch } from './key-value-batch.js';
export { KeyValueReader, type ReadOptions, type ScanOptions } from './key-value-reader.js';
export { KeyValueSnapshot } from './key-value-snapshot.js';
export { KeyValueStore, type KeyValueTransactionOptions, keyValueStore } from './key-value-store.js';
export { KeyValueTransaction } from './key-value-transaction.js';
export { KvConnection } from './kv-connection.js';
export type { KvNative } from './kv-native.js';
export * from './kv-options.js';
export * from './kv-provider.js';
export type { KeyValueSource } from './level-backend.js';
export type { LevelDatabase, LevelDriver } from './level-driver.js';
export {
  type Outcome,
  OverlaidRecords,
  type OverlaySetup,
  type ReadObserver,
  type ScanObserver,
} from './overlaid-records.js';
export { keyId, ScannedRange } from './read-set.js';
export type { KvRecord } from './record.js';
export type { RecordScan, Records } from './records.js';
export { type AttemptOutcome, type RepeatSetup, repeatAttempts } from './repeat-attempts.js';
export { outcomeOf, type Step } from './step.js';
export type { WriteOptions } from './write-options.js';

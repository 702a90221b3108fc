import type { LevelOperation } from './level-driver.js';

/** A value as it is kept, with the moment it expires. */
export interface KvRecord {
  /** The value's bytes. */
  readonly payload: Uint8Array;
  /** Milliseconds since 1970; undefined when it does not expire. */
  readonly expiresAt: number | undefined;
}

/** First byte of what is stored: how the rest is to be read. */
const PLAIN = 0;
const EXPIRING = 1;
const TIME_BYTES = 8;

/**
 * The list of keys that expire, by moment: sublevel `#expiry`, whose keys are the moment (8 bytes, big-endian) and the key
 * it is about. Entries are never updated: one whose record says otherwise is out of date, and goes when its moment comes.
 */
const EXPIRY_PREFIX = Buffer.from('!#expiry!');

/** Keys of the list that fall due at `now` or before. */
export function dueEntries(now: number) {
  return { gte: EXPIRY_PREFIX, lt: Buffer.concat([EXPIRY_PREFIX, timeBytes(now + 1)]) };
}

/** What one key of the list says. */
export function readExpiryEntry(entry: Uint8Array): { readonly expiresAt: number; readonly key: Uint8Array } {
  const time = entry.subarray(EXPIRY_PREFIX.length, EXPIRY_PREFIX.length + TIME_BYTES);
  return { expiresAt: readTime(time), key: entry.subarray(EXPIRY_PREFIX.length + TIME_BYTES) };
}

/** The steps that store a record. */
export function storing(key: Uint8Array, { payload, expiresAt }: KvRecord): LevelOperation[] {
  if (expiresAt === undefined) return [{ type: 'put', key, value: Buffer.concat([Buffer.of(PLAIN), payload]) }];
  const time = timeBytes(expiresAt);
  return [
    { type: 'put', key, value: Buffer.concat([Buffer.of(EXPIRING), time, payload]) },
    { type: 'put', key: Buffer.concat([EXPIRY_PREFIX, time, key]), value: Buffer.alloc(0) },
  ];
}

/** The record in stored bytes. Throws for bytes that were not written by this store. */
export function readRecord(stored: Uint8Array): KvRecord {
  switch (stored[0]) {
    case PLAIN:
      return { payload: stored.subarray(1), expiresAt: undefined };
    case EXPIRING:
      if (stored.length > TIME_BYTES) {
        return { payload: stored.subarray(1 + TIME_BYTES), expiresAt: readTime(stored.subarray(1, 1 + TIME_BYTES)) };
      }
  }
  throw new TypeError('the value was not written by the key-value store');
}

/** The record in stored bytes, if there is one and its time is not over. */
export function liveRecord(stored: Uint8Array | undefined, now: number): KvRecord | undefined {
  if (stored === undefined) return undefined;
  const record = readRecord(stored);
  return hasExpired(record, now) ? undefined : record;
}

export function hasExpired({ expiresAt }: KvRecord, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}

function timeBytes(ms: number): Buffer {
  const time = Buffer.alloc(TIME_BYTES);
  time.writeBigUInt64BE(BigInt(Math.max(0, ms)));
  return time;
}

function readTime(time: Uint8Array): number {
  return Number(Buffer.from(time).readBigUInt64BE());
}

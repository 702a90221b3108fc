import type { LevelOperation } from './level-driver.js';
import { type KvRecord, storing } from './record.js';

/** One step of a write: a key and what to put there. */
export interface Step {
  readonly key: Uint8Array;
  /** Undefined deletes. The time to live counts from the write. */
  readonly value: { readonly payload: Uint8Array; readonly ttlMs: number | undefined } | undefined;
}

/** What a key holds after the step, made at `now`. */
export function outcomeOf({ value }: Step, now: number): KvRecord | undefined {
  if (value === undefined) return undefined;
  const { payload, ttlMs } = value;
  return { payload, expiresAt: ttlMs === undefined ? undefined : Math.ceil(now + ttlMs) };
}

/** The operations that leave this under a key. */
export function operationsFor(key: Uint8Array, record: KvRecord | undefined): LevelOperation[] {
  return record === undefined ? [{ type: 'del', key }] : storing(key, record);
}

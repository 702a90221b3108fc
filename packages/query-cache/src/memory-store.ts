import type { Clock, StatementResult } from '@dbmanager/core';
import { LRUCache } from 'lru-cache';
import type { CacheStore, Looked, Place } from './cache-store.js';
import { Generations } from './generations.js';
import { copyResult } from './result-copy.js';

/** What a {@link MemoryStore} is made of. */
export interface MemoryStoreSetup {
  readonly clock: Clock;
  /** Most results; the one that was not asked for the longest goes first. */
  readonly size: number;
  /** Most memory for all, about; a result that takes more alone is not kept. */
  readonly maxBytes: number;
}

interface Kept {
  readonly stamp: string;
  readonly until: number;
  readonly bytes: number;
  readonly result: StatementResult;
}

/** Keeps results in this process. */
export class MemoryStore implements CacheStore {
  readonly #clock: Clock;
  readonly #generations = new Generations();
  readonly #kept: LRUCache<string, Kept>;
  #evictions = 0;

  constructor({ clock, size, maxBytes }: MemoryStoreSetup) {
    this.#clock = clock;
    this.#kept = new LRUCache({
      max: size,
      maxSize: maxBytes,
      sizeCalculation: ({ bytes }, key) => bytes + 2 * key.length,
      dispose: (_kept, _key, reason) => {
        if (reason === 'evict') this.#evictions++;
      },
    });
  }

  load(): void {}

  look({ key, names }: Place): Looked {
    const stamp = this.#generations.stamp(names);
    return { stamp, result: this.#find(key, stamp), keeps: true };
  }

  keep({ key, names }: Place, stamp: string, result: StatementResult, ttlMs: number): undefined {
    // What has changed meanwhile may have been read anew already, and that is to stay.
    if (ttlMs <= 0 || stamp !== this.#generations.stamp(names)) return;
    const copy = copyResult(result);
    if (copy === undefined) return;
    this.#kept.set(key, { stamp, until: this.#clock.now() + ttlMs, ...copy });
  }

  bump(names: Iterable<string>): void {
    this.#generations.bump(names);
  }

  told(): undefined {}

  stats() {
    return {
      evictions: this.#evictions,
      errors: 0,
      held: { entries: this.#kept.size, bytes: this.#kept.calculatedSize },
    };
  }

  close(): undefined {
    this.#kept.clear();
  }

  #find(key: string, stamp: string): StatementResult | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    if (kept.stamp === stamp && this.#clock.now() < kept.until) return copyResult(kept.result)?.result;
    this.#kept.delete(key);
    return undefined;
  }
}

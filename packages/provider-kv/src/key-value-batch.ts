import { type KeySpace, type KeyValueOptions, SET_OPTIONS, type SetOptions } from './key-space.js';
import type { Step } from './step.js';
import { WRITE_OPTIONS, type WriteOptions } from './write-options.js';

/** The steps of a batch, in all its namespaces, and how to write them. */
export interface BatchCore {
  readonly steps: Step[];
  write(steps: readonly Step[], options: WriteOptions): Promise<void>;
}

/**
 * Writes that are made together, in their order: all of them or, whatever dies meanwhile, none. Nothing happens before
 * `write()`; the batch is empty after it.
 *
 * ```ts
 * await store.batch().set('a', 1).delete('b').write();
 * ```
 */
export class KeyValueBatch<V = unknown, K = string> {
  readonly #space: KeySpace<V, K>;
  readonly #core: BatchCore;

  constructor(space: KeySpace<V, K>, core: BatchCore) {
    this.#space = space;
    this.#core = core;
  }

  /** How many steps there are, in all namespaces. */
  get size(): number {
    return this.#core.steps.length;
  }

  /** Stores a value, whose time to live counts from `write()`. Throws `DBM_INVALID_OPTION`. */
  set(key: K, value: V, options: SetOptions = {}): this {
    this.#space.check(SET_OPTIONS, options);
    this.#core.steps.push(this.#space.setting(key, value, options));
    return this;
  }

  /** Deletes a key, if it is there. */
  delete(key: K): this {
    this.#core.steps.push(this.#space.deleting(key));
    return this;
  }

  /** The same batch, for keys of another namespace. */
  namespace<W = unknown, L = string>(options: KeyValueOptions<W, L>): KeyValueBatch<W, L> {
    return new KeyValueBatch(this.#space.sibling(options), this.#core);
  }

  /** Writes all steps. Rejects as `KeyValueStore.set` does. */
  async write(options: WriteOptions = {}): Promise<void> {
    this.#space.check(WRITE_OPTIONS, options);
    return this.#core.write(this.#core.steps.splice(0), options);
  }
}

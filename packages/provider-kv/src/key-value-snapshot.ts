import type { KeySpace, KeyValueOptions } from './key-space.js';
import type { KeyValueMoment } from './key-value-backend.js';
import { KeyValueReader } from './key-value-reader.js';

/**
 * The database as it was at one moment, whatever is written since; what had not expired then does not expire in it. It holds
 * a connection of the pool, and what has been overwritten since, until `close()`: use it with `await using`.
 */
export class KeyValueSnapshot<V = unknown, K = string> extends KeyValueReader<V, K> implements AsyncDisposable {
  readonly #core: KeyValueMoment;

  constructor(space: KeySpace<V, K>, core: KeyValueMoment) {
    super(space, core);
    this.#core = core;
  }

  /** Another namespace at the same moment. Closing either closes both. */
  namespace<W = unknown, L = string>(options: KeyValueOptions<W, L>): KeyValueSnapshot<W, L> {
    return new KeyValueSnapshot(this.space.sibling(options), this.#core);
  }

  /** Gives the connection back; reads after it are refused with `DBM_LEASE_RELEASED`. Does nothing the second time. */
  close(): Promise<void> {
    return this.#core.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

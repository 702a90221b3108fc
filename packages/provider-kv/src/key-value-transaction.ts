import { type KeySpace, type KeyValueOptions, SET_OPTIONS, type SetOptions } from './key-space.js';
import type { TransactionRecords } from './key-value-backend.js';
import { KeyValueReader } from './key-value-reader.js';

/**
 * A transaction: reads see the database as it was at its begin, and what it has written itself. Writes are kept in memory
 * and made together at the end. After the end everything is refused with `DBM_LEASE_RELEASED`.
 */
export class KeyValueTransaction<V = unknown, K = string> extends KeyValueReader<V, K> {
  readonly #core: TransactionRecords;

  constructor(space: KeySpace<V, K>, core: TransactionRecords) {
    super(space, core);
    this.#core = core;
  }

  /** Stores a value when the transaction commits. Its time to live counts from the begin. Throws `DBM_INVALID_OPTION`. */
  set(key: K, value: V, options: SetOptions = {}): void {
    this.space.check(SET_OPTIONS, options);
    this.#core.put(this.space.setting(key, value, options));
  }

  /** Deletes a key, if it is there, when the transaction commits. */
  delete(key: K): void {
    this.#core.put(this.space.deleting(key));
  }

  /** The same transaction, for another namespace. */
  namespace<W = unknown, L = string>(options: KeyValueOptions<W, L>): KeyValueTransaction<W, L> {
    return new KeyValueTransaction(this.space.sibling(options), this.#core);
  }
}

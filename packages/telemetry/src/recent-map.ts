/** Keeps what has been asked for lately, at most twice `size`; finding something costs no more than in a `Map`. */
export class RecentMap<V> {
  readonly #size: number;
  #young = new Map<string, V>();
  /** What has not been asked for since the young ones became too many. */
  #old = new Map<string, V>();

  constructor(size: number) {
    this.#size = size;
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: V): void {
    this.#old.delete(key);
    if (this.#young.size >= this.#size) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  *values(): Generator<V, void> {
    yield* this.#young.values();
    yield* this.#old.values();
  }
}

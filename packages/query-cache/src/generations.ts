/** Names that are remembered; past that everything counts as changed once. */
const MOST_NAMES = 10_000;

/** How often tables and tags have changed: what was read before a change has another stamp than what is read after it. */
export class Generations {
  readonly #latest = new Map<string, number>();
  #counter = 0;
  /** Of names that have not changed since. */
  #floor = 0;

  /** What these names stand at now. */
  stamp(names: readonly string[]): string {
    let stamp = '';
    for (const name of names) stamp += `${this.#latest.get(name) ?? this.#floor},`;
    return stamp;
  }

  /** These have changed. */
  bump(names: Iterable<string>): void {
    for (const name of names) this.#latest.set(name, ++this.#counter);
    if (this.#latest.size <= MOST_NAMES) return;
    this.#latest.clear();
    this.#floor = ++this.#counter;
  }
}

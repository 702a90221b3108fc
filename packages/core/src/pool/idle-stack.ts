import type { PoolEntry } from './pool-entry.js';

/**
 * Idle connections, the longest idle at the bottom. The newest is handed out first, so that those nobody needs age at
 * the bottom until they are closed.
 */
export class IdleStack<C> {
  readonly #entries: PoolEntry<C>[] = [];

  get size(): number {
    return this.#entries.length;
  }

  /** The one that was used last. */
  get newest(): PoolEntry<C> | undefined {
    return this.#entries[this.#entries.length - 1];
  }

  /** Puts `entry` where its `idleSince` belongs: nearly always on top. */
  put(entry: PoolEntry<C>): void {
    const entries = this.#entries;
    let place = entries.length;
    while (place > 0 && (entries[place - 1] as PoolEntry<C>).idleSince > entry.idleSince) place--;
    if (place === entries.length) entries.push(entry);
    else entries.splice(place, 0, entry);
  }

  /** Takes the newest. */
  pop(): PoolEntry<C> | undefined {
    return this.#entries.pop();
  }

  /** Takes the one idle for longest. */
  shift(): PoolEntry<C> | undefined {
    return this.#entries.shift();
  }

  /** Takes this one; false when it is not here. */
  remove(entry: PoolEntry<C>): boolean {
    const place = this.#entries.lastIndexOf(entry);
    if (place < 0) return false;
    this.#entries.splice(place, 1);
    return true;
  }

  /** Takes all of them, the longest idle first. */
  drain(): PoolEntry<C>[] {
    return this.#entries.splice(0);
  }

  /** A copy, the longest idle first: safe to remove from while walking it. */
  toArray(): PoolEntry<C>[] {
    return [...this.#entries];
  }
}

import type { Footprint, ReadSet } from './read-set.js';

/** Most keys remembered. A transaction that would need more is told that it conflicts. */
const MAX_KEYS = 100_000;

/** A moment in the order of writes: those up to it were in the database when it was taken. */
export interface WriteMark {
  readonly after: number;
}

interface Entry {
  readonly number: number;
  readonly footprint: Footprint;
}

/**
 * Numbers the writes of one database in the order in which they are applied, and remembers what they changed for as long
 * as somebody may ask: optimistic concurrency control with backward validation (Kung and Robinson, "On Optimistic Methods
 * for Concurrency Control", 1981).
 */
export class WriteLog {
  readonly #marks = new Set<WriteMark>();
  #entries: Entry[] = [];
  #keys = 0;
  #last = 0;
  #applied = 0;
  /** Writes up to this one have been forgotten. */
  #forgotten = 0;

  /** How many keys are remembered. */
  get remembered(): number {
    return this.#keys;
  }

  /** A write takes its place in the order. Returns its number. */
  append(footprint: Footprint): number {
    this.#last++;
    this.#entries.push({ number: this.#last, footprint });
    this.#keys += footprint.keys.length;
    while (this.#keys > MAX_KEYS) this.#forgetFirst();
    return this.#last;
  }

  /** The database has everything up to this write, or never will. */
  applied(number: number): void {
    this.#applied = number;
    this.#prune();
  }

  /**
   * Takes a mark, in the same turn as the snapshot it goes with: a snapshot holds all that was applied by then. What is under
   * way may be in it or not, and counts as later.
   */
  mark(): WriteMark {
    const mark = { after: this.#applied };
    this.#marks.add(mark);
    return mark;
  }

  release(mark: WriteMark): void {
    this.#marks.delete(mark);
    this.#prune();
  }

  /** True when something of `reads` was, or may have been, written after the mark. */
  conflicts({ after }: WriteMark, reads: ReadSet): boolean {
    if (after < this.#forgotten) return true;
    return this.#entries.some(({ number, footprint }) => number > after && reads.meets(footprint));
  }

  #prune(): void {
    let needed = this.#applied;
    for (const { after } of this.#marks) needed = Math.min(needed, after);
    const kept = this.#entries.findIndex(({ number }) => number > needed);
    const dropped = this.#entries.splice(0, kept === -1 ? this.#entries.length : kept);
    for (const { footprint } of dropped) this.#keys -= footprint.keys.length;
  }

  #forgetFirst(): void {
    const first = this.#entries.shift();
    if (first === undefined) return;
    this.#keys -= first.footprint.keys.length;
    this.#forgotten = first.number;
  }
}

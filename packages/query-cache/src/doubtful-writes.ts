import type { Clock, Timer } from '@dbmanager/core';

/** Until the first look back, each of which is followed by one after twice the time, up to the longest. */
const FIRST_MS = 250;
const LONGEST_MS = 64_000;

/**
 * Tables whose last change may be made yet: the connection was lost, or given up, before the server had said how it ended, and a
 * server finishes what it was sent. They count as changed again at growing intervals for two minutes, so that what was read before
 * such a change is not kept for much longer than the change took.
 */
export class DoubtfulWrites {
  readonly #clock: Clock;
  readonly #changed: (tables: Iterable<string>) => void;
  readonly #tables = new Set<string>();
  #closed = false;
  #delayMs = FIRST_MS;
  #timer: Timer | undefined;

  constructor(clock: Clock, changed: (tables: Iterable<string>) => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  /** Begins anew, for those that are under way as well. */
  add(tables: Iterable<string>): void {
    if (this.#closed) return;
    for (const table of tables) this.#tables.add(table);
    // Many that come one after the other must not put off the first look for ever.
    if (this.#timer !== undefined && this.#delayMs === FIRST_MS) return;
    this.#delayMs = FIRST_MS;
    this.#wait();
  }

  /** Ends it for good. */
  close(): void {
    this.#closed = true;
    this.#end();
  }

  #wait(): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(this.#delayMs, () => this.#lookBack());
  }

  #lookBack(): void {
    this.#changed(this.#tables);
    this.#delayMs *= 2;
    if (this.#delayMs <= LONGEST_MS) this.#wait();
    else this.#end();
  }

  #end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#tables.clear();
  }
}

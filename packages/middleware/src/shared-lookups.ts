import { type Clock, raceSignal } from '@dbmanager/core';

/** Finds a value by its key; undefined when there is none. It throws nothing before its promise. */
export type Lookup<T> = (key: string, options: { readonly signal: AbortSignal }) => Promise<T | undefined>;

/** Options of {@link SharedLookups}. */
export interface SharedLookupsSetup {
  readonly ttlMs: number;
  /** Most keys that are kept; the one that was not asked for longest goes first. */
  readonly max: number;
  readonly clock: Clock;
}

interface Kept<T> {
  readonly value: T | undefined;
  readonly until: number;
}

/** One lookup under way, for all who wait for it. */
interface Flight<T> {
  readonly result: Promise<T | undefined>;
  readonly controller: AbortController;
  waiting: number;
}

/**
 * Keeps what was found for a while, also that nothing was; never an error. Those who ask for the same key at once share one
 * lookup, which ends when all of them have gone.
 */
export class SharedLookups<T> {
  readonly #lookup: Lookup<T>;
  readonly #setup: SharedLookupsSetup;
  readonly #kept = new Map<string, Kept<T>>();
  readonly #flights = new Map<string, Flight<T>>();

  constructor(lookup: Lookup<T>, setup: SharedLookupsSetup) {
    this.#lookup = lookup;
    this.#setup = setup;
  }

  /** Rejects with what the lookup rejects with, or with the signal's reason. */
  async find(key: string, { signal }: { readonly signal: AbortSignal }): Promise<T | undefined> {
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.until > this.#setup.clock.now()) {
      // The last in the map was asked for last.
      this.#kept.delete(key);
      this.#kept.set(key, kept);
      return kept.value;
    }
    const flight = this.#flights.get(key) ?? this.#start(key);
    flight.waiting++;
    try {
      return await raceSignal(flight.result, signal);
    } finally {
      if (--flight.waiting === 0) this.#land(key, flight);
    }
  }

  /** Forgets a key, also what is being looked up for it; all of them unless one is named. */
  forget(key?: string): void {
    if (key === undefined) {
      this.#kept.clear();
      this.#flights.clear();
    } else {
      this.#kept.delete(key);
      this.#flights.delete(key);
    }
  }

  #start(key: string): Flight<T> {
    const controller = new AbortController();
    const flight: Flight<T> = { result: this.#lookup(key, { signal: controller.signal }), controller, waiting: 0 };
    this.#flights.set(key, flight);
    const keep = (value: T | undefined) => {
      if (this.#flights.get(key) === flight) this.#keep(key, value);
    };
    // Its rejection is for those who wait, and there may be none left.
    flight.result.then(keep, () => undefined);
    return flight;
  }

  #keep(key: string, value: T | undefined): void {
    const { ttlMs, max, clock } = this.#setup;
    this.#kept.delete(key);
    this.#kept.set(key, { value, until: clock.now() + ttlMs });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > max && oldest !== undefined) this.#kept.delete(oldest);
  }

  #land(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
    flight.controller.abort();
  }
}

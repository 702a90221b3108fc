import { spread } from '../backoff.js';
import type { Clock, Timer } from '../clock.js';
import type { Random } from '../random.js';

/** What the monitor watches. */
export interface Monitored {
  readonly name: string;
  /** Milliseconds between checks; 0 is never. */
  readonly checkIntervalMs: number;
  /** False while a check would be pointless: nothing has been opened yet, or it is closing. */
  readonly checkable: boolean;
  /** One check with its own deadline; what it finds is recorded by the target. */
  healthCheck(): Promise<void>;
}

/** The random share by which an interval is lengthened or shortened, so that many databases are not checked at once. */
const JITTER = 0.1;

/**
 * Checks each database at its own interval, independent of all others, so that one that hangs delays nobody. It owns the
 * timers and nothing else; they never keep the process alive. The next check is timed when the last one has ended, so
 * two never overlap.
 */
export class HealthMonitor {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #timers = new Map<string, Timer | undefined>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Checks at once and then at intervals; does nothing for a target that is watched already. */
  watch(target: Monitored): void {
    if (target.checkIntervalMs === 0 || this.#timers.has(target.name)) return;
    this.#timers.set(target.name, undefined);
    void this.#check(target);
  }

  unwatch(name: string): void {
    this.#timers.get(name)?.cancel();
    this.#timers.delete(name);
  }

  stop(): void {
    for (const name of [...this.#timers.keys()]) this.unwatch(name);
  }

  async #check(target: Monitored): Promise<void> {
    const startedAt = this.#clock.now();
    // A failed check is no failure of the loop: the target has recorded it.
    if (target.checkable) await target.healthCheck().catch(() => undefined);
    if (!this.#timers.has(target.name)) return;
    const delay = spread(target.checkIntervalMs, JITTER, this.#random) - (this.#clock.now() - startedAt);
    this.#timers.set(
      target.name,
      this.#clock.setTimer(Math.max(0, delay), () => void this.#check(target)),
    );
  }
}

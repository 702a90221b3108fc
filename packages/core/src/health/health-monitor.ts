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

/** One target while it is watched. */
interface Watch {
  readonly target: Monitored;
  /** Of the next check. */
  timer: Timer | undefined;
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
  readonly #watches = new Map<string, Watch>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Checks at intervals from now on: the first check is the connect. Does nothing for a target that is watched already. */
  watch(target: Monitored): void {
    if (target.checkIntervalMs === 0 || this.#watches.has(target.name)) return;
    const watch: Watch = { target, timer: undefined };
    this.#watches.set(target.name, watch);
    this.#schedule(watch, this.#clock.now());
  }

  unwatch(name: string): void {
    this.#watches.get(name)?.timer?.cancel();
    this.#watches.delete(name);
  }

  stop(): void {
    for (const name of [...this.#watches.keys()]) this.unwatch(name);
  }

  async #check(watch: Watch): Promise<void> {
    const { target } = watch;
    const startedAt = this.#clock.now();
    // A failed check is no failure of the loop: the target has recorded it.
    if (target.checkable) await target.healthCheck().catch(() => undefined);
    // By now it may be watched no more, or another of its name be.
    if (this.#watches.get(target.name) === watch) this.#schedule(watch, startedAt);
  }

  /** The interval counts from the start of the last check. */
  #schedule(watch: Watch, lastStartedAt: number): void {
    const delay = spread(watch.target.checkIntervalMs, JITTER, this.#random) - (this.#clock.now() - lastStartedAt);
    watch.timer = this.#clock.setTimer(Math.max(0, delay), () => void this.#check(watch));
  }
}

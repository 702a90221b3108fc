import { DURATION_BUCKETS_S, type DurationHistogram } from './pool-stats.js';

const BOUNDS_MS = DURATION_BUCKETS_S.map((seconds) => seconds * 1_000);

/** Counts durations by bucket. */
export class Histogram {
  readonly #counts: number[] = new Array<number>(BOUNDS_MS.length + 1).fill(0);
  #count = 0;
  #sumMs = 0;

  observe(ms: number): void {
    let bucket = 0;
    while (bucket < BOUNDS_MS.length && ms > (BOUNDS_MS[bucket] as number)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#count++;
    this.#sumMs += ms;
  }

  get count(): number {
    return this.#count;
  }

  /** @param instant how many durations of nothing to show besides: cheaper than observing each. */
  snapshot(instant = 0): DurationHistogram {
    const counts = [...this.#counts];
    counts[0] = (counts[0] as number) + instant;
    return { counts, count: this.#count + instant, sumSeconds: this.#sumMs / 1_000 };
  }
}

import { Buckets } from './buckets.js';
import { DURATION_BUCKETS_S, type DurationHistogram } from './pool-stats.js';

const BOUNDS_MS = DURATION_BUCKETS_S.map((seconds) => seconds * 1_000);

/** Counts durations by bucket. */
export class Histogram {
  readonly #buckets = new Buckets(BOUNDS_MS);

  observe(ms: number): void {
    this.#buckets.observe(ms);
  }

  get count(): number {
    return this.#buckets.count;
  }

  /** @param instant how many durations of nothing to show besides: cheaper than observing each. */
  snapshot(instant = 0): DurationHistogram {
    const { counts, count, sum } = this.#buckets.snapshot();
    counts[0] = (counts[0] as number) + instant;
    return { counts, count: count + instant, sumSeconds: sum / 1_000 };
  }
}

/** Counts values by the bucket they fall in. */
export class Buckets {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #count = 0;
  #sum = 0;

  /** @param bounds the largest value of each bucket, in order; there is one more for what is above. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#count++;
    this.#sum += value;
  }

  get count(): number {
    return this.#count;
  }

  /** A copy. */
  snapshot(): { readonly counts: number[]; readonly count: number; readonly sum: number } {
    return { counts: [...this.#counts], count: this.#count, sum: this.#sum };
  }
}

import { Buckets, Histogram, ROW_BUCKETS, type StatementSeries, type StatementStats } from '@dbmanager/core';

/** Most pairs of operation and collection that are told apart: each is some thirty lines of a scrape. */
const MOST_SERIES = 100;

/** Counts statements of one operation on one collection. */
export class SeriesCounter {
  readonly operation: string;
  readonly collection: string;
  readonly #duration = new Histogram();
  readonly #rows = new Buckets(ROW_BUCKETS);
  #errors = 0;

  constructor(operation: string, collection: string) {
    this.operation = operation;
    this.collection = collection;
  }

  observe(durationMs: number, rows: number | undefined, failed: boolean): void {
    this.#duration.observe(durationMs);
    if (rows !== undefined) this.#rows.observe(rows);
    if (failed) this.#errors++;
  }

  snapshot(): StatementSeries {
    const { operation, collection } = this;
    const errors = this.#errors;
    return { operation, collection, duration: this.#duration.snapshot(), rows: this.#rows.snapshot(), errors };
  }
}

/** The counters of one connection. */
export class StatementCounters {
  readonly #series = new Map<string, SeriesCounter>();

  /** The counter for that pair; when there are too many, the one of the operation alone. Operations are few by themselves. */
  series(operation: string, collection: string): SeriesCounter {
    const key = `${operation}\n${collection}`;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (collection !== '' && this.#series.size >= MOST_SERIES) return this.series(operation, '');
    const made = new SeriesCounter(operation, collection);
    this.#series.set(key, made);
    return made;
  }

  snapshot(): StatementStats {
    return { series: [...this.#series.values()].map((each) => each.snapshot()) };
  }
}

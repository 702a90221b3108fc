import {
  type ByteRange,
  type KvRecord,
  keyId,
  type ReadObserver,
  type Records,
  ScannedRange,
  type ScanObserver,
} from '@dbmanager/provider-kv';

type Entry = readonly [key: Uint8Array, record: KvRecord];

/** What a transaction has read, to be read again before it commits: optimistic concurrency control by values. */
export class ObservedReads implements ReadObserver {
  readonly #keys = new Map<string, { readonly key: Uint8Array; readonly record: KvRecord | undefined }>();
  readonly #scans: ObservedScan[] = [];

  add(key: Uint8Array, record: KvRecord | undefined): void {
    this.#keys.set(keyId(key), { key, record });
  }

  scan(range: ByteRange, reverse: boolean): ObservedScan {
    const scan = new ObservedScan(range, reverse);
    this.#scans.push(scan);
    return scan;
  }

  /** Nothing was read. */
  get isEmpty(): boolean {
    return this.#keys.size === 0 && this.#scans.every(({ seen }) => seen === undefined);
  }

  /** Whether all of it is found the same in `records`, keys that were not there included. */
  async holdIn(records: Records): Promise<boolean> {
    const read = [...this.#keys.values()];
    const found = read.length === 0 ? [] : await records.getMany(read.map(({ key }) => key));
    if (!read.every(({ record }, index) => isSame(record, found[index]))) return false;
    for (const scan of this.#scans) if (!(await scan.holdsIn(records))) return false;
    return true;
  }
}

/** What one scan has given, as far as it came. */
class ObservedScan implements ScanObserver {
  readonly #range: ScannedRange;
  readonly #reverse: boolean;
  readonly #entries: Entry[] = [];

  constructor(range: ByteRange, reverse: boolean) {
    this.#range = new ScannedRange(range, reverse);
    this.#reverse = reverse;
  }

  get seen(): ByteRange | undefined {
    return this.#range.seen;
  }

  reached(key: Uint8Array, record: KvRecord | undefined): void {
    this.#range.reached(key);
    if (record !== undefined) this.#entries.push([key, record]);
  }

  completed(): void {
    this.#range.completed();
  }

  async holdsIn(records: Records): Promise<boolean> {
    const { seen } = this;
    if (seen === undefined) return true;
    const options = { reverse: this.#reverse, atMost: Number.POSITIVE_INFINITY, signal: undefined };
    let next = 0;
    for await (const entry of records.scan(seen, options)) {
      const expected = this.#entries[next++];
      if (expected === undefined || !isSameEntry(expected, entry)) return false;
    }
    return next === this.#entries.length;
  }
}

function isSameEntry(a: Entry, b: Entry): boolean {
  return Buffer.compare(a[0], b[0]) === 0 && isSame(a[1], b[1]);
}

function isSame(a: KvRecord | undefined, b: KvRecord | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.expiresAt === b.expiresAt && Buffer.compare(a.payload, b.payload) === 0;
}

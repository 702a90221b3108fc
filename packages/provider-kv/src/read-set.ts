import { type ByteRange, contains, following, overlaps } from './byte-range.js';

/** What a write changed: single keys, or a whole range. */
export interface Footprint {
  readonly keys: readonly Uint8Array[];
  readonly range?: ByteRange | undefined;
}

/** A key as text, one character for each byte: for use in maps, in the order of the bytes. */
export function keyId(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}

/** What a transaction has looked at, keys that were not there included. */
export class ReadSet {
  readonly #keys = new Map<string, Uint8Array>();
  readonly #scans: ScannedRange[] = [];

  add(key: Uint8Array): void {
    this.#keys.set(keyId(key), key);
  }

  /** A scan begins; it has looked at nothing yet. */
  scan(range: ByteRange, reverse: boolean): ScannedRange {
    const scan = new ScannedRange(range, reverse);
    this.#scans.push(scan);
    return scan;
  }

  /** True when a write changed something that was looked at. */
  meets({ keys, range }: Footprint): boolean {
    const scanned = this.#scans.flatMap(({ seen }) => seen ?? []);
    if (keys.some((key) => this.#keys.has(keyId(key)) || scanned.some((seen) => contains(seen, key)))) return true;
    if (range === undefined) return false;
    return (
      scanned.some((seen) => overlaps(seen, range)) || [...this.#keys.values()].some((key) => contains(range, key))
    );
  }
}

/** A range as far as it has been looked at: what a scan that ended early did not reach cannot matter to its reader. */
export class ScannedRange {
  readonly #range: ByteRange;
  readonly #reverse: boolean;
  #seen: ByteRange | undefined;

  constructor(range: ByteRange, reverse: boolean) {
    this.#range = range;
    this.#reverse = reverse;
  }

  get seen(): ByteRange | undefined {
    return this.#seen;
  }

  /** The scan has come to this key. */
  reached(key: Uint8Array): void {
    const { gte, lt } = this.#range;
    this.#seen = this.#reverse ? { gte: key, lt } : { gte, lt: following(key) };
  }

  /** The scan has come to the end. */
  completed(): void {
    this.#seen = this.#range;
  }
}

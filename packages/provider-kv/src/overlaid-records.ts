import { DbManagerError } from '@dbmanager/core';
import { type ByteRange, contains } from './byte-range.js';
import type { TransactionRecords } from './key-value-backend.js';
import { keyId } from './read-set.js';
import type { KvRecord } from './record.js';
import type { RecordScan, Records } from './records.js';
import { outcomeOf, type Step } from './step.js';

/** What a key holds when a transaction has committed. */
export interface Outcome {
  readonly key: Uint8Array;
  /** Undefined: deleted. */
  readonly record: KvRecord | undefined;
}

/** Is told what a transaction looks at in the database, not in its own writes. */
export interface ReadObserver {
  /** A key was read; undefined: it was not there. */
  add(key: Uint8Array, record: KvRecord | undefined): void;
  /** A scan begins; it has looked at nothing yet. */
  scan(range: ByteRange, reverse: boolean): ScanObserver;
}

/** Is told how far a scan has come. */
export interface ScanObserver {
  /** It has come to this key; undefined: of the transaction's own, and not read. */
  reached(key: Uint8Array, record: KvRecord | undefined): void;
  /** It has come to the end. */
  completed(): void;
}

/** What an {@link OverlaidRecords} is made of. */
export interface OverlaySetup {
  /** The moment that is read. */
  readonly records: Records;
  readonly reads: ReadObserver;
  /** When the transaction began: times to live count from it. */
  readonly now: number;
  readonly connectionName: string;
}

/** The records of one moment under what a transaction has written, which is kept in memory until its end. */
export class OverlaidRecords implements TransactionRecords {
  readonly #setup: OverlaySetup;
  readonly #pending = new Map<string, Outcome>();
  #ended = false;

  constructor(setup: OverlaySetup) {
    this.#setup = setup;
  }

  /** What was written, one outcome for each key. */
  get outcomes(): readonly Outcome[] {
    return [...this.#pending.values()];
  }

  async getMany(keys: readonly Uint8Array[], signal?: AbortSignal): Promise<(KvRecord | undefined)[]> {
    this.#requireOpen();
    const { records, reads } = this.#setup;
    const pending = keys.map((key) => this.#pending.get(keyId(key)));
    const others = keys.filter((_, index) => pending[index] === undefined);
    const found = others.length === 0 ? [] : await records.getMany(others, signal);
    for (const [index, key] of others.entries()) reads.add(key, found[index]);
    const stored = found.values();
    return pending.map((own) => (own === undefined ? stored.next().value : own.record));
  }

  /** The moment's records with those written here, up to when the scan begins, in between. */
  async *scan(range: ByteRange, scan: RecordScan): AsyncGenerator<readonly [Uint8Array, KvRecord]> {
    this.#requireOpen();
    const { records, reads } = this.#setup;
    const seen = reads.scan(range, scan.reverse);
    const own = this.#ownIn(range, scan.reverse);
    const order = scan.reverse ? -1 : 1;
    const stored = records.scan(range, scan);
    let next = 0;
    for await (const [key, record] of stored) {
      this.#requireOpen();
      for (let mine = own[next]; mine !== undefined && Buffer.compare(mine.key, key) * order < 0; mine = own[++next]) {
        seen.reached(mine.key, undefined);
        if (mine.record !== undefined) yield [mine.key, mine.record];
      }
      seen.reached(key, record);
      const mine = own[next];
      if (mine === undefined || Buffer.compare(mine.key, key) !== 0) yield [key, record];
      else {
        next++;
        if (mine.record !== undefined) yield [key, mine.record];
      }
    }
    seen.completed();
    for (const { key, record } of own.slice(next)) if (record !== undefined) yield [key, record];
  }

  put(step: Step): void {
    this.#requireOpen();
    this.#pending.set(keyId(step.key), { key: step.key, record: outcomeOf(step, this.#setup.now) });
  }

  /** Everything after it is refused. */
  end(): void {
    this.#ended = true;
  }

  #ownIn(range: ByteRange, reverse: boolean): Outcome[] {
    const own = [...this.#pending.values()].filter(({ key }) => contains(range, key));
    return own.sort((a, b) => (reverse ? Buffer.compare(b.key, a.key) : Buffer.compare(a.key, b.key)));
  }

  #requireOpen(): void {
    if (!this.#ended) return;
    throw new DbManagerError('DBM_LEASE_RELEASED', 'the transaction has ended', {
      connectionName: this.#setup.connectionName,
    });
  }
}

import { DbManagerError } from '@dbmanager/core';
import { type ByteRange, contains } from './byte-range.js';
import type { KeySpace, KeyValueOptions, SetOptions } from './key-space.js';
import { KeyValueReader } from './key-value-reader.js';
import type { KvConnection } from './kv-connection.js';
import type { LevelSnapshot } from './level-driver.js';
import { keyId, ReadSet } from './read-set.js';
import type { KvRecord } from './record.js';
import { type RecordScan, type Records, RecordsOfMoment } from './records.js';
import { operationsFor, outcomeOf, type Step } from './step.js';
import type { WriteMark } from './write-log.js';
import type { WriteOptions } from './write-queue.js';

interface Pending {
  readonly key: Uint8Array;
  /** Undefined: deleted. */
  readonly record: KvRecord | undefined;
}

/**
 * One attempt at a transaction: a snapshot, what was read of it, and what is to be written. Optimistic: it holds up nobody,
 * and at its end it is refused when something that it had read has been written meanwhile.
 */
export class TransactionCore implements Records {
  readonly #connection: KvConnection;
  readonly #snapshot: LevelSnapshot;
  readonly #mark: WriteMark;
  readonly #records: Records;
  readonly #now: number;
  readonly #reads = new ReadSet();
  readonly #pending = new Map<string, Pending>();
  #ended = false;

  constructor(connection: KvConnection) {
    const { database, writes, now } = connection.handle;
    this.#connection = connection;
    // In one turn: the mark tells which writes the snapshot is sure to hold.
    this.#snapshot = database.snapshot();
    this.#mark = writes.log.mark();
    this.#now = now();
    this.#records = new RecordsOfMoment(connection, this.#snapshot);
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(KvRecord | undefined)[]> {
    this.#requireOpen();
    const pending = keys.map((key) => this.#pending.get(keyId(key)));
    const others = keys.filter((_, index) => pending[index] === undefined);
    for (const key of others) this.#reads.add(key);
    const found = others.length === 0 ? [] : await this.#records.getMany(others);
    const stored = found.values();
    return pending.map((own) => (own === undefined ? stored.next().value : own.record));
  }

  /** The snapshot's records with those written here, up to when the scan begins, in between. */
  async *scan(range: ByteRange, scan: RecordScan): AsyncGenerator<readonly [Uint8Array, KvRecord]> {
    this.#requireOpen();
    const seen = this.#reads.scan(range, scan.reverse);
    const own = this.#ownIn(range, scan.reverse);
    const order = scan.reverse ? -1 : 1;
    const stored = this.#records.scan(range, scan);
    let next = 0;
    for await (const [key, record] of stored) {
      this.#requireOpen();
      for (let mine = own[next]; mine !== undefined && Buffer.compare(mine.key, key) * order < 0; mine = own[++next]) {
        seen.reached(mine.key);
        if (mine.record !== undefined) yield [mine.key, mine.record];
      }
      seen.reached(key);
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
    this.#pending.set(keyId(step.key), { key: step.key, record: outcomeOf(step, this.#now) });
  }

  /** Writes what was put, if nothing that was read has changed. Rejects with `DBM_SERIALIZATION_FAILURE` otherwise. */
  async commit(options: WriteOptions): Promise<void> {
    this.#ended = true;
    // Without a write it stands at the moment of its snapshot, where all that it read is true.
    if (this.#pending.size === 0) return;
    const operations = [...this.#pending.values()].flatMap(({ key, record }) => operationsFor(key, record));
    const read = { mark: this.#mark, reads: this.#reads };
    await this.#connection.attempt(({ writes }) => writes.commit(operations, read, options));
  }

  /** Nothing can be done in it any more. To be called once, however it ended. */
  async close(): Promise<void> {
    this.#ended = true;
    this.#connection.handle.writes.log.release(this.#mark);
    await this.#snapshot.close();
  }

  #ownIn(range: ByteRange, reverse: boolean): Pending[] {
    const own = [...this.#pending.values()].filter(({ key }) => contains(range, key));
    return own.sort((a, b) => (reverse ? Buffer.compare(b.key, a.key) : Buffer.compare(a.key, b.key)));
  }

  #requireOpen(): void {
    if (!this.#ended) return;
    throw new DbManagerError('DBM_LEASE_RELEASED', 'the transaction has ended', {
      connectionName: this.#connection.name,
    });
  }
}

/**
 * A transaction: reads see the database as it was at its begin, and what it has written itself. Writes are kept in memory
 * and made together at the end. After the end everything is refused with `DBM_LEASE_RELEASED`.
 */
export class KeyValueTransaction<V = unknown, K = string> extends KeyValueReader<V, K> {
  readonly #core: TransactionCore;

  constructor(space: KeySpace<V, K>, core: TransactionCore) {
    super(space, core);
    this.#core = core;
  }

  /** Stores a value when the transaction commits. Its time to live counts from the begin. Throws `DBM_INVALID_OPTION`. */
  set(key: K, value: V, options: SetOptions = {}): void {
    this.#core.put(this.space.setting(key, value, options));
  }

  /** Deletes a key, if it is there, when the transaction commits. */
  delete(key: K): void {
    this.#core.put(this.space.deleting(key));
  }

  /** The same transaction, for another namespace. */
  namespace<W = unknown, L = string>(options: KeyValueOptions<W, L>): KeyValueTransaction<W, L> {
    return new KeyValueTransaction(this.space.sibling(options), this.#core);
  }
}

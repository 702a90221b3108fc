import type { KvConnection } from './kv-connection.js';
import type { LevelSnapshot } from './level-driver.js';
import { OverlaidRecords } from './overlaid-records.js';
import { ReadSet } from './read-set.js';
import { RecordsOfMoment } from './records-of-moment.js';
import { operationsFor } from './step.js';
import type { WriteMark } from './write-log.js';
import type { WriteOptions } from './write-options.js';

/**
 * One attempt at a transaction: a snapshot, what was read of it, and what is to be written. Optimistic: it holds up nobody,
 * and at its end it is refused when something that it had read has been written meanwhile.
 */
export class LevelTransaction {
  /** What the transaction reads and writes. */
  readonly records: OverlaidRecords;
  readonly #connection: KvConnection;
  readonly #snapshot: LevelSnapshot;
  readonly #mark: WriteMark;
  readonly #reads = new ReadSet();

  constructor(connection: KvConnection) {
    const { database, writes, now } = connection.handle;
    this.#connection = connection;
    // In one turn: the mark tells which writes the snapshot is sure to hold.
    this.#snapshot = database.snapshot();
    this.#mark = writes.log.mark();
    this.records = new OverlaidRecords({
      records: new RecordsOfMoment(connection, this.#snapshot),
      reads: this.#reads,
      now: now(),
      connectionName: connection.name,
    });
  }

  /** Writes what was put, if nothing that was read has changed. Rejects with `DBM_SERIALIZATION_FAILURE` otherwise. */
  async commit(options: WriteOptions): Promise<void> {
    this.records.end();
    const { outcomes } = this.records;
    // Without a write it stands at the moment of its snapshot, where all that it read is true.
    if (outcomes.length === 0) return;
    const operations = outcomes.flatMap(({ key, record }) => operationsFor(key, record));
    const read = { mark: this.#mark, reads: this.#reads };
    await this.#connection.attempt(({ writes }) => writes.commit(operations, read, options));
  }

  /** Nothing can be done in it any more. To be called once, however it ended. */
  async close(): Promise<void> {
    this.records.end();
    this.#connection.handle.writes.log.release(this.#mark);
    await this.#snapshot.close();
  }
}

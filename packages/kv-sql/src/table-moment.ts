import { Deadline, systemClock } from '@dbmanager/core';
import type { Database, Transaction } from '@dbmanager/database';
import type { ByteRange, KeyValueMoment, KvRecord, RecordScan } from '@dbmanager/provider-kv';
import { RowRecords } from './row-records.js';
import type { StoredRows } from './stored-rows.js';
import type { TableDialect } from './table-dialect.js';

/** The whole range of keys. */
const EVERYTHING: ByteRange = { gte: Buffer.alloc(0), lt: Buffer.of(0xff) };

/** What a {@link TableMoment} is of. */
export interface MomentSetup {
  readonly db: Database;
  readonly rows: StoredRows;
  readonly dialect: TableDialect;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly signal: AbortSignal | undefined;
}

/** The table at one moment: a read-only transaction, whose connection it holds until it is closed. */
export class TableMoment implements KeyValueMoment {
  /** When it was taken, in milliseconds since 1970: what had expired by then is not there. */
  readonly now: number;
  readonly #tx: Transaction;
  readonly #records: RowRecords;
  #closing: Promise<void> | undefined;

  private constructor(tx: Transaction, rows: StoredRows, now: number) {
    this.now = now;
    this.#tx = tx;
    this.#records = new RowRecords(rows, tx, now);
  }

  /** Takes the moment now. The signal ends the waiting for it, and nothing after that. */
  static async begin({ db, rows, dialect, now, signal }: MomentSetup): Promise<TableMoment> {
    // A transaction is rolled back by its signal for as long as it lasts, and this one is let go of.
    using patience = new Deadline(systemClock, undefined, signal);
    const tx = await db.begin({ readOnly: true, isolation: dialect.momentIsolation, signal: patience.signal });
    const taken = now();
    try {
      // The moment of a transaction is that of the first row it reads, not that of its BEGIN.
      await rows.page(tx, EVERYTHING, { reverse: false, rows: 1, now: taken, signal });
    } catch (error) {
      await tx.rollback();
      throw error;
    }
    return new TableMoment(tx, rows, taken);
  }

  getMany(keys: readonly Uint8Array[], signal?: AbortSignal): Promise<(KvRecord | undefined)[]> {
    return this.#records.getMany(keys, signal);
  }

  scan(range: ByteRange, scan: RecordScan): AsyncGenerator<[Uint8Array, KvRecord]> {
    return this.#records.scan(range, scan);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      await this.#tx.commit();
    } catch {
      // Nothing was written: that the connection is lost, or the transaction over, is no failure of closing.
      await this.#tx.rollback();
    }
  }
}

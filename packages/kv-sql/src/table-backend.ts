import {
  type AcquireOptions,
  type BridgeTarget,
  type Clock,
  DbManagerError,
  isDbManagerError,
  type Random,
  systemClock,
} from '@dbmanager/core';
import { createDatabase, type Database } from '@dbmanager/database';
import {
  type AttemptOutcome,
  type ByteRange,
  type KeyValueBackend,
  keyId,
  type Outcome,
  OverlaidRecords,
  outcomeOf,
  type RepeatOptions,
  repeatAttempts,
  type Step,
  type TransactionRecords,
  type WriteOptions,
} from '@dbmanager/provider-kv';
import { KeyTurns } from './key-turns.js';
import { ObservedReads } from './observed-reads.js';
import { PooledRows } from './pooled-rows.js';
import { RowRecords } from './row-records.js';
import { StoredRows } from './stored-rows.js';
import type { TableDialect } from './table-dialect.js';
import { TableMoment } from './table-moment.js';

/** Further attempts of a write that another's locks stood in the way of; no callback has to run again for them. */
const WRITE_RETRIES = 10;
/** How often rows whose time is over are removed by a writer. */
const EXPIRY_INTERVAL_MS = 60_000;

/** What a {@link TableBackend} is of. */
export interface TableBackendSetup {
  readonly target: BridgeTarget;
  readonly dialect: TableDialect;
  /** An identifier. */
  readonly table: string;
  /** Makes the table at the first use, where there is none. */
  readonly createTable: boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly clock: Clock | undefined;
  readonly random: Random | undefined;
}

/** The database, once it is known to be open. */
interface OpenTable {
  readonly db: Database;
  readonly rows: StoredRows;
}

/** Keeps namespaces in a table. */
export class TableBackend implements KeyValueBackend {
  readonly records: PooledRows;
  readonly #setup: TableBackendSetup;
  readonly #turns: KeyTurns;
  #opened: Promise<OpenTable> | undefined;
  /** When rows whose time is over were removed last, from here. */
  #sweptAt: number;

  constructor(setup: TableBackendSetup) {
    this.#setup = setup;
    this.#turns = new KeyTurns(setup.target.name);
    this.#sweptAt = setup.now();
    this.records = new PooledRows({
      current: async () => {
        const { db, rows } = await this.#open();
        return new RowRecords(rows, db, setup.now());
      },
      moment: (signal) => this.#moment(signal),
    });
  }

  write(steps: readonly Step[], { signal }: WriteOptions): Promise<void> {
    return this.#turns.run(
      steps.map(({ key }) => key),
      signal,
      async () => {
        const now = this.#setup.now();
        await this.#write(lastOutcomes(steps, now), signal);
        await this.#sweep(now, signal);
      },
    );
  }

  async clear(range: ByteRange): Promise<void> {
    await this.#turns.runAlone(async () => {
      const { db, rows } = await this.#open();
      await rows.clear(db, range);
    });
  }

  snapshot({ signal }: AcquireOptions): Promise<TableMoment> {
    return this.#moment(signal);
  }

  transaction<R>(options: RepeatOptions, work: (records: TransactionRecords) => Promise<R>): Promise<R> {
    const { target, clock = systemClock, random = Math.random } = this.#setup;
    const { retries, signal } = options;
    const onRetry = () => target.transactions?.retried('serialization_failure');
    return repeatAttempts({ retries, signal, clock, random, onRetry }, () => this.#attempt(signal, work));
  }

  /** Reads one moment while `work` runs, and holds no lock; then, on a connection asked for anew, makes sure and writes. */
  async #attempt<R>(
    signal: AbortSignal | undefined,
    work: (records: TransactionRecords) => Promise<R>,
  ): Promise<AttemptOutcome<R>> {
    const { target } = this.#setup;
    const moment = await this.#moment(signal);
    const { now } = moment;
    const reads = new ObservedReads();
    const records = new OverlaidRecords({ records: moment, reads, now, connectionName: target.name });
    let result: R;
    try {
      result = await target.holding(() => work(records));
    } finally {
      records.end();
      await moment.close();
    }
    const { outcomes } = records;
    // Without a write it stands at its moment, where all that it read is true.
    if (outcomes.length === 0) return { result };
    const keys = outcomes.map(({ key }) => key);
    const conflict = await this.#turns.run(keys, signal, () => this.#commit(outcomes, reads, now, signal));
    return conflict === undefined ? { result } : { conflict };
  }

  /** Writes, if what was read is still so. Gives the conflict otherwise. */
  async #commit(
    outcomes: readonly Outcome[],
    reads: ObservedReads,
    now: number,
    signal: AbortSignal | undefined,
  ): Promise<DbManagerError | undefined> {
    if (reads.isEmpty) {
      await this.#write(outcomes, signal);
      return undefined;
    }
    const { dialect, target } = this.#setup;
    const { db, rows } = await this.#open();
    try {
      const held = await db.transaction(
        { isolation: dialect.commitIsolation, retry: WRITE_RETRIES, signal },
        async (tx) => {
          await rows.lock(tx);
          if (!(await reads.holdIn(new RowRecords(rows, tx, now)))) return false;
          await rows.write(tx, outcomes);
          return true;
        },
      );
      if (held) return undefined;
    } catch (error) {
      if (isConflict(error)) return error;
      throw error;
    }
    return new DbManagerError(
      'DBM_SERIALIZATION_FAILURE',
      'something that the transaction had read was written meanwhile',
      { connectionName: target.name },
    );
  }

  async #write(outcomes: readonly Outcome[], signal: AbortSignal | undefined): Promise<void> {
    if (outcomes.length === 0) return;
    const { db, rows } = await this.#open();
    if (rows.isOneStatement(outcomes)) {
      try {
        await rows.write(db, outcomes, { signal });
        return;
      } catch (error) {
        // Rolled back for another's sake: made below as any other, which is repeated.
        if (!isConflict(error)) throw error;
      }
    }
    const isolation = this.#setup.dialect.onConflict === undefined ? 'serializable' : undefined;
    await db.transaction({ isolation, retry: WRITE_RETRIES, signal }, (tx) => rows.write(tx, outcomes));
  }

  async #moment(signal: AbortSignal | undefined): Promise<TableMoment> {
    const { dialect, now } = this.#setup;
    const { db, rows } = await this.#open();
    return TableMoment.begin({ db, rows, dialect, now, signal });
  }

  /** Removes rows whose time is over, if nobody here has done so for a while: the work of writers, so that no timer is needed. */
  async #sweep(now: number, signal: AbortSignal | undefined): Promise<void> {
    if (now - this.#sweptAt < EXPIRY_INTERVAL_MS) return;
    this.#sweptAt = now;
    const { db, rows } = await this.#open();
    try {
      const all = await rows.deleteExpired(db, now, { signal });
      // The next writer goes on.
      if (!all) this.#sweptAt = Number.NEGATIVE_INFINITY;
    } catch {
      // The write was made, expired keys are hidden in any case, and the next sweep tries again.
    }
  }

  #open(): Promise<OpenTable> {
    this.#opened ??= this.#prepare().catch((error: unknown) => {
      // For the next call to try again.
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async #prepare(): Promise<OpenTable> {
    const { target, dialect, table, createTable, clock, random } = this.#setup;
    const db = createDatabase(target, { clock, random });
    const quote = (name: string) => target.engine.sql?.quoteIdentifier(name) ?? name;
    const open = {
      db,
      rows: new StoredRows(quote(table), dialect, (cause) => unknownTable(table, target.name, cause)),
    };
    if (createTable) await this.#create(open, dialect.create(quote(table), quote(`${table}_expiry`)));
    return open;
  }

  async #create({ db, rows }: OpenTable, statements: readonly string[]): Promise<void> {
    try {
      for (const sql of statements) await db.execute(sql);
    } catch (error) {
      // Others may have made it at the same time, which PostgreSQL does not take for "if not exists".
      const exists = await rows.read(db, [Buffer.alloc(1)], 0, {}).then(
        () => true,
        () => false,
      );
      if (!exists) throw error;
    }
  }
}

function unknownTable(table: string, connectionName: string, cause: DbManagerError): DbManagerError {
  const message = `the table ${table} of keys and values is not there, or is another; set kv_create_table, or make it by a migration`;
  return new DbManagerError('DBM_STORE_TABLE', message, { connectionName, option: 'kv_create_table', table, cause });
}

/** What is left of the steps: of a key the last. */
function lastOutcomes(steps: readonly Step[], now: number): Outcome[] {
  return [...new Map(steps.map((step) => [keyId(step.key), { key: step.key, record: outcomeOf(step, now) }])).values()];
}

function isConflict(error: unknown): error is DbManagerError {
  return isDbManagerError(error, 'DBM_SERIALIZATION_FAILURE') || isDbManagerError(error, 'DBM_DEADLOCK');
}

import { type DbManagerError, isDbManagerError, type Row } from '@dbmanager/core';
import type { Queryable, QueryOptions } from '@dbmanager/database';
import { type ByteRange, type KvRecord, keyId, type Outcome } from '@dbmanager/provider-kv';
import type { TableDialect } from './table-dialect.js';

/** Most rows of one statement: SQL Server takes 2,100 values, and each row has three. */
const MAX_ROWS = 500;
/** Most bytes of values in one statement, unless one value alone is larger: servers limit what they take at a time. */
const MAX_BYTES = 1 << 20;

const COLUMNS = 'item_key, item_value, expires_at';
const ALIVE = '(expires_at is null or expires_at > ?)';

/** What a page of a scan is of. */
export interface PageOptions {
  readonly reverse: boolean;
  readonly rows: number;
  /** Milliseconds since 1970: what has expired by then is left out. */
  readonly now: number;
  readonly signal: AbortSignal | undefined;
}

/** The statements of one table. Each method runs on what it is given: the database, or a transaction. */
export class StoredRows {
  /** Quoted. */
  readonly #table: string;
  readonly #dialect: TableDialect;
  readonly #unknown: (cause: DbManagerError) => DbManagerError;

  /** @param unknown the error of a table that is not there, or another than ours */
  constructor(table: string, dialect: TableDialect, unknown: (cause: DbManagerError) => DbManagerError) {
    this.#table = table;
    this.#dialect = dialect;
    this.#unknown = unknown;
  }

  /** What there is under the keys, by {@link keyId}. Up to {@link MAX_ROWS} keys are read at one moment in any case. */
  async read(
    on: Queryable,
    keys: readonly Uint8Array[],
    now: number,
    options: QueryOptions,
  ): Promise<ReadonlyMap<string, KvRecord>> {
    const found = new Map<string, KvRecord>();
    for (let start = 0; start < keys.length; start += MAX_ROWS) {
      const stored = keys.slice(start, start + MAX_ROWS).map((key) => this.#encode(key));
      const params = padded(stored);
      const sql = `select ${COLUMNS} from ${this.#table} where item_key in (${marks(params.length)}) and ${ALIVE}`;
      const rows = await this.#about(on.query(sql, [...params, now], options));
      for (const [key, record] of rows.map((row) => this.#entry(row))) found.set(keyId(key), record);
    }
    return found;
  }

  /** The first entries of a range, from its other end when reversed. */
  async page(
    on: Queryable,
    { gte, lt }: ByteRange,
    { reverse, rows, now, signal }: PageOptions,
  ): Promise<[Uint8Array, KvRecord][]> {
    const sql = this.#dialect.first(
      rows,
      COLUMNS,
      `from ${this.#table} where item_key >= ? and item_key < ? and ${ALIVE} order by item_key${reverse ? ' desc' : ''}`,
    );
    const found = await this.#about(on.query(sql, [this.#encode(gte), this.#encode(lt), now], { signal }));
    return found.map((row) => this.#entry(row));
  }

  /** True when {@link write} of these is a single statement, which is whole or not at all by itself. */
  isOneStatement(outcomes: readonly Outcome[]): boolean {
    return this.#dialect.onConflict !== undefined && this.#statementsFor(outcomes).length <= 1;
  }

  /** Leaves the outcomes under their keys, of which there is one each. */
  async write(on: Queryable, outcomes: readonly Outcome[], options: QueryOptions = {}): Promise<void> {
    for (const { sql, params } of this.#statementsFor(outcomes)) await this.#about(on.execute(sql, params, options));
  }

  /** Deletes what is in the range. */
  async clear(on: Queryable, { gte, lt }: ByteRange): Promise<void> {
    const range = [this.#encode(gte), this.#encode(lt)];
    await this.#about(on.execute(`delete from ${this.#table} where item_key >= ? and item_key < ?`, range));
  }

  /**
   * Deletes what has expired, the oldest first, and no more than {@link MAX_ROWS}: whoever waits for it waits for little, and locks
   * are held for as short. False when there may be more.
   */
  async deleteExpired(on: Queryable, now: number, options: QueryOptions): Promise<boolean> {
    const rest = `from ${this.#table} where expires_at <= ? order by expires_at`;
    const found = await on.query(this.#dialect.first(MAX_ROWS, 'item_key', rest), [now], options);
    if (found.length > 0) {
      const keys = padded(found.map(({ item_key }) => item_key));
      // Which may have been set again meanwhile.
      const sql = `delete from ${this.#table} where item_key in (${marks(keys.length)}) and expires_at <= ?`;
      await on.execute(sql, [...keys, now], options);
    }
    return found.length < MAX_ROWS;
  }

  /** Holds other writers up until the end of the transaction, where that is needed. */
  async lock(on: Queryable): Promise<void> {
    const sql = this.#dialect.lock?.(this.#table);
    if (sql !== undefined) await this.#about(on.execute(sql));
  }

  /** Our statements are right: what the database does not know is the table. */
  async #about<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw isDbManagerError(error, 'DBM_SYNTAX') ? this.#unknown(error) : error;
    }
  }

  #statementsFor(outcomes: readonly Outcome[]): { readonly sql: string; readonly params: unknown[] }[] {
    // In the order of keys, so that writers of the same rows do not lock them crosswise.
    const sorted = outcomes.toSorted((a, b) => Buffer.compare(a.key, b.key));
    const { onConflict } = this.#dialect;
    const gone = onConflict === undefined ? sorted : sorted.filter(({ record }) => record === undefined);
    const deletes = chunks(gone).map((chunk) => ({
      sql: `delete from ${this.#table} where item_key in (${marks(chunk.length)})`,
      params: chunk.map(({ key }) => this.#encode(key)),
    }));
    const inserts = chunks(sorted.filter(({ record }) => record !== undefined)).map((chunk) => ({
      sql: `insert into ${this.#table} (${COLUMNS}) values ${chunk.map(() => '(?, ?, ?)').join(', ')} ${onConflict ?? ''}`,
      params: chunk.flatMap(({ key, record }) => [this.#encode(key), record?.payload, record?.expiresAt ?? null]),
    }));
    return [...deletes, ...inserts];
  }

  #encode(key: Uint8Array): Uint8Array {
    return this.#dialect.keys?.encode(key) ?? key;
  }

  #entry({ item_key, item_value, expires_at }: Row): [Uint8Array, KvRecord] {
    const key = item_key as Uint8Array;
    // Drivers give 64-bit integers as numbers, texts or bigints.
    const expiresAt = expires_at === null ? undefined : Number(expires_at);
    return [this.#dialect.keys?.decode(key) ?? key, { payload: item_value as Uint8Array, expiresAt }];
  }
}

function marks(count: number): string {
  return Array.from({ length: count }, () => '?').join(', ');
}

/** The next power of two of them, by repeating the last: few texts, so that drivers can keep them prepared. */
function padded<T>(items: readonly T[]): T[] {
  const length = Math.min(2 ** Math.ceil(Math.log2(items.length)), MAX_ROWS);
  return Array.from({ length }, (_, index) => items[Math.min(index, items.length - 1)] as T);
}

function chunks(outcomes: readonly Outcome[]): Outcome[][] {
  const found: Outcome[][] = [];
  let bytes = 0;
  for (const outcome of outcomes) {
    const size = outcome.record?.payload.length ?? 0;
    const last = found.at(-1);
    if (last === undefined || last.length === MAX_ROWS || bytes + size > MAX_BYTES) {
      found.push([outcome]);
      bytes = size;
    } else {
      last.push(outcome);
      bytes += size;
    }
  }
  return found;
}

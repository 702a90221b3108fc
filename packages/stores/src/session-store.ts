import type { Row } from '@dbmanager/core';
import { type CleanUpOptions, deleteUntil } from './delete-until.js';
import type { StoreContext, StoreOptions } from './store-context.js';
import { columnsOf } from './store-table.js';
import { SESSIONS } from './store-tables.js';
import {
  dateOf,
  inputOf,
  isKey,
  type JsonObject,
  jsonOf,
  keyOf,
  optionalKeyOf,
  optionalTextOf,
  parsedJson,
  textIn,
  timeOf,
  wholeOf,
} from './store-values.js';

/** Most bytes of JSON that a session may hold unless said. */
const DEFAULT_MAX_DATA_BYTES = 65_536;

/** A session to save. */
export interface SessionInput {
  /** 1 to 255 characters. It is what lets a visitor in: make it of a random number that nobody guesses. */
  readonly id: string;
  readonly userId?: string | undefined;
  readonly tenantId?: string | undefined;
  /** What JSON has: dates come back as texts. */
  readonly data: JsonObject;
  readonly expiresAt: Date;
  readonly ipAddress?: string | undefined;
  readonly userAgent?: string | undefined;
}

/** A session as it was saved. */
export interface Session {
  readonly id: string;
  readonly userId: string | undefined;
  readonly tenantId: string | undefined;
  readonly data: JsonObject;
  readonly expiresAt: Date;
  /** When it was saved for the first time. */
  readonly createdAt: Date;
  /** When it was last saved or touched. */
  readonly updatedAt: Date;
  readonly ipAddress: string | undefined;
  readonly userAgent: string | undefined;
}

/** Options of a {@link SessionStore}. */
export interface SessionStoreOptions {
  /** Most bytes of JSON that a session may hold. Default: 65,536. */
  readonly maxSessionBytes?: number | undefined;
}

const COLUMNS = columnsOf(SESSIONS);

/**
 * Sessions. One whose time is over is not there any more, whether it was cleaned up or not; the time is that of this process.
 * Every method rejects with `DBM_STORE_TABLE` when the table is missing.
 */
export class SessionStore {
  readonly #context: StoreContext;
  readonly #maxBytes: number;
  readonly #table: string;
  readonly #upsert: string;
  readonly #select: string;

  /** Throws `DBM_INVALID_OPTION` for a bad option. */
  constructor(context: StoreContext, { maxSessionBytes = DEFAULT_MAX_DATA_BYTES }: SessionStoreOptions = {}) {
    this.#context = context;
    this.#maxBytes = wholeOf(context, 'maxSessionBytes', maxSessionBytes);
    this.#table = context.name(SESSIONS);
    this.#upsert = context.dialect.upsert({
      table: SESSIONS,
      name: this.#table,
      columns: COLUMNS,
      keeps: ['created_at'],
    });
    this.#select = `select ${COLUMNS.join(', ')} from ${this.#table}`;
  }

  /**
   * Saves a session, in place of one with its id; the moment at which that was created is kept. Rejects with `DBM_TOO_LARGE`,
   * before anything is sent, when its data is larger than allowed, with `DBM_INVALID_OPTION` for what cannot be stored.
   */
  async save(session: SessionInput, options?: StoreOptions): Promise<void> {
    const context = this.#context;
    const now = context.now();
    const { id, userId, tenantId, data, expiresAt, ipAddress, userAgent } = inputOf(context, 'session', session);
    const values = {
      id: keyOf(context, 'id', id),
      user_id: optionalKeyOf(context, 'userId', userId),
      tenant_id: optionalKeyOf(context, 'tenantId', tenantId),
      data: jsonOf(context, 'data', data, { maxBytes: this.#maxBytes, limit: 'maxSessionBytes' }),
      expires_at: timeOf(context, 'expiresAt', expiresAt),
      created_at: now,
      updated_at: now,
      ip_address: optionalTextOf(context, 'ipAddress', ipAddress),
      user_agent: optionalTextOf(context, 'userAgent', userAgent),
    };
    const params = COLUMNS.map((column) => values[column]);
    await context.execute(SESSIONS, this.#upsert, params, options);
  }

  /** The session; undefined when there is none, or its time is over. */
  async load(id: string, options?: StoreOptions): Promise<Session | undefined> {
    if (!isKey(id)) return undefined;
    const params = [id, this.#context.now()];
    const sql = `${this.#select} where id = ? and expires_at > ?`;
    const row = await this.#context.queryOne(SESSIONS, sql, params, options);
    return row && sessionOf(row);
  }

  /** Gives a session more time, or less, and leaves its data alone. False when there is none, or its time was over. */
  async touch(id: string, expiresAt: Date, options?: StoreOptions): Promise<boolean> {
    const expires = timeOf(this.#context, 'expiresAt', expiresAt);
    if (!isKey(id)) return false;
    const now = this.#context.now();
    const sql = `update ${this.#table} set expires_at = ?, updated_at = ? where id = ? and expires_at > ?`;
    const { rowsAffected } = await this.#context.execute(SESSIONS, sql, [expires, now, id, now], options);
    return rowsAffected > 0;
  }

  /** Deletes a session; false when there was none, which is no error. */
  async delete(id: string, options?: StoreOptions): Promise<boolean> {
    if (!isKey(id)) return false;
    const sql = `delete from ${this.#table} where id = ?`;
    const { rowsAffected } = await this.#context.execute(SESSIONS, sql, [id], options);
    return rowsAffected > 0;
  }

  /** Every session whose time is not over, all in memory: the oldest first. */
  async all(options?: StoreOptions): Promise<Session[]> {
    const sql = `${this.#select} where expires_at > ? order by created_at, id`;
    const rows = await this.#context.query(SESSIONS, sql, [this.#context.now()], options);
    return rows.map(sessionOf);
  }

  /** How many sessions there are whose time is not over. */
  async count(options?: StoreOptions): Promise<number> {
    const sql = `select count(*) as sessions from ${this.#table} where expires_at > ?`;
    const row = await this.#context.queryOne(SESSIONS, sql, [this.#context.now()], options);
    return Number(row?.sessions);
  }

  /** Deletes every session; the number that there were, those whose time was over among them. */
  async clear(options?: StoreOptions): Promise<number> {
    return (await this.#context.execute(SESSIONS, `delete from ${this.#table}`, [], options)).rowsAffected;
  }

  /** Deletes sessions whose time is over, a few at a time; the number of them. */
  cleanUp(options?: CleanUpOptions): Promise<number> {
    return deleteUntil(this.#context, SESSIONS, 'expires_at', options);
  }
}

function sessionOf(row: Row): Session {
  return {
    id: String(row.id),
    userId: textIn(row.user_id),
    tenantId: textIn(row.tenant_id),
    data: parsedJson<JsonObject>(row.data),
    expiresAt: dateOf(row.expires_at),
    createdAt: dateOf(row.created_at),
    updatedAt: dateOf(row.updated_at),
    ipAddress: textIn(row.ip_address),
    userAgent: textIn(row.user_agent),
  };
}

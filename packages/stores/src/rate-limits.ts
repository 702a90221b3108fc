import { DbManagerError, type Row, toMilliseconds } from '@dbmanager/core';
import type { Transaction } from '@dbmanager/database';
import { type CleanUpOptions, deleteUntil } from './delete-until.js';
import { checkKeyPrefix, storedKey } from './rate-limit-key.js';
import { RATE_LIMIT_SQL, type RateLimitSql } from './rate-limit-sql.js';
import type { StoreContext, StoreOptions } from './store-context.js';
import { RATE_LIMITS } from './store-tables.js';
import { dateOf } from './store-values.js';

/** Longest window: a hundred years. What is counted in it, and added to the time, stays a number that is exact. */
export const MAX_WINDOW_MS = 100 * 365 * 86_400_000;
/** Most hits of a window; as of a window's length. */
const MAX_HITS = 2 ** 52;

/** Milliseconds, or a text as in the configuration (`'1m'`, `'1h30m'`). */
export type Window = number | string;

/** The window of a key that is under way. */
export interface RateLimitState {
  /** What was counted in it. */
  readonly hits: number;
  /** When it is over, by the clock of the database. */
  readonly resetAt: Date;
  /** Milliseconds until then: the same on every machine, whatever its clock says. */
  readonly resetAfterMs: number;
}

/** What {@link RateLimits.consume} says. */
export interface RateLimitDecision {
  /** The hit was counted, and the limit holds. When false nothing was counted. */
  readonly allowed: boolean;
  /** What is left of the limit until the window is over. */
  readonly remaining: number;
  /** When the window is over, by the clock of the database. */
  readonly resetAt: Date;
  /** Milliseconds until then: what to answer as `Retry-After`. */
  readonly resetAfterMs: number;
}

/** How rate limits are kept. */
export interface RateLimitsOptions {
  /** Stands before every key, so that limits of several purposes do not meet. At most 64 characters. Default: none. */
  readonly keyPrefix?: string | undefined;
}

/** A row, read at some moment. Times are those of the database. */
interface Counter {
  /** 0 where there is none, or its window was over. */
  readonly hits: number;
  readonly endsAt: number;
  readonly readAt: number;
}

/** What is to be counted. */
interface Hit {
  readonly key: string;
  readonly windowMs: number;
  readonly cost: number;
  /** Left out: it is counted in any case. */
  readonly limit?: number;
}

/**
 * Rate limits of fixed windows, in the table `rate_limits`: the window of a key begins with its first hit and lasts `window`; then the next hit
 * begins another. So up to twice the limit may pass around the end of a window. Whoever changes a key touches that key's row alone.
 *
 * The clock of the database counts, not those of the processes, which differ. A key is any text; of long ones, and of others
 * than plain ASCII, the table has a digest.
 *
 * Rejects with `DBM_STORE_TABLE` where the table is missing, `DBM_INVALID_OPTION` for what cannot be meant.
 */
export class RateLimits {
  readonly #context: StoreContext;
  readonly #keyPrefix: string;
  readonly #sql: RateLimitSql;
  readonly #table: string;
  readonly #countAlways: string;
  readonly #countWithin: string;
  readonly #read: string;
  readonly #readLocked: string;

  constructor(context: StoreContext, { keyPrefix = '' }: RateLimitsOptions = {}) {
    this.#context = context;
    this.#keyPrefix = checkKeyPrefix(keyPrefix, context.connectionName);
    this.#sql = sqlOf(context);
    const table = context.name(RATE_LIMITS);
    this.#table = table;
    this.#countAlways = this.#sql.count(table, false);
    this.#countWithin = this.#sql.count(table, true);
    this.#read = `select c.read_at, r.window_start, r.hits from (select ${this.#sql.now} as read_at) as c
left join ${table} as r on r.rate_key = ?`;
    this.#readLocked = this.#read + (this.#sql.asItIs ?? '');
  }

  /** The same in a transaction: what is counted is undone with it, and the row of a key is locked until its end. */
  on(tx: Transaction): RateLimits {
    return new RateLimits(this.#context.on(tx), { keyPrefix: this.#keyPrefix });
  }

  /** Those of keys of another prefix, in the same table. */
  withPrefix(keyPrefix: string): RateLimits {
    return new RateLimits(this.#context, { keyPrefix });
  }

  /** Name of the connection, for errors. */
  get connectionName(): string {
    return this.#context.connectionName;
  }

  /**
   * Counts `cost` hits if `limit` allows them: of any number of calls at once, by any number of processes, no more than the limit are
   * allowed. One that is not allowed counts nothing.
   */
  async consume(
    key: string,
    limit: number,
    window: Window,
    cost = 1,
    options: StoreOptions = {},
  ): Promise<RateLimitDecision> {
    const hit = { ...this.#hit(key, window, cost), limit: this.#whole('limit', limit, 0) };
    const asked = cost <= limit;
    const counted = asked ? await this.#count(hit, options) : undefined;
    const counter = counted ?? (await this.#counter(hit, options, asked ? this.#readLocked : this.#read));
    const { resetAt, resetAfterMs } = stateOf(counter);
    return { allowed: counted !== undefined, remaining: Math.max(0, limit - counter.hits), resetAt, resetAfterMs };
  }

  /** True when the limit is exceeded: when it was reached in the window of the key that is under way. It counts nothing. */
  async check(key: string, limit: number, window: Window, options: StoreOptions = {}): Promise<boolean> {
    const most = this.#whole('limit', limit, 0);
    const { hits } = await this.#counter(this.#hit(key, window), options);
    return hits >= most;
  }

  /**
   * Counts `cost` hits whatever the limit is, and gives the sum. To ask {@link check} before is no limit for calls at the same time: use
   * {@link consume}.
   */
  async increment(key: string, window: Window, cost = 1, options: StoreOptions = {}): Promise<RateLimitState> {
    const hit = this.#hit(key, window, cost);
    const counter = await this.#count(hit, options);
    return stateOf(counter ?? (await this.#counter(hit, options)));
  }

  /** The window of a key that is under way; undefined when there is none. */
  async get(key: string, window: Window, options: StoreOptions = {}): Promise<RateLimitState | undefined> {
    const counter = await this.#counter(this.#hit(key, window), options);
    return counter.endsAt > counter.readAt ? stateOf(counter) : undefined;
  }

  /** Takes back what was counted, to no less than 0. */
  async decrement(key: string, cost = 1, options: StoreOptions = {}): Promise<void> {
    const by = this.#whole('cost', cost, 1);
    const sql = `update ${this.#table} set hits = case when hits > ? then hits - ? else 0 end where rate_key = ?`;
    await this.#context.execute(RATE_LIMITS, sql, [by, by, this.#key(key)], options);
  }

  /** Moves the window of a key that there is: it is over `after` from now. */
  async endAfter(key: string, after: Window, options: StoreOptions = {}): Promise<void> {
    const ms = this.#ms('after', after);
    const { now } = this.#sql;
    // The beginning first: MySQL would read the end of what it has set already.
    const sql = `update ${this.#table} set window_start = window_start + (${now} + ? - expires_at), expires_at = ${now} + ?
where rate_key = ?`;
    await this.#context.execute(RATE_LIMITS, sql, [ms, ms, this.#key(key)], options);
  }

  /** Forgets a key: its next hit begins a window. */
  async reset(key: string, options: StoreOptions = {}): Promise<void> {
    const sql = `delete from ${this.#table} where rate_key = ?`;
    await this.#context.execute(RATE_LIMITS, sql, [this.#key(key)], options);
  }

  /** Forgets every key of this prefix; without a prefix all there are. */
  async resetAll(options: StoreOptions = {}): Promise<void> {
    const prefix = this.#keyPrefix;
    // Not LIKE, which tells capitals apart on some engines and not on others.
    const where = prefix === '' ? '' : ` where substring(rate_key, 1, ${prefix.length}) = ?`;
    const params = prefix === '' ? [] : [prefix];
    await this.#context.execute(RATE_LIMITS, `delete from ${this.#table}${where}`, params, options);
  }

  /**
   * Deletes rows of windows that are over, of any prefix, a few at a time; the number of them. Nothing depends on it but the size of
   * the table.
   */
  async cleanUp({ until, ...options }: CleanUpOptions = {}): Promise<number> {
    const end = until ?? dateOf((await this.#row('', options)).read_at);
    return deleteUntil(this.#context, RATE_LIMITS, 'expires_at', { ...options, until: end });
  }

  /** Undefined when it would be above the limit, and was not counted. */
  async #count(hit: Hit, options: StoreOptions): Promise<Counter | undefined> {
    const { key, windowMs, cost, limit } = hit;
    const params = [key, windowMs, cost];
    const sql = limit === undefined ? this.#countAlways : this.#countWithin;
    if (limit !== undefined) params.push(limit);
    if (this.#sql.tells === 'row') {
      const [row] = await this.#context.executeForRows(RATE_LIMITS, sql, params, options);
      return row && counterOf(row, windowMs);
    }
    const { lastInsertId = 0 } = await this.#context.execute(RATE_LIMITS, sql, params, options);
    // The sum is this hit's own; only the time is read after it.
    return Number(lastInsertId) === 0
      ? undefined
      : { ...(await this.#counter(hit, options)), hits: Number(lastInsertId) };
  }

  async #counter({ key, windowMs }: Hit, options: StoreOptions, select = this.#read): Promise<Counter> {
    return counterOf(await this.#row(key, options, select), windowMs);
  }

  /** Of a key that the table does not have, the time alone. */
  async #row(key: string, options: StoreOptions, select = this.#read): Promise<Row> {
    return (await this.#context.queryOne(RATE_LIMITS, select, [key], options)) as Row;
  }

  #hit(key: string, window: Window, cost = 1): Hit {
    return { key: this.#key(key), windowMs: this.#ms('window', window), cost: this.#whole('cost', cost, 1) };
  }

  #key(key: string): string {
    if (typeof key === 'string' && key !== '') return storedKey(this.#keyPrefix, key);
    throw this.#context.invalid('key', 'the key of a rate limit is a text that is not empty');
  }

  #ms(option: string, given: Window): number {
    const ms = toMilliseconds(given);
    if (ms !== undefined && ms >= 1 && ms <= MAX_WINDOW_MS) return Math.round(ms);
    throw this.#context.invalid(option, `${option} is from 1 ms to 100 years: a text such as '1m', or milliseconds`);
  }

  #whole(option: string, value: number, least: number): number {
    if (Number.isInteger(value) && value >= least && value <= MAX_HITS) return value;
    throw this.#context.invalid(option, `${option} must be a whole number, ${least} or more`);
  }
}

function sqlOf({ dialect, type, connectionName }: StoreContext): RateLimitSql {
  const sql = RATE_LIMIT_SQL.get(dialect);
  if (sql !== undefined) return sql;
  throw new DbManagerError('DBM_UNSUPPORTED', `there are no rate limits on connections of type ${type}`, {
    connectionName,
  });
}

function counterOf({ window_start, hits, read_at }: Row, windowMs: number): Counter {
  const readAt = Number(read_at);
  const endsAt = window_start === null ? readAt : Number(window_start) + windowMs;
  return endsAt > readAt ? { hits: Number(hits), endsAt, readAt } : { hits: 0, endsAt: readAt, readAt };
}

function stateOf({ hits, endsAt, readAt }: Counter): RateLimitState {
  return { hits, resetAt: new Date(endsAt), resetAfterMs: endsAt - readAt };
}

import { DbManagerError, KnownOptions } from '@dbmanager/core';
import type { RateLimitState, RateLimits } from '../rate-limits.js';

/** Options of an {@link ExpressRateLimitStore}. */
export interface ExpressRateLimitStoreOptions {
  /**
   * Stands before every key. Limiters of one table need each their own, as they count the same addresses. At most 64 characters.
   * Default: `rl:`.
   */
  readonly prefix?: string | undefined;
}

const OPTIONS = new KnownOptions<ExpressRateLimitStoreOptions>('a store of rate limits', { prefix: true });

/** What express-rate-limit is told of a client. */
export interface ExpressRateLimitInfo {
  readonly totalHits: number;
  readonly resetTime: Date;
}

/**
 * The store of one limiter of express-rate-limit (7 or 8): `rateLimit({ store: new ExpressRateLimitStore(limits) })`. Every process with
 * such a store counts together. A count is exact, however many requests come at once.
 *
 * Its methods reject with what {@link RateLimits} rejects with; express-rate-limit hands that to `next`, or lets the request pass with
 * `passOnStoreError`.
 */
export class ExpressRateLimitStore {
  /** Other instances count the same keys. */
  readonly localKeys = false;
  readonly prefix: string;
  readonly #limits: RateLimits;
  #windowMs: number | undefined;

  /** Throws `DBM_INVALID_OPTION` for a bad prefix, and for an option that there is not. */
  constructor(limits: RateLimits, options: ExpressRateLimitStoreOptions = {}) {
    OPTIONS.check(options, limits.connectionName);
    const { prefix = 'rl:' } = options;
    this.prefix = prefix;
    this.#limits = limits.withPrefix(prefix);
  }

  /** Called by the limiter, once. */
  init({ windowMs }: { readonly windowMs: number }): void {
    this.#windowMs = windowMs;
  }

  /** What was counted of a client; undefined when no window of it is under way. */
  async get(key: string): Promise<ExpressRateLimitInfo | undefined> {
    const state = await this.#limits.get(key, this.#window);
    return state && infoOf(state);
  }

  /** Counts a hit, also beyond the limit, and gives the sum. */
  async increment(key: string): Promise<ExpressRateLimitInfo> {
    return infoOf(await this.#limits.increment(key, this.#window));
  }

  /** Takes a hit back. */
  decrement(key: string): Promise<void> {
    return this.#limits.decrement(key);
  }

  /** Forgets a client. */
  resetKey(key: string): Promise<void> {
    return this.#limits.reset(key);
  }

  /** Forgets every client of this prefix. */
  resetAll(): Promise<void> {
    return this.#limits.resetAll();
  }

  get #window(): number {
    if (this.#windowMs !== undefined) return this.#windowMs;
    const message = 'the store knows no window before express-rate-limit has called init(); give it to a limiter';
    throw new DbManagerError('DBM_INVALID_OPTION', message, {
      connectionName: this.#limits.connectionName,
      option: 'windowMs',
    });
  }
}

/** The limiter counts down to the time by this machine's clock. */
function infoOf({ hits, resetAfterMs }: RateLimitState): ExpressRateLimitInfo {
  return { totalHits: hits, resetTime: new Date(Date.now() + resetAfterMs) };
}

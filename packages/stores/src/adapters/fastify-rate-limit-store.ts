import { KnownOptions } from '@dbmanager/core';
import { MAX_WINDOW_MS, type RateLimits } from '../rate-limits.js';
import { type Callback, callBack } from './call-back.js';

/** Options of {@link fastifyRateLimitStore}. */
export interface FastifyRateLimitStoreOptions {
  /** Stands before every key. At most 64 characters. Default: `fastify-rate-limit-`. */
  readonly prefix?: string | undefined;
}

const OPTIONS = new KnownOptions<FastifyRateLimitStoreOptions>('a store of rate limits', { prefix: true });

/** What the plugin tells a store of its options, or of those of a route. */
export interface FastifyRateLimitSettings {
  /** A request beyond the limit begins the time window anew. */
  readonly continueExceeding?: boolean | undefined;
  /** Each request beyond the limit doubles the time to wait. */
  readonly exponentialBackoff?: boolean | undefined;
}

/** Of a route with options of its own, the plugin's among them. */
interface FastifyRouteSettings extends FastifyRateLimitSettings {
  readonly routeInfo?: { readonly method?: string | readonly string[]; readonly url?: string } | undefined;
}

/** What the plugin is told of a key. */
export interface FastifyRateLimitResult {
  readonly current: number;
  /** Milliseconds to the end of the window. */
  readonly ttl: number;
}

/** A store of `@fastify/rate-limit`, which makes it itself: see {@link fastifyRateLimitStore}. */
export class FastifyRateLimitStore {
  readonly #limits: RateLimits;
  readonly #settings: FastifyRateLimitSettings;
  /** Stands before the keys of a route. */
  readonly #route: string;

  constructor(limits: RateLimits, settings: FastifyRateLimitSettings = {}, route = '') {
    this.#limits = limits;
    this.#settings = settings;
    this.#route = route;
  }

  /** Counts a hit, also beyond the limit; what fails is the error of the callback. */
  incr(key: string, callback: Callback<FastifyRateLimitResult>, timeWindow: number, max: number): void {
    callBack(this.#increment(this.#route + key, Math.max(1, timeWindow), max), callback);
  }

  /** What was counted, without counting. */
  read(key: string, callback: Callback<FastifyRateLimitResult>, timeWindow: number): void {
    const state = this.#limits.get(this.#route + key, Math.max(1, timeWindow));
    callBack(
      state.then((found) => ({ current: found?.hits ?? 0, ttl: found?.resetAfterMs ?? 0 })),
      callback,
    );
  }

  /** The store of a route with options of its own, which counts apart from others. */
  child(options: object): FastifyRateLimitStore {
    // Of the plugin's types they are those of the route alone.
    const { routeInfo: { method = '', url = '' } = {}, ...settings } = options as FastifyRouteSettings;
    return new FastifyRateLimitStore(this.#limits, settings, `${this.#route}${method}${url}-`);
  }

  async #increment(key: string, timeWindow: number, max: number): Promise<FastifyRateLimitResult> {
    const { hits, resetAfterMs } = await this.#limits.increment(key, timeWindow);
    const penalty = hits > max ? this.#penalty(timeWindow, hits - max) : undefined;
    if (penalty === undefined) return { current: hits, ttl: resetAfterMs };
    await this.#limits.endAfter(key, penalty);
    return { current: hits, ttl: penalty };
  }

  /** How long a client has to wait after its n-th hit beyond the limit, where that prolongs the window. */
  #penalty(timeWindow: number, beyond: number): number | undefined {
    const { continueExceeding, exponentialBackoff } = this.#settings;
    if (continueExceeding === true) return timeWindow;
    return exponentialBackoff === true ? Math.min(timeWindow * 2 ** (beyond - 1), MAX_WINDOW_MS) : undefined;
  }
}

/**
 * The class to give to `@fastify/rate-limit` (10 or 11) as its store: `register(rateLimit, { store: fastifyRateLimitStore(limits) })`. Every
 * process with such a store counts together. With `exponentialBackoff` a client waits as long as it is told, as with the plugin's Redis store.
 * Throws `DBM_INVALID_OPTION` for a bad prefix, and for an option that there is not.
 */
export function fastifyRateLimitStore(
  limits: RateLimits,
  options: FastifyRateLimitStoreOptions = {},
): new (
  settings: FastifyRateLimitSettings,
) => FastifyRateLimitStore {
  OPTIONS.check(options, limits.connectionName);
  const { prefix = 'fastify-rate-limit-' } = options;
  const kept = limits.withPrefix(prefix);
  return class extends FastifyRateLimitStore {
    constructor(settings: FastifyRateLimitSettings) {
      super(kept, settings);
    }
  };
}

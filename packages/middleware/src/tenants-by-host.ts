import type { IncomingMessage } from 'node:http';
import { type Clock, DbManagerError, hostName, KnownOptions, systemClock, toMilliseconds } from '@dbmanager/core';
import { invalidOption } from './invalid-option.js';
import { type Exchange, RequestContext, rawRequest } from './request-context.js';
import { RequestError } from './request-error.js';
import { type Lookup, SharedLookups } from './shared-lookups.js';

/** Finds the tenant of a host, as {@link hostName} writes it; undefined or null when there is none. */
export type TenantResolver<T> = (
  host: string,
  options: { readonly signal: AbortSignal },
) => Promise<T | null | undefined>;

/** How long tenants are kept. */
export interface TenantCacheOptions {
  /** Milliseconds, or a text as in the configuration (`'30s'`). */
  readonly ttl: number | string;
  /** Most hosts that are kept, unknown ones among them. Default: 1,000. */
  readonly max?: number | undefined;
}

/** Options of {@link TenantsByHost}. */
export interface TenantsByHostOptions {
  /** Keeps what was found, also that there is no tenant. Default: asks the resolver for each request. */
  readonly cache?: TenantCacheOptions | undefined;
  /**
   * Where the host is found, for servers behind a proxy that rewrites `Host`: of a header that this proxy, and nobody else,
   * sets. Default: the `Host` header.
   */
  readonly host?: ((request: IncomingMessage) => string | undefined) | undefined;
  /** Default: the machine's monotonic clock. */
  readonly clock?: Clock | undefined;
}

const OPTIONS = new KnownOptions<TenantsByHostOptions>('TenantsByHost', { cache: true, host: true, clock: true });
const CACHE_OPTIONS = new KnownOptions<TenantCacheOptions>('a cache of tenants', { ttl: true, max: true });

/**
 * The tenants of a service that is known by many names.
 *
 * ```ts
 * const tenants = new TenantsByHost((host, { signal }) => findTenant(host, signal), { cache: { ttl: '30s' } });
 * app.use(expressTenant(tenants));
 * app.get('/', (request, response) => response.json(tenants.of(request)));
 * ```
 */
export class TenantsByHost<T extends object> {
  readonly #lookup: Lookup<T>;
  readonly #cache: SharedLookups<T> | undefined;
  readonly #host: (request: IncomingMessage) => string | undefined;
  readonly #found = new WeakMap<object, T>();

  /** Throws `DBM_INVALID_OPTION` for a cache that could keep nothing, for an option that there is not, and without a resolver. */
  constructor(resolve: TenantResolver<T>, options: TenantsByHostOptions = {}) {
    OPTIONS.check(options, undefined);
    const { cache, host = hostHeader, clock = systemClock } = options;
    checkFunction('resolve', resolve);
    checkFunction('host', host);
    const lookup: Lookup<T> = async (name, call) => (await resolve(name, call)) ?? undefined;
    const kept = cache === undefined ? undefined : new SharedLookups(lookup, { ...checkCache(cache), clock });
    this.#cache = kept;
    this.#lookup = kept === undefined ? lookup : (name, call) => kept.find(name, call);
    this.#host = host;
  }

  /**
   * Finds the tenant of a request for {@link of}. Rejects with a {@link RequestError}: `DBM_INVALID_HOST` (400) when its host is
   * no name, `DBM_UNKNOWN_TENANT` (404) when it has no tenant; or with what the resolver rejects with.
   */
  async find(exchange: Exchange): Promise<T> {
    const { signal } = RequestContext.of(exchange);
    const host = hostName(this.#host(exchange.request));
    if (host === undefined) throw new RequestError('DBM_INVALID_HOST', 400, 'the request names no valid host');
    const tenant = await this.#lookup(host, { signal });
    if (tenant === undefined) throw new RequestError('DBM_UNKNOWN_TENANT', 404, `there is no tenant at ${host}`);
    this.#found.set(exchange.request, tenant);
    return tenant;
  }

  /** The tenant of a request as the framework hands it over (Koa: `ctx`). Throws `DBM_UNSUPPORTED` when the middleware was not mounted. */
  of(request: object): T {
    const tenant = this.#found.get(rawRequest(request));
    if (tenant !== undefined) return tenant;
    throw new DbManagerError(
      'DBM_UNSUPPORTED',
      'no tenant was looked for; mount the middleware of these tenants before',
    );
  }

  /**
   * Forgets what is kept of a host, say after its tenant has changed; of all of them unless one is named. Throws
   * `DBM_INVALID_OPTION` for what is no host.
   */
  forget(host?: string): void {
    const name = hostName(host);
    if (host !== undefined && name === undefined) throw invalidOption('host', 'what is to be forgotten is no host');
    this.#cache?.forget(name);
  }
}

/** The one `Host` header of a request; undefined when there are several, or none. */
function hostHeader({ headersDistinct }: IncomingMessage): string | undefined {
  const hosts = headersDistinct.host;
  return hosts?.length === 1 ? hosts[0] : undefined;
}

function checkFunction(option: string, value: unknown): void {
  if (typeof value !== 'function') throw invalidOption(option, `${option} must be a function`);
}

function checkCache(options: TenantCacheOptions): { readonly ttlMs: number; readonly max: number } {
  CACHE_OPTIONS.check(options, undefined);
  const { ttl, max = 1_000 } = options;
  const ttlMs = toMilliseconds(ttl);
  if (ttlMs === undefined || ttlMs === 0) throw invalidOption('ttl', `"${ttl}" is no time to keep a tenant`);
  if (!Number.isInteger(max) || max < 1) throw invalidOption('max', `${max} is no number of hosts to keep`);
  return { ttlMs, max };
}

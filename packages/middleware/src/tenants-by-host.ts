import type { IncomingMessage } from 'node:http';
import { type Clock, DbManagerError, parseDuration, systemClock } from '@dbmanager/core';
import { hostHeader, hostName } from './host-name.js';
import { type Exchange, RequestContext, rawRequest } from './request-context.js';
import { RequestError } from './request-error.js';
import { type Lookup, SharedLookups } from './shared-lookups.js';

/** Finds the tenant of a host name, which is in lower case and without a port; undefined when there is none. */
export type TenantResolver<T> = Lookup<T>;

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
  readonly #resolve: TenantResolver<T>;
  readonly #cache: SharedLookups<T> | undefined;
  readonly #host: (request: IncomingMessage) => string | undefined;
  readonly #found = new WeakMap<object, T>();

  /** Throws `DBM_INVALID_OPTION` for a cache that could keep nothing. */
  constructor(
    resolve: TenantResolver<T>,
    { cache, host = hostHeader, clock = systemClock }: TenantsByHostOptions = {},
  ) {
    this.#cache = cache && new SharedLookups(resolve, { ...checkCache(cache), clock });
    this.#resolve = resolve;
    this.#host = host;
  }

  /**
   * Finds the tenant of a request for {@link of}. Rejects with a {@link RequestError}: `DBM_INVALID_HOST` (400) when its host is
   * no name, `DBM_UNKNOWN_TENANT` (404) when it has no tenant; or with what the resolver rejects with.
   */
  async find(exchange: Exchange): Promise<T> {
    const { signal } = RequestContext.of(exchange);
    const host = hostName(this.#host(exchange.request) ?? '');
    if (host === undefined) throw new RequestError('DBM_INVALID_HOST', 400, 'the request names no valid host');
    const tenant = await (this.#cache?.find(host, { signal }) ?? this.#resolve(host, { signal }));
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

  /** Forgets what is kept of a host, say after its tenant has changed; of all of them unless one is named. */
  forget(host?: string): void {
    this.#cache?.forget(host === undefined ? undefined : (hostName(host) ?? host));
  }
}

function checkCache({ ttl, max = 1_000 }: TenantCacheOptions): { readonly ttlMs: number; readonly max: number } {
  const ttlMs = typeof ttl === 'string' ? parseDuration(ttl) : ttl;
  if (ttlMs === undefined || !(ttlMs > 0)) throw invalid('ttl', `"${ttl}" is no time to keep a tenant`);
  if (!Number.isInteger(max) || max < 1) throw invalid('max', `${max} is no number of hosts to keep`);
  return { ttlMs, max };
}

function invalid(option: string, message: string): DbManagerError {
  return new DbManagerError('DBM_INVALID_OPTION', message, { option });
}

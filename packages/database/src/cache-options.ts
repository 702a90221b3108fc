import { DbManagerError, KnownOptions } from '@dbmanager/core';
import { durationMs } from './duration-option.js';

/** How the result of a query may be kept. */
export interface CacheOptions {
  /** Instead of `cache_ttl`: milliseconds, or a text as in the configuration (`'30s'`); 0 keeps nothing. */
  readonly ttl?: number | string | undefined;
  /** By which the result can be dropped, together with others: `queryCache?.invalidate({ tags })`. */
  readonly tags?: readonly string[] | undefined;
  /** Tables that it depends on besides those in its text: of a view, those that the view reads. */
  readonly tables?: readonly string[] | undefined;
}

/** The same, checked. */
export interface CacheWish {
  readonly ttlMs?: number | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly tables?: readonly string[] | undefined;
}

const AS_CONFIGURED: CacheWish = {};
const CACHE_OPTIONS = new KnownOptions<CacheOptions>('cache', { ttl: true, tags: true, tables: true });

/** Undefined when no kept result is wanted. Throws `DBM_INVALID_OPTION` for what cannot be meant. */
export function checkCacheOptions(
  options: boolean | CacheOptions | undefined,
  connectionName: string,
): CacheWish | undefined {
  if (options === undefined || options === false) return undefined;
  if (options === true) return AS_CONFIGURED;
  const refuse = (option: string, message: string) =>
    new DbManagerError('DBM_INVALID_OPTION', message, { connectionName, option });
  if (options === null || typeof options !== 'object') {
    throw refuse('cache', 'cache is true, false, or an object of ttl, tags and tables');
  }
  CACHE_OPTIONS.check(options, connectionName);
  const { ttl, tags, tables } = options;
  for (const [name, texts] of Object.entries({ tags, tables })) {
    if (texts !== undefined && !isTexts(texts)) throw refuse(`cache.${name}`, `${name} is an array of texts`);
  }
  return { ttlMs: durationMs(ttl, connectionName, 'cache.ttl'), tags, tables };
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

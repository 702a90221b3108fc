import type { ConfigProblem, ConnectionConfig, Secret } from '@dbmanager/core';

const OPTION = 'cache_url';
const SCHEMES = ['redis:', 'rediss:'];
const DATABASE = /^(?:\/\d*)?$/;

/**
 * What is wrong with a `cache_url`, without what is in it: it may hold a password. Undefined for a URL of Redis, and for the path of
 * a socket.
 */
export function cacheUrlProblem(url: Secret): string | undefined {
  const text = url.reveal();
  if (text.startsWith('/')) return undefined;
  const parsed = URL.parse(text);
  const fits =
    parsed !== null && SCHEMES.includes(parsed.protocol) && parsed.hostname !== '' && DATABASE.test(parsed.pathname);
  if (fits) return undefined;
  return 'must be a URL such as redis://host:6379/0, rediss:// with TLS, or the path of a socket; in a password write %40 for @, and so on';
}

/** What is wrong with the keys of the query cache; paths are from the connection. */
export function checkCacheOptions({ options: { cacheUrl } }: ConnectionConfig): readonly ConfigProblem[] {
  const message = cacheUrl && cacheUrlProblem(cacheUrl);
  return message === undefined ? [] : [{ path: [OPTION], rule: 'malformed', message }];
}

import type { ConfigProblem, ConnectionConfig, Secret } from '@dbmanager/core';

/** The options that say which database of a server is meant. */
export interface ServerOptions {
  readonly dsn: Secret | undefined;
  readonly database: string | undefined;
}

/** A connection to a server needs `dsn` or, beside the host, `database`; a DSN begins with one of `schemes`. */
export function checkServer(
  { options: { dsn, database } }: ConnectionConfig<ServerOptions>,
  schemes: readonly string[],
): readonly ConfigProblem[] {
  if (dsn === undefined) {
    if (database !== undefined) return [];
    return [{ path: [], rule: 'missing-key', message: 'needs database, or dsn', atKey: true }];
  }
  if (schemes.some((scheme) => dsn.reveal().startsWith(`${scheme}://`))) return [];
  const wanted = schemes.map((scheme) => `${scheme}://`).join(' or ');
  return [{ path: ['dsn'], rule: 'malformed', message: `must begin with ${wanted}` }];
}

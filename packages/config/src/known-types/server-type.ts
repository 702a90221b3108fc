import {
  type ConfigProblem,
  type ConnectionConfig,
  defineOptions,
  type OptionTable,
  type Secret,
} from '@dbmanager/core';

/** The keys that say which database of a server is meant. `dsn` is an example of one. */
export function serverOptions(port: number, dsn: string): OptionTable {
  return defineOptions({
    dsn: {
      kind: 'secret-string',
      description: 'The whole connection string; overrides host, port, user, password and database.',
      examples: [dsn],
    },
    host: { kind: 'string', default: 'localhost', description: 'Host of the server.' },
    port: { kind: 'integer', default: port, min: 1, max: 65_535, description: 'Port of the server.' },
    user: { kind: 'string', description: 'User to log in as.' },
    password: { kind: 'secret', description: 'Password of the user.' },
    database: { kind: 'string', description: 'Name of the database. Needed unless `dsn` is set.' },
  });
}

/** The resolved options that {@link checkServer} looks at. */
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
    return [{ path: [], rule: 'missing-key', message: 'needs database, or dsn', atKey: true, option: 'database' }];
  }
  if (schemes.some((scheme) => dsn.reveal().startsWith(`${scheme}://`))) return [];
  const wanted = schemes.map((scheme) => `${scheme}://`).join(' or ');
  return [{ path: ['dsn'], rule: 'malformed', message: `must begin with ${wanted}` }];
}

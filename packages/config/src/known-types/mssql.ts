import { type ConnectionConfig, defineOptions } from '@dbmanager/core';
import type { KnownType } from './known-type.js';
import { checkServer, type ServerOptions } from './server-check.js';

/** Keys of Microsoft SQL Server. */
export const MSSQL: KnownType = {
  type: 'mssql',
  aliases: ['sqlserver'],
  package: '@dbmanager/provider-mssql',
  options: defineOptions({
    dsn: {
      kind: 'secret-string',
      description: 'The whole connection string; overrides host, port, user, password and database.',
      examples: ['sqlserver://app:secret@db.example.com:1433?database=app'],
    },
    host: { kind: 'string', default: 'localhost', description: 'Host of the server.' },
    port: { kind: 'integer', default: 1433, min: 1, max: 65_535, description: 'Port of the server.' },
    user: { kind: 'string', description: 'Login name.' },
    password: { kind: 'secret', description: 'Password of the login.' },
    database: { kind: 'string', description: 'Name of the database. Needed unless `dsn` is set.' },
    schema: { kind: 'string', default: 'dbo', description: 'Default schema.' },
    sslmode: {
      kind: 'enum',
      values: ['disable', 'require', 'verify-full'],
      default: 'verify-full',
      description: '`require` encrypts without checking the certificate; `verify-full` checks it and the host name.',
    },
  }),
  check: (connection: ConnectionConfig<ServerOptions>) => checkServer(connection, ['sqlserver', 'mssql']),
};

import { type ConnectionConfig, defineOptions } from '@dbmanager/core';
import type { KnownType } from './known-type.js';
import { checkServer, type ServerOptions, serverOptions } from './server-type.js';

/** Microsoft SQL Server. */
export const MSSQL: KnownType = {
  type: 'mssql',
  aliases: ['sqlserver'],
  package: '@dbmanager/provider-mssql',
  options: {
    ...serverOptions(1433, 'sqlserver://app:secret@db.example.com:1433?database=app'),
    ...defineOptions({
      schema: { kind: 'string', default: 'dbo', description: 'Default schema.' },
      sslmode: {
        kind: 'enum',
        values: ['disable', 'require', 'verify-full'],
        default: 'verify-full',
        description: '`require` encrypts without checking the certificate; `verify-full` checks it and the host name.',
      },
    }),
  },
  check: (connection: ConnectionConfig<ServerOptions>) => checkServer(connection, ['sqlserver', 'mssql']),
};

import { type ConnectionConfig, defineOptions } from '@dbmanager/core';
import type { KnownType } from './known-type.js';
import { checkServer, type ServerOptions } from './server-check.js';

/** Keys of MongoDB. */
export const MONGODB: KnownType = {
  type: 'mongodb',
  aliases: ['mongo'],
  package: '@dbmanager/provider-mongodb',
  options: defineOptions({
    dsn: {
      kind: 'secret-string',
      description: 'The whole connection string; overrides host, port, user, password and database.',
      examples: ['mongodb://app:secret@db.example.com:27017/app'],
    },
    host: { kind: 'string', default: 'localhost', description: 'Host of the server.' },
    port: { kind: 'integer', default: 27_017, min: 1, max: 65_535, description: 'Port of the server.' },
    user: { kind: 'string', description: 'User name.' },
    password: { kind: 'secret', description: 'Password of the user.' },
    database: { kind: 'string', description: 'Name of the database. Needed unless `dsn` is set.' },
    auth_source: { kind: 'string', default: 'admin', description: 'The database that holds the user.' },
    replica_set: { kind: 'string', description: 'Name of the replica set. Left out: a single server.' },
    read_preference: {
      kind: 'enum',
      values: ['primary', 'primaryPreferred', 'secondary', 'secondaryPreferred', 'nearest'],
      default: 'primary',
      description: 'Which members of a replica set answer reads.',
    },
  }),
  check: (connection: ConnectionConfig<ServerOptions>) => checkServer(connection, ['mongodb', 'mongodb+srv']),
};

import { type ConnectionConfig, defineOptions } from '@dbmanager/core';
import type { KnownType } from './known-type.js';
import { checkServer, type ServerOptions, serverOptions } from './server-type.js';

/** MongoDB. */
export const MONGODB: KnownType = {
  type: 'mongodb',
  aliases: ['mongo'],
  package: '@dbmanager/provider-mongodb',
  options: {
    ...serverOptions(27_017, 'mongodb://app:secret@db.example.com:27017/app'),
    ...defineOptions({
      auth_source: { kind: 'string', default: 'admin', description: 'The database that holds the user.' },
      replica_set: { kind: 'string', description: 'Name of the replica set. Left out: a single server.' },
      read_preference: {
        kind: 'enum',
        values: ['primary', 'primaryPreferred', 'secondary', 'secondaryPreferred', 'nearest'],
        default: 'primary',
        description: 'Which members of a replica set answer reads.',
      },
    }),
  },
  check: (connection: ConnectionConfig<ServerOptions>) => checkServer(connection, ['mongodb', 'mongodb+srv']),
};

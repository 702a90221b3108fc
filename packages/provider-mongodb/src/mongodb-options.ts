import { defineOptions, type OptionsOf } from '@dbmanager/core';
import { CLIENT_CERTIFICATE_OPTIONS } from '@dbmanager/provider-server';

/** What TLS a connection asks for, weakest first. The protocol knows no "when the server can". */
export const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const;

/** Which members of a replica set answer reads, in the driver's words. */
export const READ_PREFERENCES = ['primary', 'primaryPreferred', 'secondary', 'secondaryPreferred', 'nearest'] as const;

/** The keys that a MongoDB connection adds to those of every connection. */
export const MONGODB_OPTIONS = defineOptions({
  dsn: {
    kind: 'secret-string',
    description:
      'A whole connection string, with every parameter that the driver knows. What it says overrides the parts; pool and timeout settings still apply. Characters of a password that mean something in a URL are percent-encoded.',
    examples: [
      'mongodb://app:s3cret@a.internal:27017,b.internal:27017/orders?replicaSet=rs0&authSource=admin',
      'mongodb+srv://app:s3cret@cluster.internal/orders',
    ],
  },
  host: {
    kind: 'string',
    default: 'localhost',
    description:
      'Host name or IP address; several members of a replica set or routers, parted by commas, each with a port of its own if need be.',
    examples: ['db.internal', 'a.internal,b.internal:27018', '::1'],
  },
  port: {
    kind: 'integer',
    default: 27_017,
    min: 1,
    max: 65_535,
    description: 'Port of each host that says none.',
  },
  user: {
    kind: 'string',
    description: 'User to log in as. Left out: nobody logs in.',
  },
  password: {
    kind: 'secret',
    description: 'Password of the user, as it is: nothing in it needs escaping.',
  },
  database: {
    kind: 'string',
    description: 'Database that `db()` gives. Needed here or in `dsn`.',
  },
  auth_source: {
    kind: 'string',
    description: 'Database that holds the user. Left out: `admin`; of a user in `dsn` the database named there.',
  },
  replica_set: {
    kind: 'string',
    description: 'Name of the replica set. Left out: what the hosts turn out to be.',
  },
  read_preference: {
    kind: 'enum',
    values: READ_PREFERENCES,
    default: 'primary',
    description: 'Which members of a replica set answer reads, and health checks.',
  },
  sslmode: {
    kind: 'enum',
    values: SSL_MODES,
    description:
      'TLS: never, always, always with a certificate of a known authority (verify-ca), and that certificate naming the host (verify-full). Left out: what `dsn` says; else none, and verify-full for `mongodb+srv`.',
  },
  sslrootcert: {
    kind: 'path',
    description: 'File with the certificates of the authorities to trust. Left out: those that Node trusts.',
    examples: ['/etc/ssl/certs/company-ca.pem'],
  },
  ...CLIENT_CERTIFICATE_OPTIONS,
  application_name: {
    kind: 'string',
    description: 'What the server logs and shows as `appName`. Left out: `dbmanager:` and the name of the connection.',
  },
});

/** Resolved options of a MongoDB connection, without those that every connection has. */
export type MongodbOptions = OptionsOf<typeof MONGODB_OPTIONS>;

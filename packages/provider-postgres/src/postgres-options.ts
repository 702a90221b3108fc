import { defineOptions, type OptionsOf } from '@dbmanager/core';
import { CLIENT_CERTIFICATE_OPTIONS } from '@dbmanager/provider-server';

/** What TLS a connection asks for, weakest first; the meanings are those of libpq. */
export const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

/** What a server must be for a connection to it to be kept; the meanings are those of libpq. */
export const TARGET_SESSION_ATTRS = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const;

/** Who stands between a connection and the server, and what of it outlasts a transaction. */
export const POOLERS = ['none', 'transaction'] as const;

/** The keys of every server that speaks PostgreSQL's protocol. */
export const PROTOCOL_OPTIONS = defineOptions({
  dsn: {
    kind: 'secret-string',
    description:
      'A whole connection string, as a URL or as `key=value` words. What it says overrides the parts; pool and timeout settings still apply. Characters of a password that mean something in a URL are percent-encoded.',
    examples: ['postgres://app:s3cret@db.internal:5432/orders?sslmode=verify-full', 'host=db.internal dbname=orders'],
  },
  host: {
    kind: 'string',
    default: 'localhost',
    description:
      'Host name, IP address or folder of the Unix socket; several are parted by commas and tried in order, each with a port of its own if it needs one.',
    examples: ['localhost', 'db1.internal,db2.internal:5433', '[::1]', '/var/run/postgresql'],
  },
  port: {
    kind: 'integer',
    default: 5432,
    min: 1,
    max: 65_535,
    description: 'Port of every host that names none.',
  },
  user: {
    kind: 'string',
    description: 'Role to log in as. Needed here or in `dsn`.',
  },
  password: {
    kind: 'secret',
    description: 'Password of the role, as it is: nothing in it needs escaping.',
  },
  database: {
    kind: 'string',
    description: 'Database to open. Left out: the one named as the user.',
  },
  sslmode: {
    kind: 'enum',
    values: SSL_MODES,
    default: 'prefer',
    description:
      'TLS: never, only when the server insists, when it can, always, always with a certificate of a known authority (verify-ca), and that certificate naming the host (verify-full).',
  },
  sslrootcert: {
    kind: 'path',
    description:
      'File with the certificates of the authorities to trust. Left out: those that Node trusts. With it, `require` checks the authority as `verify-ca` does.',
    examples: ['/etc/ssl/certs/company-ca.pem'],
  },
  ...CLIENT_CERTIFICATE_OPTIONS,
  schema: {
    kind: 'string',
    description: 'Schemas to look in, in order, parted by commas: the `search_path` of every connection.',
    examples: ['app', 'app,public'],
  },
  application_name: {
    kind: 'string',
    description: 'What `pg_stat_activity` shows. Left out: `dbmanager:` and the name of the connection.',
  },
});

/** The keys that a PostgreSQL connection adds to those of every connection. */
export const POSTGRES_OPTIONS = defineOptions({
  ...PROTOCOL_OPTIONS,
  target_session_attrs: {
    kind: 'enum',
    values: TARGET_SESSION_ATTRS,
    default: 'any',
    description: 'What a server must be to be used, when `host` has several: the first that fits is.',
  },
  pooler: {
    kind: 'enum',
    values: POOLERS,
    default: 'none',
    description:
      '`transaction` when `host` is a pooler, such as PgBouncer, that gives each transaction another connection of its own: nothing is then relied on that outlasts a transaction.',
  },
});

/** Resolved options of a PostgreSQL connection, without those that every connection has. */
export type PostgresOptions = OptionsOf<typeof POSTGRES_OPTIONS>;

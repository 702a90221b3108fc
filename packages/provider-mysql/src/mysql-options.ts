import { defineOptions, type OptionsOf } from '@dbmanager/core';
import { CLIENT_CERTIFICATE_OPTIONS } from '@dbmanager/provider-server';

/** What TLS a connection asks for, weakest first. MySQL's names for them: DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY. */
export const SSL_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

/** The keys that a MySQL or MariaDB connection adds to those of every connection. */
export const MYSQL_OPTIONS = defineOptions({
  dsn: {
    kind: 'secret-string',
    description:
      'A whole connection string: a URL, with or without `jdbc:` before it, or the form of the Go driver. What it says overrides the parts; pool and timeout settings still apply. Characters of a password that mean something in a URL are percent-encoded.',
    examples: [
      'mysql://app:s3cret@db.internal:3306/orders?ssl-mode=VERIFY_IDENTITY',
      'app:s3cret@tcp(db.internal:3306)/orders',
    ],
  },
  host: {
    kind: 'string',
    default: 'localhost',
    description: 'Host name, IP address, or path of the Unix socket.',
    examples: ['db.internal', '::1', '/run/mysqld/mysqld.sock'],
  },
  port: {
    kind: 'integer',
    default: 3306,
    min: 1,
    max: 65_535,
    description: 'Port of the server.',
  },
  user: {
    kind: 'string',
    description: 'User to log in as. Needed here or in `dsn`.',
  },
  password: {
    kind: 'secret',
    description: 'Password of the user, as it is: nothing in it needs escaping.',
  },
  database: {
    kind: 'string',
    description: 'Database to use. Left out: none; statements then name it.',
  },
  sslmode: {
    kind: 'enum',
    values: SSL_MODES,
    default: 'prefer',
    description:
      'TLS: never, when the server can, always, always with a certificate of a known authority (verify-ca), and that certificate naming the host (verify-full).',
  },
  sslrootcert: {
    kind: 'path',
    description: 'File with the certificates of the authorities to trust. Left out: those that Node trusts.',
    examples: ['/etc/ssl/certs/company-ca.pem'],
  },
  ...CLIENT_CERTIFICATE_OPTIONS,
  charset: {
    kind: 'string',
    default: 'utf8mb4_unicode_ci',
    description: 'Collation of the connection, or a character set for the default collation that mysql2 has for it.',
    examples: ['utf8mb4_unicode_ci', 'utf8mb4'],
  },
  timezone: {
    kind: 'string',
    default: 'Z',
    description:
      'Time zone of the session, and the one that dates without a zone are taken to be in: `Z` for UTC, or an offset. `local` takes dates to be in the zone of this process and leaves the session as the server has it.',
    examples: ['Z', '+02:00', 'local'],
  },
  application_name: {
    kind: 'string',
    description:
      'What `performance_schema.session_connect_attrs` shows as `program_name`. Left out: `dbmanager:` and the name of the connection.',
  },
  statement_cache_size: {
    kind: 'integer',
    default: 100,
    min: 1,
    description:
      'Prepared statements that each connection keeps. The server has room for `max_prepared_stmt_count` of all connections together.',
  },
  multiple_statements: {
    kind: 'boolean',
    default: false,
    description: 'Allows several statements in one text. It makes an SQL injection, where there is one, worse.',
  },
});

/** Resolved options of a MySQL or MariaDB connection, without those that every connection has. */
export type MysqlOptions = OptionsOf<typeof MYSQL_OPTIONS>;

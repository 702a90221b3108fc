import { defineOptions, type OptionsOf } from '@dbmanager/core';

/** What TLS a connection asks for, weakest first. */
export const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full', 'strict'] as const;

/** How to log in; beside the first two the names are those of tedious. */
export const AUTHENTICATIONS = [
  'sql',
  'ntlm',
  'azure-active-directory-default',
  'azure-active-directory-password',
  'azure-active-directory-access-token',
  'azure-active-directory-msi-vm',
  'azure-active-directory-msi-app-service',
  'azure-active-directory-service-principal-secret',
] as const;

/** What a connection is going to do, as an availability group is told. */
export const APPLICATION_INTENTS = ['read-write', 'read-only'] as const;

/** The keys that a SQL Server connection adds to those of every connection. */
export const MSSQL_OPTIONS = defineOptions({
  dsn: {
    kind: 'secret-string',
    description:
      'A whole connection string: a URL (`mssql://`, `sqlserver://`, with or without `jdbc:` before it) or the properties of ADO.NET. What it says overrides the parts; pool and timeout settings still apply. Characters of a password that mean something in a URL are percent-encoded.',
    examples: [
      'mssql://app:s3cret@db.internal:1433/orders?sslmode=verify-full',
      'Server=tcp:db.internal,1433;Database=orders;User Id=app;Password=s3cret;Encrypt=true',
    ],
  },
  host: {
    kind: 'string',
    default: 'localhost',
    description: 'Host name or IP address; `host\\instance` names an instance too.',
    examples: ['db.internal', '::1', 'db.internal\\SALES'],
  },
  port: {
    kind: 'integer',
    default: 1433,
    min: 1,
    max: 65_535,
    description: 'Port of the server. Not asked for where an instance is named.',
  },
  instance: {
    kind: 'string',
    description: 'Named instance, whose port SQL Server Browser is asked for (UDP port 1434).',
    examples: ['SQLEXPRESS'],
  },
  user: {
    kind: 'string',
    description: 'Login. Needed here or in `dsn`, unless `authentication` needs none.',
  },
  password: {
    kind: 'secret',
    description: 'Password of the login, as it is: nothing in it needs escaping.',
  },
  database: {
    kind: 'string',
    description: 'Database to use. Left out: the default one of the login.',
  },
  schema: {
    kind: 'string',
    description:
      'Schema that TypeORM and MikroORM take names to be in that have none. SQL Server itself takes the default schema of the user, which no connection can change.',
    examples: ['dbo', 'sales'],
  },
  sslmode: {
    kind: 'enum',
    values: SSL_MODES,
    default: 'verify-full',
    description:
      'TLS: never, always, always with a certificate of a known authority (verify-ca), and that certificate naming the host (verify-full), or the same before anything else is said, as TDS 8 has it (strict).',
  },
  sslrootcert: {
    kind: 'path',
    description: 'File with the certificates of the authorities to trust. Left out: those that Node trusts.',
    examples: ['/etc/ssl/certs/company-ca.pem'],
  },
  ssl_server_name: {
    kind: 'string',
    description: 'Name that the certificate must have. Left out: `host`.',
  },
  authentication: {
    kind: 'enum',
    values: AUTHENTICATIONS,
    description: 'How to log in. Left out: `ntlm` where there is a `domain`, else `sql`, a login of SQL Server.',
  },
  domain: {
    kind: 'string',
    description: 'Windows domain of the login, for NTLM.',
  },
  azure_client_id: {
    kind: 'string',
    description: 'Application or managed identity that logs in by Microsoft Entra ID.',
  },
  azure_client_secret: {
    kind: 'secret',
    description: 'Secret of that application.',
  },
  azure_tenant_id: {
    kind: 'string',
    description: 'Tenant of that application.',
  },
  azure_token: {
    kind: 'secret',
    description: 'Access token to log in with. It is not renewed: new connections are refused when it has expired.',
  },
  application_intent: {
    kind: 'enum',
    values: APPLICATION_INTENTS,
    default: 'read-write',
    description:
      '`read-only` lets the listener of an availability group route the connection to a readable secondary. It keeps no server from taking writes.',
  },
  multi_subnet_failover: {
    kind: 'boolean',
    default: false,
    description:
      'Connects to all addresses of the host at once and keeps the first that answers, for listeners in several subnets.',
  },
  application_name: {
    kind: 'string',
    description:
      'What `sys.dm_exec_sessions` shows as `program_name`. Left out: `dbmanager:` and the name of the connection.',
  },
  use_utc: {
    kind: 'boolean',
    default: true,
    description: 'Takes dates without a zone to be UTC; otherwise to be in the zone of this process.',
  },
});

/** Resolved options of a SQL Server connection, without those that every connection has. */
export type MssqlOptions = OptionsOf<typeof MSSQL_OPTIONS>;

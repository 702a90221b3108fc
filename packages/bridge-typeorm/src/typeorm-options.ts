import { DbManagerError } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DataSourceOptions } from 'typeorm';
import type { TypeParsers } from './postgres-types.js';

type OptionsOf<Type extends DataSourceOptions['type']> = Extract<DataSourceOptions, { readonly type: Type }>;

/** What TypeORM must not decide on a shared pool, and where it is decided instead. */
export type RefusedOptions = Readonly<Record<string, string>>;

const HAS_IT = 'the configuration of the connection has it';
const SHARED = 'the pool is shared';

/** Refused whatever the database. */
const REFUSED = {
  type: 'the type of the connection decides it',
  driver: 'the type of the connection decides it',
  database: HAS_IT,
  poolSize: `${SHARED}; set \`max_open_conns\` on the connection`,
  extra: `${SHARED}, and so are the settings of its connections; set them on the connection`,
  replication: 'one connection is one pool; configure the replicas as connections of their own',
} as const satisfies RefusedOptions;

/**
 * TypeORM's own options, less those that would open connections or change shared ones: refused with
 * `DBM_INVALID_OPTION`.
 */
export type TypeormBridgeOptions = Omit<OptionsOf<'better-sqlite3'>, keyof typeof REFUSED | SqliteHandleOption> &
  Pick<
    OptionsOf<'postgres'>,
    'schema' | 'uuidExtension' | 'installExtensions' | 'extensions' | 'parseInt8' | 'poolErrorHandler'
  > &
  Pick<
    OptionsOf<'mysql' | 'mariadb'>,
    'bigNumberStrings' | 'dateStrings' | 'legacySpatialSupport' | 'enableQueryTimeout'
  > & {
    /** SQL Server only: what TypeORM itself does of it; all else of TypeORM's `options` is for the connection. */
    readonly options?: Pick<NonNullable<OptionsOf<'mssql'>['options']>, (typeof MSSQL_OWN_OPTIONS)[number]>;
    /** Tells several data sources of one connection apart: each name has its own, with its own entities. */
    readonly name?: string;
    /** PostgreSQL only: type parsers of this data source's results, as pg's `types`; sent with each statement. */
    readonly types?: TypeParsers;
  };

type SqliteHandleOption = keyof typeof SQLITE_REFUSED;

/** Where a server is, and who asks. */
const SERVER = {
  url: HAS_IT,
  host: HAS_IT,
  port: HAS_IT,
  username: HAS_IT,
  password: HAS_IT,
  ssl: HAS_IT,
} as const satisfies RefusedOptions;

/** How results are read on PostgreSQL, and what becomes of its pool's errors. */
const POSTGRES_ONLY = {
  types: 'it is for PostgreSQL',
  parseInt8: 'it is for PostgreSQL',
  poolErrorHandler: 'it is for PostgreSQL',
} as const satisfies RefusedOptions;

/** How statements are made on SQL Server. */
const MSSQL_ONLY = { options: 'it is for SQL Server' } as const satisfies RefusedOptions;

/** How results are read on MySQL and MariaDB. */
const MYSQL_ONLY = {
  bigNumberStrings: 'it is for MySQL and MariaDB',
  dateStrings: 'it is for MySQL and MariaDB',
} as const satisfies RefusedOptions;

/** Refused on PostgreSQL. */
export const POSTGRES_REFUSED = {
  ...MSSQL_ONLY,
  ...SERVER,
  ...MYSQL_ONLY,
  applicationName: 'set `application_name` on the connection',
  connectTimeoutMS: 'set `connect_timeout` on the connection',
  nativeDriver: 'the type of the connection decides it',
  useUTC: 'it would change the environment of the whole process',
  logNotifications: 'notifications belong to a connection, and here each is lent for one statement or transaction',
} as const satisfies RefusedOptions;

/** Refused on CockroachDB. */
export const COCKROACHDB_REFUSED = {
  ...POSTGRES_REFUSED,
  timeTravelQueries: 'it would change a setting of one of the shared connections; set it in `dsn`',
  maxTransactionRetries: 'a transaction is repeated as a whole: transaction(work, { retry })',
} as const satisfies RefusedOptions;

/** Refused on SQLite. */
export const SQLITE_REFUSED = {
  ...MSSQL_ONLY,
  ...POSTGRES_ONLY,
  ...MYSQL_ONLY,
  key: 'the handle is shared',
  statementCacheSize: 'set `statement_cache_size` on the connection',
  prepareDatabase: 'the handles are shared; set `pragmas` on the connection',
  readonly: 'set `read_only` on the connection',
  fileMustExist: HAS_IT,
  timeout: 'set `busy_timeout` on the connection',
  verbose: 'use `logging` and `logger`',
  nativeBinding: HAS_IT,
  enableWAL: 'set `journal_mode` on the connection',
} as const satisfies RefusedOptions;

/** Refused on MySQL and MariaDB. */
export const MYSQL_REFUSED = {
  ...MSSQL_ONLY,
  ...SERVER,
  ...POSTGRES_ONLY,
  socketPath: HAS_IT,
  charset: 'set `charset` on the connection',
  timezone: 'set `timezone` on the connection',
  connectTimeout: 'set `connect_timeout` on the connection',
  acquireTimeout: 'set `acquire_timeout` on the connection',
  multipleStatements: 'set `multiple_statements` on the connection',
  supportBigNumbers: 'large numbers are always exact; `bigNumberStrings` says how they come',
  insecureAuth: `${SHARED}; the server decides how to log in`,
  debug: `${SHARED}; use \`logging\` and \`logger\``,
  trace: SHARED,
  flags: `${SHARED}, and so are the settings of its connections`,
} as const satisfies RefusedOptions;

/** Those of TypeORM's `options` on SQL Server that change statements and no connection. */
const MSSQL_OWN_OPTIONS = ['disableOutputReturning', 'disableAsciiToUnicodeParamConversion'] as const;

/** Refused on SQL Server. */
export const MSSQL_REFUSED = {
  ...SERVER,
  ...POSTGRES_ONLY,
  ...MYSQL_ONLY,
  authentication: HAS_IT,
  connectionTimeout: 'set `connect_timeout` on the connection',
  requestTimeout: 'set `query_timeout` on the connection',
  pool: `${SHARED}; set \`max_open_conns\` and its kin on the connection`,
  stream: 'it would make every result a stream',
} as const satisfies RefusedOptions;

/** Options of MongoDB's client that TypeORM passes on. */
const MONGODB_CLIENT_OPTIONS = [
  ...[
    'appName',
    'authMechanism',
    'authSource',
    'autoEncryption',
    'checkServerIdentity',
    'compressors',
    'connectTimeoutMS',
  ],
  ...['directConnection', 'family', 'forceServerObjectId', 'hostReplicaSet', 'ignoreUndefined', 'localThresholdMS'],
  ...[
    'maxStalenessSeconds',
    'minPoolSize',
    'monitorCommands',
    'noDelay',
    'pkFactory',
    'promoteBuffers',
    'promoteLongs',
  ],
  ...[
    'promoteValues',
    'proxyHost',
    'proxyPassword',
    'proxyPort',
    'proxyUsername',
    'raw',
    'readConcern',
    'readPreference',
  ],
  ...['readPreferenceTags', 'replicaSet', 'retryWrites', 'serializeFunctions', 'socketTimeoutMS', 'tls'],
  ...[
    'tlsAllowInvalidCertificates',
    'tlsCAFile',
    'tlsCertificateKeyFile',
    'tlsCertificateKeyFilePassword',
    'writeConcern',
  ],
] as const;

/** Refused on MongoDB. */
export const MONGODB_REFUSED: RefusedOptions = {
  ...SERVER,
  ...MSSQL_ONLY,
  ...POSTGRES_ONLY,
  ...MYSQL_ONLY,
  ...Object.fromEntries(
    MONGODB_CLIENT_OPTIONS.map((option) => [option, 'the client is shared; set it in `dsn` of the connection']),
  ),
};

/** As {@link checkTypeormOptions}, for what is inside TypeORM's `options` on SQL Server. */
export function checkMssqlOptions(options: object | undefined, connectionName: string): void {
  for (const key of Object.keys(options ?? {})) {
    if ((MSSQL_OWN_OPTIONS as readonly string[]).includes(key)) continue;
    const message = `TypeORM's option "options.${key}" cannot be used here: ${SHARED}; set it on the connection`;
    throw new DbManagerError('DBM_INVALID_OPTION', message, { connectionName, option: `options.${key}` });
  }
}

/** Throws `DBM_INVALID_OPTION` for an option of TypeORM that a shared pool cannot honour. */
export function checkTypeormOptions(options: object, ofEngine: RefusedOptions, connectionName: string): void {
  for (const [option, reason] of Object.entries({ ...REFUSED, ...ofEngine })) {
    if (Reflect.get(options, option) === undefined) continue;
    const message = `TypeORM's option "${option}" cannot be used here: ${reason}`;
    throw new DbManagerError('DBM_INVALID_OPTION', message, { connectionName, option });
  }
}

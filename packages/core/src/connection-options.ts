import { defineOptions, type OptionsOf } from './option-table.js';
import { POOL_OPTIONS } from './pool/pool-options.js';

/** Keys of every connection, whatever its type, besides those of the pool. */
export const LIFECYCLE_OPTIONS = defineOptions({
  startup: {
    kind: 'enum',
    values: ['required', 'optional', 'lazy'],
    default: 'required',
    scope: 'both',
    description:
      'What `connect()` does: `required` fails when this database is down, `optional` starts and heals later, `lazy` connects at first use.',
  },
  startup_timeout: {
    kind: 'duration',
    default: '30s',
    min: '1ms',
    scope: 'both',
    description: 'How long `connect()` tries to open this connection, retries included.',
  },
  retry_attempts: {
    kind: 'integer',
    default: 3,
    min: 0,
    scope: 'both',
    zero: 'one attempt, no retry',
    description:
      'How often `connect()` repeats a failed first connect. Errors that waiting cannot mend are not retried.',
  },
  query_timeout: {
    kind: 'duration',
    default: '30s',
    min: '1ms',
    scope: 'both',
    zero: 'no limit',
    description: 'How long a statement may run, enforced by the server where it can.',
  },
  health_check_interval: {
    kind: 'duration',
    default: '30s',
    min: '100ms',
    scope: 'both',
    zero: 'no background checks',
    description: 'Time between health checks, ±10 % at random.',
  },
  health_check_timeout: {
    kind: 'duration',
    default: '5s',
    min: '10ms',
    scope: 'both',
    description: 'How long one health check may take.',
  },
  enable_auto_reconnect: {
    kind: 'boolean',
    default: true,
    scope: 'both',
    description: 'Reconnect with exponential backoff after a failed health check.',
  },
  enable_metrics: {
    kind: 'boolean',
    default: true,
    scope: 'both',
    description: 'Show this connection, and what its statements took, in the Prometheus metrics.',
  },
  enable_tracing: {
    kind: 'boolean',
    default: false,
    scope: 'both',
    description: 'Emit an OpenTelemetry span for each statement and transaction; needs @opentelemetry/api.',
  },
  sql_comments: {
    kind: 'boolean',
    default: false,
    scope: 'both',
    description:
      'Append a comment to statements that names driver and application, and with `enable_tracing` their span, in the form of sqlcommenter. Not on SQLite and MongoDB.',
  },
  slow_query_threshold: {
    kind: 'duration',
    default: '0s',
    min: '1ms',
    scope: 'both',
    zero: 'none is slow',
    description:
      'Statements that take as long as this are logged as slow, without their values; needs `enable_logging`.',
    examples: ['500ms'],
  },
  enable_logging: {
    kind: 'boolean',
    default: true,
    scope: 'both',
    description: 'Log the lifecycle of this connection, and statements that fail or are slow, to the injected logger.',
  },
  default_orm: {
    kind: 'string',
    scope: 'both',
    description:
      'The ORM of this connection: `database().handle()` gives its handle. The name of a bridge, or `native`.',
    examples: ['knex', 'native'],
  },
  tags: {
    kind: 'string-map',
    default: {},
    description: 'Labels to find connections by.',
    examples: [{ team: 'billing', tier: 'gold' }],
  },
});

/** Keys of every connection about the migrations of its schema. */
export const MIGRATION_OPTIONS = defineOptions({
  migrations_path: {
    kind: 'path',
    description: 'The folder of the migrations: files as golang-migrate has them, and modules with code beside them.',
    examples: ['../migrations'],
  },
  migrations_table: {
    kind: 'string',
    default: 'schema_migrations',
    scope: 'both',
    description: "The table of versions, golang-migrate's; its name with `_history` added is the history beside it.",
  },
  migrations_lock_timeout: {
    kind: 'duration',
    default: '1m',
    min: '1ms',
    scope: 'both',
    description: 'How long to wait for another process that migrates the same database.',
  },
  migrate_on_start: {
    kind: 'boolean',
    default: false,
    description:
      'Apply pending migrations in `connect()`, before anything else can use the connection. A failure is a failure to start. Needs `startup: required` and `migrations_path`.',
  },
});

/** Keys of every connection about key-value stores in a table. */
export const KEY_VALUE_OPTIONS = defineOptions({
  kv_table: {
    kind: 'string',
    default: 'key_values',
    scope: 'both',
    description: 'The table of `kv()` on an SQL database: up to 55 letters, digits and `_`.',
  },
  kv_create_table: {
    kind: 'boolean',
    default: false,
    scope: 'both',
    description:
      'Make that table when `kv()` is first used and there is none. Else it is there already, by a migration say.',
  },
});

/** Keys of every connection about statements that are kept in files. */
export const SQL_FILE_OPTIONS = defineOptions({
  sql_path: {
    kind: 'path',
    scope: 'both',
    description: 'The folder of statements in files: in it a folder for each type of database, and `common`.',
    examples: ['../sql'],
  },
  sql_reload: {
    kind: 'boolean',
    default: false,
    scope: 'both',
    description:
      'Read a file each time it is asked for, so that an edit counts at once: for development. Else all are read by `connect()`, and what is wrong with any is a failure to start.',
  },
});

/** Keys of every connection about results of queries that are kept. */
export const CACHE_OPTIONS = defineOptions({
  cache_enabled: {
    kind: 'boolean',
    default: false,
    scope: 'both',
    description: 'Keep results of queries that ask for it (`{ cache: true }`). Else asking does nothing.',
  },
  cache_ttl: {
    kind: 'duration',
    default: '5m',
    min: '1ms',
    scope: 'both',
    description: 'How long a result is kept at most, where the query does not say.',
  },
  cache_size: {
    kind: 'integer',
    default: 1_000,
    min: 1,
    scope: 'both',
    description: 'Most results kept in memory; the one that was not asked for the longest goes first.',
  },
  cache_max_bytes: {
    kind: 'integer',
    default: 67_108_864,
    min: 1,
    scope: 'both',
    description: 'Most memory for all of them, about. A result that is larger is not kept, at `cache_url` either.',
  },
  cache_url: {
    kind: 'secret-string',
    scope: 'both',
    description: 'The server that keeps them for several processes, by its URL. Left out: the memory of each process.',
  },
  cache_prefix: {
    kind: 'string',
    default: 'dbmanager',
    scope: 'both',
    description:
      'What keys at `cache_url` begin with, the name of the connection after it. Programs whose connections of one name are different databases need one each.',
  },
  cache_timeout: {
    kind: 'duration',
    default: '100ms',
    min: '1ms',
    scope: 'both',
    description: 'How long `cache_url` may take, before the database is asked instead.',
  },
});

/** Keys of every connection, whatever its type. */
export const CONNECTION_OPTIONS = {
  ...POOL_OPTIONS,
  ...LIFECYCLE_OPTIONS,
  ...MIGRATION_OPTIONS,
  ...SQL_FILE_OPTIONS,
  ...KEY_VALUE_OPTIONS,
  ...CACHE_OPTIONS,
};

/** Resolved options that every connection has. */
export type ConnectionOptions = OptionsOf<typeof CONNECTION_OPTIONS>;

/**
 * One connection, checked and complete: what a provider opens and a manager manages. `options` holds the resolved keys
 * of {@link CONNECTION_OPTIONS} and those of the provider's own table side by side.
 */
export interface ConnectionConfig<ProviderOptions extends object = object> {
  /** The YAML key. */
  readonly name: string;
  /** The provider's type. */
  readonly type: string;
  readonly options: ConnectionOptions & Readonly<ProviderOptions>;
}

/** A whole configuration, checked and complete. */
export interface ManagerConfig {
  /** Undefined when the configuration names none. */
  readonly defaultConnection: string | undefined;
  /** In the order of the file. */
  readonly connections: readonly ConnectionConfig[];
}

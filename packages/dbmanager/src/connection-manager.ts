import { loadConfigFile } from '@dbmanager/config';
import {
  type AnyProvider,
  type Clock,
  type ConfigInput,
  type ConnectionCheck,
  ConnectionManager as CoreConnectionManager,
  type Logger,
  type ManagerConfig,
  type Random,
  resolveConfig,
} from '@dbmanager/core';
import { PrometheusMetrics, type PrometheusMetricsOptions } from '@dbmanager/metrics';
import type { Migrations, MigrationsOptions } from '@dbmanager/migrations';
import { kvProvider } from '@dbmanager/provider-kv';
import { mongodbProvider } from '@dbmanager/provider-mongodb';
import { mssqlProvider } from '@dbmanager/provider-mssql';
import { mariadbProvider, mysqlProvider } from '@dbmanager/provider-mysql';
import { cockroachdbProvider, postgresProvider } from '@dbmanager/provider-postgres';
import { sqliteProvider } from '@dbmanager/provider-sqlite';
import { checkCacheOptions } from '@dbmanager/query-cache';
import { type SqlFiles, SqlFilesError } from '@dbmanager/sql-files';
import { createTelemetry } from '@dbmanager/telemetry';
import { BRIDGES } from './bridges.js';
import { Connection } from './connection.js';
import type { ConnectionDatabase } from './connection-database.js';
import type { SqlQueries } from './sql-queries.js';

/** Providers that come with this package; each loads its driver only when a connection needs it. */
export const PROVIDERS: readonly AnyProvider[] = [
  postgresProvider,
  cockroachdbProvider,
  mysqlProvider,
  mariadbProvider,
  mssqlProvider,
  sqliteProvider,
  mongodbProvider,
  kvProvider,
];

/** Rules on keys that every connection has, besides those of core. */
export const CHECKS: readonly ConnectionCheck[] = [checkCacheOptions];

/** Options of a manager. */
export interface ConnectionManagerOptions {
  /** Providers of further types; one of the same type as a built-in takes its place. */
  readonly providers?: readonly AnyProvider[];
  /** Default: logs nothing. */
  readonly logger?: Logger;
  /** Default: the machine's monotonic clock. */
  readonly clock?: Clock;
  /** Default: `Math.random`. Seed it to repeat a run. */
  readonly random?: Random;
  /**
   * Inside the callback of a transaction, `get('primary').knex()` and its kin are the transaction's, and `transaction()`
   * joins it as its `propagation` says. Default: false, which costs nothing.
   */
  readonly ambientTransactions?: boolean;
}

/** Options of {@link ConnectionManager.load}. */
export interface LoadOptions extends ConnectionManagerOptions {
  /** The profile of the file to apply. Default: `DBMANAGER_PROFILE` of the environment. */
  readonly profile?: string;
  /** Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** One connection for {@link ConnectionManager.open}: the keys that it has in the YAML file. */
export interface OpenOptions {
  /** Default: `sqlite`. */
  readonly type?: string | undefined;
  /** Default: `main`. */
  readonly name?: string | undefined;
  readonly [key: string]: unknown;
}

/**
 * Named connections from one YAML file, one pool per database, shared by every ORM.
 *
 * ```ts
 * const mgr = await ConnectionManager.load('config/dbmanager.yaml');
 * await mgr.connect();
 * const rows = await mgr.get('primary').knex()('users').where({ active: true });
 * await mgr.close();
 * ```
 */
export class ConnectionManager extends CoreConnectionManager<Connection> {
  #metrics: PrometheusMetrics | undefined;

  /** From a checked configuration; see {@link load} and {@link from}. Opens nothing. */
  constructor(config: ManagerConfig, options: ConnectionManagerOptions = {}) {
    const providers = allProviders(options.providers);
    const dialectOf = (type: string) => providers.find((provider) => provider.type === type)?.dialect;
    super(config, {
      ...options,
      providers,
      createRecorder: createTelemetry,
      createConnection: (setup) => new Connection(setup, { ...options, dialect: dialectOf(setup.config.type) }),
    });
  }

  /** As that of the base class; rejects with `DBM_SQL_FILES`, before anything is opened, when files of statements are wrong. */
  override async connect(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#readSqlFiles();
    await super.connect(options);
  }

  /** Reads and checks a YAML file. Rejects with a `ConfigError` that has every problem and its place. Opens no connection. */
  static async load(file: string, options: LoadOptions = {}): Promise<ConnectionManager> {
    const { profile, env, ...rest } = options;
    const { config, warnings } = await loadConfigFile(file, {
      providers: allProviders(options.providers),
      bridges: BRIDGES,
      checks: CHECKS,
      ...(profile === undefined ? {} : { profile }),
      ...(env === undefined ? {} : { env }),
    });
    for (const { path, message } of warnings) options.logger?.warn({ path: path.join('.') }, message);
    return new ConnectionManager(config, rest);
  }

  /** From plain values with the keys of the YAML file. Throws a `ConfigError` that has every problem. */
  static from(input: ConfigInput, options: ConnectionManagerOptions = {}): ConnectionManager {
    const { config, warnings } = resolveConfig(input, {
      providers: allProviders(options.providers),
      bridges: BRIDGES,
      checks: CHECKS,
    });
    for (const { path, message } of warnings) options.logger?.warn({ path: path.join('.') }, message);
    return new ConnectionManager(config, options);
  }

  /**
   * A manager of one connection, connected: of the `type` that is named, else SQLite. Rejects with a `ConfigError` that has every
   * problem, or with why it could not be connected, a driver to install among them; then nothing is open.
   *
   * ```ts
   * const mgr = await ConnectionManager.open({ filepath: 'app.db' });
   * const rows = await mgr.getDefaultDatabase().query('select 1 as one');
   * ```
   */
  static async open(
    { name = 'main', type = 'sqlite', ...options }: OpenOptions,
    settings?: ConnectionManagerOptions,
  ): Promise<ConnectionManager> {
    const manager = ConnectionManager.from({ connections: { [name]: { ...options, type } } }, settings);
    try {
      await manager.connect();
    } catch (error) {
      await manager.close();
      throw error;
    }
    return manager;
  }

  /** The Database API of the default connection, and the handle of its `default_orm`. Throws `DBM_NO_DEFAULT_CONNECTION` when there is none. */
  getDefaultDatabase(): ConnectionDatabase {
    return this.getDefault().database();
  }

  /** The migrations of a connection, the default one unless named: {@link Connection.migrations}. */
  migrations(name?: string, options?: MigrationsOptions): Migrations {
    return (name === undefined ? this.getDefault() : this.get(name)).migrations(options);
  }

  /** The statements in files of every SQL connection that names a folder of them, or of all SQL connections in the folder given. */
  sqlFiles(path?: string): Map<string, SqlFiles<SqlQueries>> {
    const connections = [...this.getAll().values()].filter(
      ({ dialect, config }) => dialect !== undefined && (path ?? config.options.sqlPath) !== undefined,
    );
    return new Map(connections.map((connection) => [connection.name, connection.sqlFiles(path)]));
  }

  /** What is wrong with files of any connection is told at once. */
  #readSqlFiles(): void {
    const problems = [...this.sqlFiles()].flatMap(([name, files]) =>
      this.get(name).config.options.sqlReload ? [] : files.read(),
    );
    if (problems.length > 0) throw new SqlFilesError(problems);
  }

  /**
   * Prometheus metrics of this manager, read at scrape; the same object each time. Throws `DBM_PACKAGE_NOT_INSTALLED`
   * without prom-client. Options count at the first call.
   */
  metrics(options?: PrometheusMetricsOptions): PrometheusMetrics {
    this.#metrics ??= new PrometheusMetrics(this, options);
    return this.#metrics;
  }
}

function allProviders(further: readonly AnyProvider[] = []): readonly AnyProvider[] {
  return [...further, ...PROVIDERS.filter(({ type }) => !further.some((each) => each.type === type))];
}

import {
  type ConfigProblem,
  type ConnectionConfig,
  type ConnectionFactory,
  DbManagerError,
  type Engine,
  type EngineIdentity,
  type LeaseSource,
  observedFactory,
  type Provider,
  type ProviderContext,
  type SqlDialect,
} from '@dbmanager/core';
import { CANCEL_TIMEOUT_MS, defined, isSocketPath } from '@dbmanager/provider-server';
import { AdoptedPoolFactory, adoptedConfig } from './adopted-pool-factory.js';
import { conflictOf } from './errors.js';
import { killQuery, type OpenBeside } from './kill-query.js';
import { MysqlConnectionFactory } from './mysql-connection-factory.js';
import { loadMysql2, type MysqlConnection, type MysqlDriver, type MysqlPool } from './mysql-driver.js';
import { MYSQL_LEXIS } from './mysql-lexis.js';
import { MYSQL_MIGRATIONS } from './mysql-migrations.js';
import { MYSQL_OPTIONS, type MysqlOptions } from './mysql-options.js';
import { createPoolFacade, type PoolFacadeOptions } from './mysql-pool-facade.js';
import { MysqlSession } from './mysql-session.js';
import { MysqlStatements } from './mysql-statements.js';
import { checkTarget, type MysqlTarget, quoteIdentifier, resolveTarget } from './mysql-target.js';
import { observeConnection } from './observed-connection.js';
import { openConnection } from './open-connection.js';
import { prepareOnly } from './prepare-only.js';
import { PreparedStatements } from './prepared-statements.js';
import { statementControl } from './statement-control.js';
import { transactionConnection } from './transaction-connection.js';

/** A MySQL or MariaDB engine; `native` gives a `mysql2` pool. */
export interface MysqlEngine extends Engine<MysqlConnection> {
  native(source: LeaseSource<MysqlConnection>): MysqlPool;
}

/** The provider of either type. */
export interface MysqlProvider extends Provider<MysqlConnection, MysqlOptions> {
  open(connection: ConnectionConfig<MysqlOptions>, context: ProviderContext): Promise<MysqlEngine>;
}

/** What differs between an engine that connects by itself and one on an adopted pool. */
interface EngineParts {
  readonly driver: MysqlDriver;
  readonly factory: ConnectionFactory<MysqlConnection>;
  readonly identity: EngineIdentity;
  readonly openBeside: OpenBeside;
  readonly shown: PoolFacadeOptions;
  /** As the server knows it; left out for a pool that is adopted. */
  readonly application?: string;
}

const DIALECT = { placeholders: 'question-mark', lexis: MYSQL_LEXIS } as const satisfies SqlDialect;

/** Opens MySQL through the package `mysql2` (3.24 or newer), which is loaded when the first connection is opened. */
export const mysqlProvider: MysqlProvider = createProvider('mysql');

/** The same for MariaDB: the type tells readers and metrics which it is, the driver finds out by itself. */
export const mariadbProvider: MysqlProvider = createProvider('mariadb');

function createProvider(type: 'mysql' | 'mariadb'): MysqlProvider {
  return {
    type,
    options: MYSQL_OPTIONS,
    dialect: { ...DIALECT, ...(type === 'mariadb' && { akin: ['mysql'] }) },

    check(connection): readonly ConfigProblem[] {
      return checkTarget(connection);
    },

    async open(connection, context): Promise<MysqlEngine> {
      const { name, options } = connection;
      const target = resolveTarget(connection);
      const driver = loadMysql2(name);
      checkCharset(driver, target, name);
      const factory = new MysqlConnectionFactory({
        connectionName: name,
        driver,
        target,
        statementTimeoutMs: options.queryTimeoutMs,
      });
      const { host, port, database, user, charset, timezone, applicationName: application } = target;
      const place = isSocketPath(host) ? { socketPath: host } : { host, port };
      const identity = {
        system: type,
        address: host,
        ...(database !== undefined && { namespace: database }),
        ...(!isSocketPath(host) && { port }),
      };
      const shown = { ...place, user, charset, timezone, ...(database !== undefined && { database }) };
      const openBeside: OpenBeside = (_, signal) => factory.connect(signal);
      return engine({ driver, factory, identity, openBeside, shown, application }, context);
    },

    async adopt(handle, { name }, context): Promise<MysqlEngine> {
      const pool = poolOf(handle);
      if (pool === undefined) {
        throw new DbManagerError('DBM_INVALID_OPTION', 'only a pool of mysql2 can be adopted', {
          connectionName: name,
          option: 'handle',
        });
      }
      const driver = loadMysql2(name);
      const { host, port, socketPath, user, database, timezone } = adoptedConfig(pool);
      const shown = defined({ socketPath, host, port, user, database, timezone });
      const address = socketPath === undefined ? { address: host, port } : { address: socketPath };
      const identity = { system: type, ...defined({ namespace: database, ...address }) };
      const factory = new AdoptedPoolFactory(name, pool);
      const openBeside: OpenBeside = (connection, signal) => connectLike(driver, connection, signal);
      const adopted = engine({ driver, factory, identity, openBeside, shown }, context);
      const { connectionLimit = 0 } = pool.config;
      return connectionLimit > 0 ? { ...adopted, maxOpen: connectionLimit } : adopted;
    },
  };
}

function engine(parts: EngineParts, { clock, observe }: ProviderContext): MysqlEngine {
  const { driver, identity, openBeside, shown, application } = parts;
  const observer = observe?.({ identity, lexis: MYSQL_LEXIS, tags: { db_driver: 'mysql2', application } });
  const factory = observer
    ? observedFactory(parts.factory, (each) => observeConnection(each, observer))
    : parts.factory;
  const control = statementControl(openBeside);
  const prepared = new PreparedStatements();
  const statements = new MysqlStatements({ driver, clock, control, prepared });
  return {
    factory,
    identity,
    sql: {
      ...DIALECT,
      quoteIdentifier,
      conflict: conflictOf,
      migrations: MYSQL_MIGRATIONS,
      session: (source) => new MysqlSession(source, statements),
      run: (source, statement, options) => statements.runAlone(source, statement, options),
      unprepare: (sql) => prepared.forget(sql),
      check: prepareOnly,
      cancel: (connection) => killQuery(openBeside, connection, AbortSignal.timeout(CANCEL_TIMEOUT_MS)),
    },
    native: (source) => createPoolFacade({ driver, source, clock, control, shown }),
    nativeTransaction: (tx) => transactionConnection({ driver, clock, control }, tx),
  };
}

function checkCharset(driver: MysqlDriver, { charset }: MysqlTarget, connectionName: string): void {
  if (Object.hasOwn(driver.Charsets, charset.toUpperCase())) return;
  throw new DbManagerError('DBM_INVALID_OPTION', `charset: mysql2 knows no ${JSON.stringify(charset)}`, {
    connectionName,
    option: 'charset',
  });
}

/** The pool itself, of whichever of mysql2's two APIs. */
function poolOf(handle: unknown): MysqlPool | undefined {
  if (typeof handle !== 'object' || handle === null) return undefined;
  const { pool = handle } = handle as { readonly pool?: unknown };
  const { getConnection, releaseConnection, config } = pool as Record<string, unknown>;
  const fits = typeof getConnection === 'function' && typeof releaseConnection === 'function';
  return fits && typeof config === 'object' && config !== null && 'connectionConfig' in config
    ? (pool as MysqlPool)
    : undefined;
}

/** Another connection with the configuration of `connection`, which is one of the caller's pool. */
function connectLike(driver: MysqlDriver, { config }: MysqlConnection, signal: AbortSignal): Promise<MysqlConnection> {
  const own = Object.create(config, { pool: { value: undefined } }) as object;
  return openConnection(() => new driver.Connection({ config: own }), signal);
}

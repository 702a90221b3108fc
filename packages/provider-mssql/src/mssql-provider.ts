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
  type TransactionTarget,
} from '@dbmanager/core';
import { defined } from '@dbmanager/provider-server';
import { AdoptedPoolFactory, adoptedPoolOf } from './adopted-pool-factory.js';
import { describeOnly } from './describe-only.js';
import { conflictOf } from './errors.js';
import type { MssqlConnection } from './mssql-connection.js';
import { MssqlConnectionFactory } from './mssql-connection-factory.js';
import { loadMssql, type MssqlPool } from './mssql-driver.js';
import { MSSQL_LEXIS } from './mssql-lexis.js';
import { MSSQL_MIGRATIONS } from './mssql-migrations.js';
import { MSSQL_OPTIONS, type MssqlOptions } from './mssql-options.js';
import { createPoolFacade, type PoolFacadeOptions } from './mssql-pool-facade.js';
import { MssqlSession } from './mssql-session.js';
import { MssqlStatements } from './mssql-statements.js';
import { checkTarget, type MssqlTarget, resolveTarget } from './mssql-target.js';
import { quoteIdentifier } from './quote-identifier.js';
import { STATEMENT_CONTROL, stopStatement } from './statement-control.js';
import { loadTedious, type TediousDriver } from './tedious-driver.js';
import { createTransactionFacade } from './transaction-facade.js';

/** `db.system.name` of SQL Server, in OpenTelemetry's terms. */
const SYSTEM = 'microsoft.sql_server';
/** What node-mssql's pool has when it is not told how many connections. */
const MSSQL_POOL_MAX = 10;

/** A SQL Server engine; `native` gives a pool of node-mssql. */
export interface MssqlEngine extends Engine<MssqlConnection> {
  native(source: LeaseSource<MssqlConnection>): MssqlPool;
}

/** The provider of SQL Server. */
export interface MssqlProvider extends Provider<MssqlConnection, MssqlOptions> {
  open(connection: ConnectionConfig<MssqlOptions>, context: ProviderContext): Promise<MssqlEngine>;
}

/** What differs between an engine that connects by itself and one on an adopted pool. */
interface EngineParts {
  readonly driver: TediousDriver;
  readonly factory: ConnectionFactory<MssqlConnection>;
  readonly identity: EngineIdentity;
  readonly shown: PoolFacadeOptions;
  /** As the server knows it; left out for a pool that is adopted. */
  readonly application?: string;
}

const DIALECT = { placeholders: 'at-numbered', lexis: MSSQL_LEXIS } as const satisfies SqlDialect;

/** Opens SQL Server through the package `tedious`, which is loaded when the first connection is opened. */
export const mssqlProvider: MssqlProvider = {
  type: 'mssql',
  aliases: ['sqlserver'],
  options: MSSQL_OPTIONS,
  dialect: DIALECT,

  check(connection): readonly ConfigProblem[] {
    return checkTarget(connection);
  },

  async open(connection, context): Promise<MssqlEngine> {
    const { clock } = context;
    const { name: connectionName, options } = connection;
    const target = resolveTarget(connection);
    const driver = loadTedious(connectionName);
    const { connectTimeoutMs } = options;
    const factory = new MssqlConnectionFactory({ connectionName, driver, clock, target, connectTimeoutMs });
    const { applicationName: application } = target;
    return engine({ driver, factory, identity: identityOf(target), shown: shownOf(target), application }, context);
  },

  async adopt(handle, { name: connectionName }, context): Promise<MssqlEngine> {
    const { clock } = context;
    const pool = adoptedPoolOf(handle);
    if (pool === undefined) {
      throw new DbManagerError('DBM_INVALID_OPTION', 'only a ConnectionPool of mssql can be adopted', {
        connectionName,
        option: 'handle',
      });
    }
    const driver = loadTedious(connectionName);
    const { server, port, database, user, options, pool: limits } = pool.config;
    const factory = new AdoptedPoolFactory({ connectionName, driver, clock, pool });
    const identity = { system: SYSTEM, address: server, ...defined({ namespace: database, port }) };
    const shown = { server, options: { useUTC: options?.useUTC ?? true }, ...defined({ port, database, user }) };
    return { ...engine({ driver, factory, identity, shown }, context), maxOpen: limits?.max ?? MSSQL_POOL_MAX };
  },
};

function engine(parts: EngineParts, { clock, observe }: ProviderContext): MssqlEngine {
  const { driver, identity, shown, application } = parts;
  const tags = { db_driver: 'tedious', application };
  const observer = observe?.({ identity, lexis: DIALECT.lexis, tags });
  const factory = observer ? observedFactory(parts.factory, (each) => each.observe(observer)) : parts.factory;
  const native = (source: LeaseSource<MssqlConnection>) =>
    createPoolFacade({ mssql: loadMssql(source.name), driver, source, clock, shown });
  const nativeTransaction = (tx: TransactionTarget<MssqlConnection>) => {
    const { source, name: connectionName } = tx;
    const timeoutMs = source.config.options.queryTimeoutMs;
    const parts = { mssql: loadMssql(connectionName), pool: native(source), driver, connectionName, timeoutMs };
    return createTransactionFacade(parts, tx);
  };
  const statements = new MssqlStatements({ driver, clock, control: STATEMENT_CONTROL });
  return {
    factory,
    identity,
    sql: {
      ...DIALECT,
      quoteIdentifier,
      conflict: conflictOf,
      session: (source) => new MssqlSession(source, statements),
      run: (source, statement, options) => statements.runAlone(source, statement, options),
      check: (connection, sql, name) => describeOnly(driver, connection, sql, name),
      cancel: stopStatement,
      migrations: MSSQL_MIGRATIONS,
    },
    native,
    nativeTransaction,
  };
}

function identityOf({ host, port, instance, database }: MssqlTarget): EngineIdentity {
  return {
    system: SYSTEM,
    address: instance === undefined ? host : `${host}\\${instance}`,
    ...(instance === undefined && { port }),
    ...(database !== undefined && { namespace: database }),
  };
}

function shownOf({ host, port, instance, database, user, sslMode, useUtc }: MssqlTarget): PoolFacadeOptions {
  const instanceName = instance === undefined ? {} : { instanceName: instance };
  return {
    server: host,
    port,
    ...defined({ database, user: user === '' ? undefined : user }),
    options: { encrypt: sslMode !== 'disable', useUTC: useUtc, ...instanceName },
  };
}

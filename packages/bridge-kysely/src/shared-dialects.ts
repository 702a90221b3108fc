import { type BridgeTarget, DbManagerError, NotSqlDatabaseError, type TransactionTarget } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Dialect, DialectAdapter, Driver, Kysely } from 'kysely';
import { BoundConnection, type StatementsOf } from './bound-connection.js';
import type { KyselyModule } from './kysely-module.js';
import { borrow as borrowMssql, MssqlConnection, type MssqlPool } from './mssql-connection.js';
import { MssqlStatements } from './mssql-statements.js';
import { mysqlAdapter } from './mysql-adapter.js';
import { borrow, MysqlConnection, type MysqlPool } from './mysql-connection.js';
import { type MysqlClient, type MysqlResults, MysqlStatements } from './mysql-statements.js';
import { postgresAdapter } from './postgres-adapter.js';
import { type PgPool, PostgresConnection } from './postgres-connection.js';
import { type PgClient, PostgresStatements, type TypeParsers } from './postgres-statements.js';
import { SessionStatements } from './session-statements.js';
import { type CheckOut, SharedDriver } from './shared-driver.js';
import { SqliteConnection } from './sqlite-connection.js';
import { type MssqlClient, stockMssql } from './stock-mssql.js';

/** How a provider type is driven. */
interface Engine {
  /** The stock dialect, whose driver is never asked for. */
  dialect(kysely: KyselyModule, target: BridgeTarget): Omit<Dialect, 'createDriver'>;
  /** What lends connections of the shared pool. */
  checkOut(target: BridgeTarget, options: SharedDialectOptions, kysely: KyselyModule): CheckOut;
  /** Where statements of a transaction go. */
  bound(options: SharedDialectOptions, kysely: KyselyModule, connectionName: string): StatementsOf;
}

/** @param returning its INSERT and DELETE can return rows. */
const mysqlEngine = (returning: boolean): Engine => ({
  dialect(kysely, { name: connectionName }) {
    const Adapter = mysqlAdapter(kysely, { connectionName, returning });
    return stock(Adapter, kysely.MysqlQueryCompiler, kysely.MysqlIntrospector);
  },
  checkOut(target, { results }) {
    const sql = sqlOf(target);
    const pool = target.engine.native?.(target) as MysqlPool;
    return async () => new MysqlConnection(await borrow(pool), target, sql, results);
  },
  bound:
    ({ results }) =>
    (tx) =>
      new MysqlStatements(tx.native() as MysqlClient, results),
});

const POSTGRES: Engine = {
  dialect: (kysely, target) =>
    stock(postgresAdapter(kysely, target), kysely.PostgresQueryCompiler, kysely.PostgresIntrospector),
  checkOut(target, { types }) {
    const sql = sqlOf(target);
    const pool = target.engine.native?.(target) as PgPool;
    return async () => new PostgresConnection(await pool.connect(), target, sql, types);
  },
  bound:
    ({ types }) =>
    (tx) =>
      new PostgresStatements(tx.native() as PgClient, types, tx.name),
};

const ENGINES: Readonly<Record<string, Engine>> = {
  postgres: POSTGRES,
  cockroachdb: POSTGRES,
  sqlite: {
    dialect: (kysely) => stock(pooledSqliteAdapter(kysely), kysely.SqliteQueryCompiler, kysely.SqliteIntrospector),
    checkOut(target) {
      const sql = sqlOf(target);
      return async () => new SqliteConnection(target, sql);
    },
    bound: () => (tx) => new SessionStatements(tx.session),
  },
  mysql: mysqlEngine(false),
  mariadb: mysqlEngine(true),
  mssql: {
    dialect: (kysely) => stock(kysely.MssqlAdapter, kysely.MssqlQueryCompiler, kysely.MssqlIntrospector),
    checkOut(target, _options, kysely) {
      const pool = target.engine.native?.(target) as MssqlPool;
      const wrap = stockMssql(kysely, target.name);
      return async () => {
        const client = await borrowMssql(pool);
        return new MssqlConnection(target, pool, client, await wrap(client));
      };
    },
    bound: (_options, kysely, name) => {
      const wrap = stockMssql(kysely, name);
      return (tx) => new MssqlStatements(wrap(mssqlClientOf(tx)));
    },
  },
};

/** Provider types that Kysely, and what is built on it, can drive. */
export const SHARED_DIALECT_TYPES: readonly string[] = Object.keys(ENGINES);

/** What a dialect is made of. */
export interface SharedDialectOptions {
  /** PostgreSQL: type parsers of results; sent with each statement. */
  readonly types?: TypeParsers | undefined;
  /** MySQL and MariaDB: how results are read; sent with each statement. */
  readonly results?: MysqlResults | undefined;
}

/**
 * A dialect on the shared pool, of that copy of Kysely. Each driver it creates is attached to the pool until it is
 * destroyed, which only detaches it.
 */
export function sharedDialect(kysely: KyselyModule, target: BridgeTarget, options: SharedDialectOptions = {}): Dialect {
  const engine = engineOf(target);
  return {
    ...engine.dialect(kysely, target),
    createDriver: () => new SharedDriver(engine.checkOut(target, options, kysely), target.name),
  };
}

/**
 * A dialect inside a transaction of ours, of that copy of Kysely: its transactions are nested ones, and destroying its
 * driver does nothing.
 */
export function boundDialect(kysely: KyselyModule, tx: TransactionTarget, options: SharedDialectOptions = {}): Dialect {
  const engine = engineOf(tx);
  const statementsOf = engine.bound(options, kysely, tx.name);
  const createDriver = (): Driver => {
    const driver = new SharedDriver(async () => new BoundConnection(tx, statementsOf), tx.name);
    driver.destroy = async () => {};
    return driver;
  };
  return { ...engine.dialect(kysely, tx.source), createDriver };
}

function engineOf({ type, name: connectionName }: Pick<BridgeTarget, 'type' | 'name'>): Engine {
  const engine = ENGINES[type];
  if (engine !== undefined) return engine;
  throw new DbManagerError('DBM_UNSUPPORTED', `Kysely cannot run on a connection of type ${type}`, { connectionName });
}

function sqlOf({ engine, name }: BridgeTarget) {
  if (engine.sql === undefined) throw new NotSqlDatabaseError(name, 'Kysely');
  return engine.sql;
}

/** node-mssql's transaction that stands for ours has the connection of tedious, bound to it, under this name. */
function mssqlClientOf(tx: TransactionTarget): MssqlClient {
  return (tx.native() as { readonly _acquiredConnection: MssqlClient })._acquiredConnection;
}

function stock(
  Adapter: new () => DialectAdapter,
  QueryCompiler: new () => ReturnType<Dialect['createQueryCompiler']>,
  Introspector: new (db: Kysely<unknown>) => ReturnType<Dialect['createIntrospector']>,
): Omit<Dialect, 'createDriver'> {
  return {
    createAdapter: () => new Adapter(),
    createQueryCompiler: () => new QueryCompiler(),
    createIntrospector: (db) => new Introspector(db),
  };
}

/** Kysely's own takes SQLite for one connection, and gives it to one query at a time. */
function pooledSqliteAdapter(kysely: KyselyModule): new () => DialectAdapter {
  return class PooledSqliteAdapter extends kysely.SqliteAdapter {
    override get supportsMultipleConnections(): boolean {
      return true;
    }

    /** A pragma is no read, so the migrator's connection takes the writer, and keeps it to the end of the migrations. */
    override async acquireMigrationLock(db: Kysely<unknown>): Promise<void> {
      await db.executeQuery(kysely.CompiledQuery.raw('pragma user_version'));
    }
  };
}

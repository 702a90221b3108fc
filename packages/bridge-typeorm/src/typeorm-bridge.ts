import { type Bridge, type BridgeTarget, DbManagerError, type TransactionTarget } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DataSource, DataSourceOptions, EntityManager } from 'typeorm';
import { boundEntityManager } from './bound-entity-manager.js';
import { cockroachdbEngine } from './cockroachdb-engine.js';
import { openOnMongodb } from './mongodb-data-source.js';
import { mssqlEngine } from './mssql-engine.js';
import { mysqlEngine } from './mysql-engine.js';
import { pooledDataSource } from './pooled-data-source.js';
import { postgresEngine } from './postgres-engine.js';
import type { QueryRunnerClass } from './query-runner.js';
import { sqliteEngine } from './sqlite-engine.js';
import type { TypeormEngine } from './typeorm-engine.js';
import { loadTypeorm } from './typeorm-module.js';
import { checkTypeormOptions, type TypeormBridgeOptions } from './typeorm-options.js';

/** How each provider type is driven. */
const ENGINES: Readonly<Record<string, TypeormEngine>> = {
  postgres: postgresEngine,
  cockroachdb: cockroachdbEngine,
  mysql: mysqlEngine,
  mariadb: mysqlEngine,
  sqlite: sqliteEngine,
  mssql: mssqlEngine,
};

/** Driven without SQL, so by none of those. */
const MONGODB = 'mongodb';

/** The query runners of each data source. */
const runners = new WeakMap<DataSource, QueryRunnerClass>();

/**
 * TypeORM on the shared pool: a real, initialised `DataSource`, with its repositories, query builder, transactions,
 * subscribers, streams, schema tools and migrations. Its `destroy()` only detaches (`initialize()` attaches it again); the
 * manager closes the pool. In a transaction it is an `EntityManager`.
 *
 * Errors of statements are TypeORM's and the driver's own. Ours are those of getting a connection (`DBM_ACQUIRE_TIMEOUT`,
 * `DBM_POOL_DEADLOCK`, `DBM_CLOSED` …), and a COMMIT that did not commit (`DBM_TRANSACTION_ABORTED`,
 * `DBM_COMMIT_UNKNOWN`).
 *
 * On MongoDB its `mongoManager` and the errors are TypeORM's and the driver's own, and its transactions, as TypeORM has them
 * there, are none: everything that is to be part of one is given its session, `{ session }`.
 */
export const typeormBridge: Bridge<Promise<DataSource>, TypeormBridgeOptions, EntityManager> = {
  name: 'typeorm',
  types: [...Object.keys(ENGINES), MONGODB],

  async open(target, options = {}) {
    if (target.type === MONGODB) return openOnMongodb(loadTypeorm(target.name), target, options);
    const engine = engineOf(target);
    checkTypeormOptions(options, engine.refused, target.name);
    const { name: _, types: __, parseInt8: ___, ...passed } = options;
    const typeorm = loadTypeorm(target.name);
    const complete = { ...engine.defaults?.(target), ...passed, ...engine.driverOptions(target) } as DataSourceOptions;
    const dataSource = pooledDataSource(typeorm, target, complete);
    const Runner = engine.adapt({ typeorm, dataSource, target, options });
    dataSource.driver.createQueryRunner = (mode) => new Runner(dataSource.driver, mode);
    runners.set(dataSource, Runner);
    try {
      return await dataSource.initialize();
    } catch (error) {
      await engine.abandon(dataSource);
      throw error;
    }
  },

  bind(tx, _options, opened) {
    const dataSource = opened?.handle;
    const Runner = dataSource && runners.get(dataSource);
    if (dataSource === undefined || Runner === undefined) throw notOpened(tx);
    return boundEntityManager({ typeorm: loadTypeorm(tx.name), dataSource, Runner }, tx);
  },
};

function engineOf({ type, name: connectionName }: BridgeTarget): TypeormEngine {
  const engine = ENGINES[type];
  if (engine !== undefined) return engine;
  throw new DbManagerError('DBM_UNSUPPORTED', `TypeORM cannot run on a connection of type ${type}`, { connectionName });
}

/** Only an initialised data source knows the tables of its entities. */
function notOpened({ name: connectionName }: TransactionTarget): DbManagerError {
  return new DbManagerError(
    'DBM_NOT_CONNECTED',
    'TypeORM has not been opened on this connection under that name; await its typeorm({ entities }) before the transaction',
    { connectionName },
  );
}

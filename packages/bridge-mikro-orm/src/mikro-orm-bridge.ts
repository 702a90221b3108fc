import { nestByCallback, sharedDialect } from '@dbmanager/bridge-kysely';
import {
  type Bridge,
  type BridgeTarget,
  DbManagerError,
  isDbManagerError,
  type TransactionTarget,
} from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { SqlEntityManager } from '@mikro-orm/sql';
import { type Binding, boundEntityManager } from './bound-entity-manager.js';
import { type MikroOrmEngine, postgresEngine, sqliteEngine } from './mikro-orm-engine.js';
import { loadMikroOrm, type SqlMikroOrm } from './mikro-orm-module.js';
import { checkMikroOrmOptions, type MikroOrmBridgeOptions } from './mikro-orm-options.js';
import { type MongoMikroOrm, openOnMongodb } from './mongodb-mikro-orm.js';
import { mssqlEngine } from './mssql-engine.js';
import { mariadbEngine, mysqlEngine } from './mysql-engine.js';
import { OneConnection } from './one-connection.js';
import { adaptSchemaTools } from './schema-tools.js';

const ENGINES: Readonly<Record<string, MikroOrmEngine>> = {
  postgres: postgresEngine,
  cockroachdb: postgresEngine,
  mysql: mysqlEngine,
  mariadb: mariadbEngine,
  sqlite: sqliteEngine,
  mssql: mssqlEngine,
};

/** Driven without SQL, so by none of those. */
const MONGODB = 'mongodb';

/** What is kept of each MikroORM, to bind it by. */
const bindings = new WeakMap<SqlMikroOrm, Binding>();

/** Those opened so far in this process. */
let opened = 0;

/**
 * MikroORM on the shared pool: a real `MikroORM`, with its entity managers, unit of work, query builder, transactions,
 * streams, schema generator and migrations. Its `close()` only detaches, and it attaches itself again when it is used; the
 * manager closes the pool. In a transaction it is an `EntityManager`, flushed before COMMIT.
 *
 * Errors of statements are MikroORM's, with the driver's own inside. Ours are those of getting a connection
 * (`DBM_ACQUIRE_TIMEOUT`, `DBM_POOL_DEADLOCK`, `DBM_CLOSED` …), and a COMMIT that did not commit
 * (`DBM_TRANSACTION_ABORTED`, `DBM_COMMIT_UNKNOWN`).
 *
 * On MongoDB it is a {@link MongoMikroOrm}, whose transactions are the driver's, and errors too. It takes part in those of
 * others by their session: `em.setTransactionContext(session)`.
 */
export const mikroOrmBridge: Bridge<Promise<SqlMikroOrm>, MikroOrmBridgeOptions, SqlEntityManager> = {
  name: 'mikroorm',
  types: [...Object.keys(ENGINES), MONGODB],

  async open(target, options = {}) {
    checkMikroOrmOptions(options, target.name);
    const { name: _, ...passed } = options;
    // By it MikroORM tells several of itself apart in one asynchronous context.
    const contextName = `${target.name}#${++opened}`;
    if (target.type === MONGODB) {
      const orm = await openOnMongodb(target, { contextName, ...passed });
      adaptErrors(orm);
      // What the caller has asked for by the type of the connection; the bridge has one type for all.
      return orm as unknown as SqlMikroOrm;
    }
    const engine = engineOf(target);
    const mikroOrm = await loadMikroOrm(engine.packageName, target.name);
    const results = engine.results?.(mikroOrm, target.name);
    const one = new OneConnection({ spoils: engine.schemaToolsSpoil });
    const orm = await mikroOrm.module.MikroORM.init({
      contextName,
      ...engine.defaults?.(target, passed),
      ...passed,
      ensureDatabase: false,
      dbName: target.engine.identity.namespace ?? target.name,
      // A dialect and no Kysely: one of another copy would make MikroORM open a pool of its own.
      driverOptions: () => one.attach(sharedDialect(mikroOrm.kysely, target, results)),
    });
    engine.adapt(orm, mikroOrm, target);
    adaptTransactions(orm, target);
    adaptErrors(orm);
    adaptSchemaTools(orm, one, target.name);
    bindings.set(orm, { orm, results, kysely: mikroOrm.kysely });
    return orm;
  },

  bind(tx, _options, handle) {
    const binding = handle?.handle && bindings.get(handle.handle);
    if (binding === undefined) throw notOpened(tx);
    return boundEntityManager(binding, tx);
  },
};

function engineOf({ type, name: connectionName }: BridgeTarget): MikroOrmEngine {
  const engine = ENGINES[type];
  if (engine !== undefined) return engine;
  throw new DbManagerError('DBM_UNSUPPORTED', `MikroORM cannot run on a connection of type ${type}`, {
    connectionName,
  });
}

/** Only a MikroORM that has been initialised knows its entities. */
function notOpened({ name: connectionName }: TransactionTarget): DbManagerError {
  return new DbManagerError(
    'DBM_NOT_CONNECTED',
    'MikroORM has not been opened on this connection under that name; await its mikroorm({ entities }) before the transaction',
    { connectionName },
  );
}

type Work = (transaction: unknown) => Promise<unknown>;

/** Work in a transaction is told at once when it would wait for that transaction, and knows the one it is nested in. */
function adaptTransactions(orm: SqlMikroOrm, target: BridgeTarget): void {
  const connection = orm.driver.getConnection();
  const transactional = connection.transactional.bind(connection) as (work: Work, options?: object) => Promise<unknown>;
  Object.assign(connection, {
    transactional: (work: Work, options?: object) =>
      nestByCallback(
        (wrapped: Work) => transactional(wrapped, options),
        (transaction: unknown) => target.holding(() => work(transaction)),
      ),
  });
}

/** MikroORM takes every error for one of the driver, and makes one of its own of it. */
function adaptErrors({ driver }: SqlMikroOrm | MongoMikroOrm): void {
  const convert = driver.convertException.bind(driver);
  driver.convertException = (error) => (isDbManagerError(error) ? (error as never) : convert(error));
}

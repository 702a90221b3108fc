import { isDeepStrictEqual } from 'node:util';
import {
  type BeginOptions,
  type Bridge,
  type BridgeTarget,
  DbManagerError,
  type TransactionTarget,
} from '@dbmanager/core';
import { Transaction, TransactionRunner } from '@dbmanager/database';
import type { DrizzleEngine, DrizzleHandle, DrizzleTransact } from './drizzle-engine.js';
import type { DrizzleHandles, DrizzleSchema, DrizzleTransactions, DrizzleType } from './drizzle-handles.js';
import { checkDrizzleOptions, type DrizzleBridgeOptions } from './drizzle-options.js';
import { mysqlDrizzle } from './mysql-drizzle.js';
import { nestedTransaction } from './nested-transaction.js';
import { postgresDrizzle } from './postgres-drizzle.js';
import { sqliteDrizzle } from './sqlite-drizzle.js';

const NAME = 'drizzle';

/** How each provider type is driven. */
const ENGINES: Record<DrizzleType, DrizzleEngine> = {
  postgres: postgresDrizzle,
  cockroachdb: postgresDrizzle,
  mysql: mysqlDrizzle,
  mariadb: mysqlDrizzle,
  sqlite: sqliteDrizzle,
};

type Handle = DrizzleHandles<DrizzleSchema>[DrizzleType];
type Bound = DrizzleTransactions<DrizzleSchema>[DrizzleType];

/**
 * Drizzle on the shared pool: for postgres and cockroachdb what `drizzle-orm/node-postgres` gives, for mysql and mariadb what
 * `drizzle-orm/mysql2` gives, for sqlite an asynchronous database as of `drizzle-orm/sqlite-proxy`. Its transactions are those of dbmanager: one that the database has aborted is not
 * reported as committed, nested ones take turns, and use after the end is refused.
 */
export const drizzleBridge: Bridge<Handle, DrizzleBridgeOptions, Bound> = {
  name: NAME,
  types: Object.keys(ENGINES),
  open(target, options = {}) {
    return openHandle(target, options) as unknown as Handle;
  },
  bind(tx, options, opened) {
    const fits = options === undefined || isDeepStrictEqual(options, opened?.options);
    const known = fits ? (opened?.handle as DrizzleHandle | undefined) : undefined;
    const template = known ?? openHandle(tx.source, options ?? {});
    return bindHandle(engineOf(tx.source), template, tx) as unknown as Bound;
  },
};

function openHandle(target: BridgeTarget, options: DrizzleBridgeOptions): DrizzleHandle {
  const { name: connectionName } = target;
  const engine = engineOf(target);
  checkDrizzleOptions(options, connectionName);
  const database = engine.open(target, options);
  const runner = new TransactionRunner({ target, Handle: Transaction });
  const own: Bridge<DrizzleHandle, object> = {
    name: NAME,
    types: [target.type],
    open: () => database,
    bind: (tx) => bindHandle(engine, database, tx),
  };
  const transact: DrizzleTransact = async (work, config = {}) => {
    engine.assertAttached?.(database, connectionName);
    return runner.run(engine.beginOptions(config, connectionName), (tx) => work(tx.use(own)));
  };
  database.transaction = transact;
  // Drizzle's migrations begin theirs on the session.
  if (engine.commitsSchemaChanges !== true) database.session.transaction = transact;
  return database;
}

function bindHandle(engine: DrizzleEngine, database: DrizzleHandle, tx: TransactionTarget): DrizzleHandle {
  const handle = engine.bind(database, tx);
  const nest: DrizzleTransact = async (work, config = {}) => {
    assertOfOuter(engine.beginOptions(config, tx.name), tx);
    return nestedTransaction(tx, (inner) => work(bindHandle(engine, database, inner)));
  };
  // Drizzle's transactions nest by themselves; its migrations begin one on the session.
  handle.transaction = nest;
  handle.session.transaction = nest;
  return handle;
}

/** Throws `DBM_UNSUPPORTED` when a nested transaction is asked to be another than the outer one. */
function assertOfOuter(asked: BeginOptions, { name: connectionName }: TransactionTarget): void {
  if (Object.values(asked).every((value) => value === undefined)) return;
  const text = 'a nested transaction has the isolation and the access mode of the outer one';
  throw new DbManagerError('DBM_UNSUPPORTED', text, { connectionName });
}

function engineOf({ name: connectionName, type }: BridgeTarget): DrizzleEngine {
  const engine = (ENGINES as Record<string, DrizzleEngine>)[type];
  if (engine !== undefined) return engine;
  throw new DbManagerError('DBM_UNSUPPORTED', `Drizzle cannot run on a connection of type ${type}`, { connectionName });
}

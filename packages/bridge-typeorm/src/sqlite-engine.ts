import { DbManagerError } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DataSource } from 'typeorm';
import type { PooledQueryRunner } from './query-runner.js';
import { sqliteQueryRunner } from './sqlite-query-runner.js';
import type { TypeormEngine } from './typeorm-engine.js';
import { SQLITE_REFUSED } from './typeorm-options.js';

type Driver = DataSource['driver'];
type HydratedColumn = Parameters<Driver['prepareHydratedValue']>[1];

/** The members of TypeORM's driver that are replaced. */
interface SqliteDriver extends Driver {
  readonly attachedDatabases: object;
}

/**
 * SQLite: TypeORM's driver has one handle and one query runner for all; here a query runner is made for each use and
 * borrows for itself.
 */
export const sqliteEngine: TypeormEngine = {
  refused: SQLITE_REFUSED,

  driverOptions({ engine }) {
    // Given a driver TypeORM does not look for one; it is never used.
    return { type: 'better-sqlite3', database: engine.identity.namespace, driver: {} };
  },

  adapt({ dataSource, target, typeorm }) {
    const driver = dataSource.driver as SqliteDriver;
    const connected = new Set<PooledQueryRunner>();
    let attached = false;

    driver.connect = async () => {
      attached = true;
    };
    driver.disconnect = async () => {
      attached = false;
      for (const runner of connected) await runner.release();
    };
    driver.afterConnect = async () => {
      if (Object.keys(driver.attachedDatabases).length === 0) return;
      throw new DbManagerError(
        'DBM_UNSUPPORTED',
        'an entity names another database file, which TypeORM would attach to one connection of the pool only; give that file a connection of its own',
        { connectionName: target.name },
      );
    };
    const { prepareHydratedValue } = driver;
    driver.prepareHydratedValue = (value, column) =>
      prepareHydratedValue.call(driver, value, typeof value === 'bigint' ? asBigint(column) : column);

    return sqliteQueryRunner({
      typeorm,
      target,
      connected,
      assertAttached() {
        if (!attached) throw new typeorm.TypeORMError('Driver not Connected'); // as on PostgreSQL
      },
    });
  },

  async abandon() {
    // TypeORM's own clean-up has called `disconnect`, and nothing is borrowed before that.
  },
};

/** TypeORM counts with values of number columns, which throws for the bigints that stand in for inexact numbers. */
function asBigint(column: HydratedColumn): HydratedColumn {
  return column.type === Number ? Object.create(column, { type: { value: 'bigint' } }) : column;
}

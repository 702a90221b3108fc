/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DataSource } from 'typeorm';
import { mysqlQueryRunner } from './mysql-query-runner.js';
import { nativePool } from './native-pool.js';
import type { PooledQueryRunner } from './query-runner.js';
import type { TypeormEngine } from './typeorm-engine.js';
import { MYSQL_REFUSED } from './typeorm-options.js';

/** The members of TypeORM's driver that are used here. */
type MysqlDriver = DataSource['driver'] & {
  readonly pool?: { readonly config: { readonly connectionConfig: { readonly timezone: string } } };
};
type HydratedColumn = Parameters<MysqlDriver['prepareHydratedValue']>[1];

/** MySQL and MariaDB: TypeORM's driver makes a pool, and gets the engine's pool of mysql2 over the shared one. */
export const mysqlEngine: TypeormEngine = {
  refused: MYSQL_REFUSED,

  driverOptions(target) {
    const { type, engine } = target;
    return { type, database: engine.identity.namespace, driver: { createPool: () => nativePool(target) } };
  },

  adapt({ dataSource, target, options: { bigNumberStrings = true, dateStrings = ['DATE'] } }) {
    const driver = dataSource.driver as MysqlDriver;
    const connected = new Set<PooledQueryRunner>();
    const { disconnect, prepareHydratedValue } = driver;

    driver.disconnect = async () => {
      for (const runner of connected) await runner.release();
      await disconnect.call(driver);
    };
    driver.prepareHydratedValue = (value, column) =>
      prepareHydratedValue.call(driver, isInstant(value, column) ? inZoneOf(driver, value) : value, column);

    return mysqlQueryRunner({ target, results: { bigNumberStrings, dateStrings }, connected });
  },

  async abandon({ driver }) {
    if ((driver as MysqlDriver).pool !== undefined) await driver.disconnect();
  },
};

/** True for a date and time that came as text and is to become a `Date`. */
function isInstant(value: unknown, { type }: HydratedColumn): value is string {
  return typeof value === 'string' && (type === 'datetime' || type === Date);
}

/** TypeORM would read it in the zone of this process, whatever zone the connection writes in. */
function inZoneOf({ pool }: MysqlDriver, text: string): string {
  const zone = pool?.config.connectionConfig.timezone ?? 'local';
  return zone === 'local' ? text : `${text.replace(' ', 'T')}${zone}`;
}

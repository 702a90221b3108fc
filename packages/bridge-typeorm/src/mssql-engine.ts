import { type BridgeTarget, loadPeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DataSource } from 'typeorm';
import { mssqlQueryRunner } from './mssql-query-runner.js';
import { type MssqlRequestClass, stoppingRequest } from './mssql-request.js';
import { nativePool } from './native-pool.js';
import type { PooledQueryRunner } from './query-runner.js';
import type { TypeormEngine } from './typeorm-engine.js';
import { checkMssqlOptions, MSSQL_REFUSED } from './typeorm-options.js';

/** The members of TypeORM's driver that are used here. */
type MssqlDriver = DataSource['driver'] & { readonly master?: unknown };

/** What is needed of node-mssql's pool. */
interface MssqlPool {
  readonly config: { readonly options: { readonly useUTC?: boolean } };
}

/** Types of columns for what is no instant, but is read from a `Date`. */
const CLOCK_TYPES: readonly unknown[] = ['date', 'time'];

/** SQL Server: TypeORM's driver makes a pool, and gets the engine's pool of node-mssql over the shared one. */
export const mssqlEngine: TypeormEngine = {
  refused: MSSQL_REFUSED,

  /** No connection can change the schema that names without one are in. */
  defaults({ config }) {
    const { schema } = config.options as { readonly schema?: string | undefined };
    return schema === undefined ? {} : { schema };
  },

  driverOptions(target) {
    class ConnectionPool {
      constructor() {
        // biome-ignore lint/correctness/noConstructorReturn: TypeORM makes its pool with `new`, and this is the pool it gets
        return nativePool(target);
      }
    }
    const mssql = loadPeer<{ readonly Request: MssqlRequestClass }>('mssql', import.meta.url, {
      by: 'TypeORM on SQL Server',
      connectionName: target.name,
    });
    const driver = { ...mssql, ConnectionPool, Request: stoppingRequest(mssql.Request) };
    return { type: 'mssql', database: target.engine.identity.namespace, driver };
  },

  adapt({ dataSource, target, options }) {
    checkMssqlOptions(options.options, target.name);
    const { driver } = dataSource;
    keepClockTimes(driver, writesUtc(target));
    const connected = new Set<PooledQueryRunner>();
    const disconnect = driver.disconnect.bind(driver);
    driver.disconnect = async () => {
      for (const runner of connected) await runner.release();
      await disconnect();
    };
    return mssqlQueryRunner({ target, connected });
  },

  async abandon({ driver }) {
    if ((driver as MssqlDriver).master !== undefined) await driver.disconnect();
  },
};

/** Whether connections of the shared pool write a `Date` as it is in UTC, rather than in the zone of this process. */
function writesUtc(target: BridgeTarget): boolean {
  return (nativePool(target) as MssqlPool).config.options.useUTC ?? true;
}

/**
 * TypeORM has a date or a time of day in a `Date` of this process's zone, and tells its connections to write that. On shared
 * connections that write UTC such a value would come a day or some hours off.
 */
function keepClockTimes(driver: DataSource['driver'], writesUtc: boolean): void {
  const { preparePersistentValue, prepareHydratedValue } = driver;
  driver.preparePersistentValue = (value, column) => {
    const prepared: unknown = preparePersistentValue.call(driver, value, column);
    if (!(prepared instanceof Date) || !CLOCK_TYPES.includes(column.type)) return prepared;
    const date = new Date(prepared);
    // Given a text TypeORM takes the milliseconds of this moment.
    if (typeof value === 'string' && column.transformer === undefined) date.setMilliseconds(0);
    return writesUtc ? sameInUtc(date) : date;
  };
  if (!writesUtc) return;
  driver.prepareHydratedValue = (value, column) => {
    const clock = value instanceof Date && CLOCK_TYPES.includes(column.type);
    return prepareHydratedValue.call(driver, clock ? sameInLocalZone(value) : value, column);
  };
}

/** What this process's clock shows at `date`, as UTC. */
function sameInUtc(date: Date): Date {
  const time = [date.getHours(), date.getMinutes(), date.getSeconds(), date.getMilliseconds()] as const;
  return new Date(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate(), ...time));
}

/** What a clock in UTC shows at `date`, as time of this process's zone. */
function sameInLocalZone(date: Date): Date {
  return new Date(
    date.getUTCFullYear(),
    date.getUTCMonth(),
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
    date.getUTCMilliseconds(),
  );
}

import { nativePool } from './native-pool.js';
import { postgresQueryRunner } from './postgres-query-runner.js';
import { type QueryStreamClass, queryStreamClass } from './postgres-stream.js';
import type { TypeormEngine } from './typeorm-engine.js';
import { POSTGRES_REFUSED } from './typeorm-options.js';

/** The members of TypeORM's driver that are used here. */
interface PostgresDriver {
  master: unknown;
  loadStreamDependency(): QueryStreamClass;
  disconnect(): Promise<void>;
}

/** PostgreSQL: TypeORM's driver makes a pool, and gets the engine's `pg.Pool` over the shared one. */
export const postgresEngine: TypeormEngine = {
  refused: POSTGRES_REFUSED,

  driverOptions(target) {
    class Pool {
      constructor() {
        // biome-ignore lint/correctness/noConstructorReturn: TypeORM makes its pool with `new`, and this is the pool it gets
        return nativePool(target);
      }
    }
    // Without a `nativeDriver` TypeORM would look for pg-native.
    return { type: 'postgres', driver: { Pool }, nativeDriver: {} };
  },

  adapt({ dataSource, target, options }) {
    const driver = dataSource.driver as unknown as PostgresDriver;
    const { loadStreamDependency } = driver;
    driver.loadStreamDependency = () => queryStreamClass(loadStreamDependency.call(driver));
    return postgresQueryRunner(target, options);
  },

  async abandon(dataSource) {
    const driver = dataSource.driver as unknown as PostgresDriver;
    if (driver.master !== undefined) await driver.disconnect();
  },
};

import { cockroachdbQueryRunner } from './cockroachdb-query-runner.js';
import { postgresEngine } from './postgres-engine.js';
import type { TypeormEngine } from './typeorm-engine.js';
import { COCKROACHDB_REFUSED } from './typeorm-options.js';

/** CockroachDB: as PostgreSQL, with TypeORM's own driver for it. */
export const cockroachdbEngine: TypeormEngine = {
  ...postgresEngine,
  refused: COCKROACHDB_REFUSED,

  driverOptions(target) {
    return { ...postgresEngine.driverOptions(target), type: 'cockroachdb', maxTransactionRetries: 0 };
  },

  adapt(adapted) {
    postgresEngine.adapt(adapted);
    const { dataSource, target, options } = adapted;
    // It would change a setting of one of the pool's connections.
    dataSource.driver.afterConnect = async () => {};
    return cockroachdbQueryRunner(target, options);
  },
};

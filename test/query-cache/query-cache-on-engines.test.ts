import { COCKROACHDB, MARIADB, PGBOUNCER, SQL_ENGINES } from '../support/sql-engines.js';
import { runQueryCacheSuite } from './query-cache-suite.js';

for (const engine of [...SQL_ENGINES, COCKROACHDB, PGBOUNCER, MARIADB]) runQueryCacheSuite(engine);

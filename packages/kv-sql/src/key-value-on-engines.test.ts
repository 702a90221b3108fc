import { COCKROACHDB, MARIADB, MSSQL, PGBOUNCER, POSTGRES, SQLITE } from '../../../test/support/sql-engines.js';
import { propertySuite } from '../../provider-kv/test/property-suite.js';
import { storeSuite } from '../../provider-kv/test/store-suite.js';
import { transactionSuite } from '../../provider-kv/test/transaction-suite.js';
import { TableHome } from '../test/table-home.js';

/** Random runs on each engine: a statement is a round trip. */
const RUNS = 5;

for (const engine of [SQLITE, POSTGRES, MARIADB, MSSQL]) {
  const home = new TableHome(engine);
  storeSuite('seeds 3: Key-value: a store in a table', home);
  transactionSuite('seeds 3: Key-value: in a table', home);
  propertySuite('a store in a table', home, RUNS);
}

// What differs from PostgreSQL there is how transactions are begun and end.
for (const engine of [PGBOUNCER, COCKROACHDB]) {
  const home = new TableHome(engine);
  transactionSuite('seeds 3: Key-value: in a table', home);
  propertySuite('a store in a table', home, RUNS);
}

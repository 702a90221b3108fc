import { sharedPostgres } from './describe-with-postgres.js';
import { SharedTestServer, type TestRunner } from './describe-with-server.js';
import { PgbouncerEndpoint } from './pgbouncer-endpoint.js';
import { PgbouncerServer, pgbouncerMissing } from './pgbouncer-server.js';

/** The PgBouncer of the test run, in front of its PostgreSQL. */
export const PGBOUNCER_SERVER = new SharedTestServer<PgbouncerEndpoint>({
  name: 'PgBouncer',
  types: ['postgres, pooled'],
  urlVariables: ['DBMANAGER_TEST_PGBOUNCER_URL'],
  path: '/pgbouncer',
  missing: pgbouncerMissing,
  start: async () => PgbouncerServer.start(await sharedPostgres()),
  endpoint: (url) => new PgbouncerEndpoint(url),
});

/** The PgBouncer that a whole test run shares; started when the first test asks. */
export function sharedPgbouncer(): Promise<PgbouncerEndpoint> {
  return PGBOUNCER_SERVER.get();
}

/**
 * A `describe` for tests on a real PgBouncer that pools transactions, in front of the PostgreSQL of `describeWithPostgres`.
 * Where there is none the tests are skipped, with the reason, on a laptop and fail in continuous integration (`CI` is set).
 * Inside the tests the function given to `define` gives it.
 */
export function describeWithPgbouncer(
  name: string,
  define: (pgbouncer: () => PgbouncerEndpoint) => void,
  runner: TestRunner = globalThis as unknown as TestRunner,
): void {
  PGBOUNCER_SERVER.describe(name, define, runner);
}

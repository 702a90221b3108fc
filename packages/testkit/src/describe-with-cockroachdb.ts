import { POSTGRES_SERVER } from './describe-with-postgres.js';
import { SharedTestServer, type TestRunner } from './describe-with-server.js';
import type { PostgresEndpoint } from './postgres-endpoint.js';

/** What stands in for a CockroachDB: the PostgreSQL of the test run, asked for serializable transactions. */
export const COCKROACHDB_SERVER = new SharedTestServer<PostgresEndpoint>({
  ...POSTGRES_SERVER.kind,
  name: 'CockroachDB',
  types: ['cockroachdb'],
  urlVariables: ['DBMANAGER_TEST_COCKROACHDB_URL'],
  standIn: 'PostgreSQL, with real serialization failures',
});

/**
 * A `describe` for tests of the type `cockroachdb`. No CockroachDB can be had here: they run on the PostgreSQL of the test
 * run. Where there is none the tests are skipped, with the reason, on a laptop and fail in continuous integration.
 */
export function describeWithCockroachdb(
  name: string,
  define: (server: () => PostgresEndpoint) => void,
  runner: TestRunner = globalThis as unknown as TestRunner,
): void {
  COCKROACHDB_SERVER.describe(name, define, runner);
}

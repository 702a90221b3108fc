import { CockroachdbEndpoint } from './cockroachdb-endpoint.js';
import { POSTGRES_SERVER } from './describe-with-postgres.js';
import { SharedTestServer, type TestRunner } from './describe-with-server.js';

/** What stands in for a CockroachDB: the PostgreSQL of the test run, asked for serializable transactions. */
export const COCKROACHDB_SERVER = new SharedTestServer<CockroachdbEndpoint>({
  ...POSTGRES_SERVER.kind,
  name: 'CockroachDB',
  types: ['cockroachdb'],
  urlVariables: ['DBMANAGER_TEST_COCKROACHDB_URL'],
  standIn: 'PostgreSQL, with real serialization failures',
  endpoint: (url) => new CockroachdbEndpoint(url),
});

/** The CockroachDB that is named, or what stands in for it, for a whole test run. Create a database of your own in it. */
export function sharedCockroachdb(): Promise<CockroachdbEndpoint> {
  return COCKROACHDB_SERVER.get();
}

/**
 * A `describe` for tests of the type `cockroachdb`. No CockroachDB can be had here: they run on the PostgreSQL of the test
 * run. Where there is none the tests are skipped, with the reason, on a laptop and fail in continuous integration.
 */
export function describeWithCockroachdb(
  name: string,
  define: (server: () => CockroachdbEndpoint) => void,
  runner: TestRunner = globalThis as unknown as TestRunner,
): void {
  COCKROACHDB_SERVER.describe(name, define, runner);
}

import { SharedTestServer, type TestRunner } from './describe-with-server.js';
import { MariadbEndpoint } from './mariadb-endpoint.js';
import { MariadbServer, mariadbMissing } from './mariadb-server.js';

/** The MariaDB, or MySQL, of the test run. */
export const MARIADB_SERVER = new SharedTestServer<MariadbEndpoint>({
  name: 'MariaDB',
  types: ['mysql', 'mariadb'],
  urlVariables: ['DBMANAGER_TEST_MARIADB_URL', 'DBMANAGER_TEST_MYSQL_URL'],
  path: '/mariadb',
  missing: mariadbMissing,
  start: () => MariadbServer.start(),
  endpoint: (url) => new MariadbEndpoint(url),
});

/**
 * The MariaDB, or MySQL, that a whole test run shares; started when the first test asks. Create a database of your own in
 * it, and start a {@link MariadbServer} for what would disturb others (stopping it, changing settings).
 */
export function sharedMariadb(): Promise<MariadbEndpoint> {
  return MARIADB_SERVER.get();
}

/**
 * A `describe` for tests on a real MariaDB. Where there is none the tests are skipped, with the reason, on a laptop and
 * fail in continuous integration (`CI` is set). Inside the tests the function given to `define` gives the server.
 */
export function describeWithMariadb(
  name: string,
  define: (mariadb: () => MariadbEndpoint) => void,
  runner: TestRunner = globalThis as unknown as TestRunner,
): void {
  MARIADB_SERVER.describe(name, define, runner);
}

/** A `describe` for tests that start a MariaDB of their own, to stop it and to change its settings. */
export function describeWithOwnMariadb(
  name: string,
  define: () => void,
  runner: TestRunner = globalThis as unknown as TestRunner,
): void {
  MARIADB_SERVER.describeOwn(name, define, runner);
}

import { createRequire } from 'node:module';
import { SharedTestServer, type TestRunner } from './describe-with-server.js';
import { PostgresEndpoint } from './postgres-endpoint.js';
import { POSTGRES_BINARIES, PostgresServer } from './postgres-server.js';

/** The PostgreSQL of the test run. */
export const POSTGRES_SERVER = new SharedTestServer<PostgresEndpoint>({
  name: 'PostgreSQL',
  types: ['postgres'],
  urlVariables: ['DBMANAGER_TEST_POSTGRES_URL'],
  path: '/postgres',
  missing: () => missingPackage(POSTGRES_BINARIES),
  start: () => PostgresServer.start(),
  endpoint: (url) => new PostgresEndpoint(url),
});

/** Why tests on a real PostgreSQL cannot run here; undefined when they can. */
export function postgresMissing(): string | undefined {
  return POSTGRES_SERVER.missing();
}

/**
 * The PostgreSQL that a whole test run shares; started when the first test asks. Create a database of your own in it,
 * and start a {@link PostgresServer} for what would disturb others (stopping it, changing settings).
 */
export function sharedPostgres(): Promise<PostgresEndpoint> {
  return POSTGRES_SERVER.get();
}

/**
 * A `describe` for tests on a real PostgreSQL. Where there is none the tests are skipped, with the reason, on a laptop
 * and fail in continuous integration (`CI` is set). Inside the tests the function given to `define` gives the server.
 */
export function describeWithPostgres(
  name: string,
  define: (postgres: () => PostgresEndpoint) => void,
  runner: TestRunner = globalThis as unknown as TestRunner,
  binaries = POSTGRES_BINARIES,
): void {
  POSTGRES_SERVER.describe(name, define, runner, () => missingPackage(binaries));
}

function missingPackage(name: string): string | undefined {
  try {
    createRequire(import.meta.url).resolve(name);
    return undefined;
  } catch {
    return `the package ${name} is not installed`;
  }
}

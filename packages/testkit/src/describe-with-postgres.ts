import { createRequire } from 'node:module';
import { PostgresEndpoint } from './postgres-endpoint.js';
import { POSTGRES_BINARIES, PostgresServer } from './postgres-server.js';

/** Uses this running server, given as a superuser's URL, instead of starting one. */
const URL_VARIABLE = 'DBMANAGER_TEST_POSTGRES_URL';
/** Where the test run's own server is to be had; set by the global set-up of jest. */
const BROKER_VARIABLE = 'DBMANAGER_TEST_SERVERS';

/** What this needs of jest, or of a runner like it. */
interface Runner {
  describe: { (name: string, define: () => void): void; skip(name: string, define: () => void): void };
  it(name: string, run: () => void | Promise<void>): void;
  beforeAll(run: () => Promise<void>, timeoutMs: number): void;
}

/** Why tests on a real PostgreSQL cannot run here; undefined when they can. */
export function postgresMissing(binaries = POSTGRES_BINARIES): string | undefined {
  if (process.env[URL_VARIABLE] !== undefined) return undefined;
  try {
    createRequire(import.meta.url).resolve(binaries);
    return undefined;
  } catch {
    return `no PostgreSQL: ${URL_VARIABLE} is not set and the package ${binaries} is not installed`;
  }
}

let own: Promise<PostgresServer> | undefined;

/**
 * The PostgreSQL that a whole test run shares; started when the first test asks. Create a database of your own in it,
 * and start a {@link PostgresServer} for what would disturb others (stopping it, changing settings).
 */
export async function sharedPostgres(): Promise<PostgresEndpoint> {
  const { [URL_VARIABLE]: url, [BROKER_VARIABLE]: broker } = process.env;
  if (url !== undefined) return new PostgresEndpoint(url);
  if (broker !== undefined) {
    const response = await fetch(`${broker}/postgres`);
    if (!response.ok) throw new Error(await response.text());
    return new PostgresEndpoint(await response.text());
  }
  own ??= PostgresServer.start();
  return new PostgresEndpoint((await own).url());
}

/**
 * A `describe` for tests on a real PostgreSQL. Where there is none the tests are skipped, with the reason, on a laptop
 * and fail in continuous integration (`CI` is set). Inside the tests the function given to `define` gives the server.
 */
export function describeWithPostgres(
  name: string,
  define: (postgres: () => PostgresEndpoint) => void,
  runner: Runner = globalThis as unknown as Runner,
  binaries?: string,
): void {
  const missing = postgresMissing(binaries);
  if (missing !== undefined) {
    const refuse = () => {
      throw new Error(missing);
    };
    if ((process.env.CI ?? '') === '')
      runner.describe.skip(`${name} (${missing})`, () => runner.it('needs it', refuse));
    else runner.describe(name, () => runner.it('has a PostgreSQL to run on', refuse));
    return;
  }
  runner.describe(name, () => {
    let endpoint: PostgresEndpoint | undefined;
    runner.beforeAll(async () => {
      endpoint = await sharedPostgres();
    }, 60_000);
    define(() => {
      if (endpoint === undefined) throw new Error('the server is there only inside tests');
      return endpoint;
    });
  });
}

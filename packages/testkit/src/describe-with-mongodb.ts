import { SharedTestServer, type TestRunner } from './describe-with-server.js';
import { ferretdbMissing } from './ferretdb-binary.js';
import { FerretdbServer } from './ferretdb-server.js';
import { MongodServer, mongodMissing } from './mongod-server.js';
import { MongodbEndpoint } from './mongodb-endpoint.js';

const HAS_MONGOD = mongodMissing() === undefined;

function missing(): string | undefined {
  const reason = HAS_MONGOD ? undefined : ferretdbMissing();
  return reason && `mongod is not installed, and ${reason}`;
}

/** The MongoDB of the test run; FerretDB where none is installed. */
export const MONGODB_SERVER = new SharedTestServer<MongodbEndpoint>({
  name: 'MongoDB',
  types: ['mongodb'],
  urlVariables: ['DBMANAGER_TEST_MONGODB_URL'],
  path: '/mongodb',
  ...(HAS_MONGOD ? {} : { standIn: 'FerretDB, which speaks its protocol, on SQLite' }),
  missing,
  start: () => (HAS_MONGOD ? MongodServer.start() : FerretdbServer.start()),
  endpoint: (url) => new MongodbEndpoint(url),
});

/**
 * The MongoDB that a whole test run shares, or FerretDB; started when the first test asks. Use databases of your own in it, and
 * start a {@link FerretdbServer} for what would disturb others.
 */
export function sharedMongodb(): Promise<MongodbEndpoint> {
  return MONGODB_SERVER.get();
}

/**
 * A `describe` for tests on a MongoDB, or on FerretDB. Where there is none the tests are skipped, with the reason, on a laptop
 * and fail in continuous integration (`CI` is set). Inside the tests the function given to `define` gives the server.
 */
export function describeWithMongodb(
  name: string,
  define: (mongodb: () => MongodbEndpoint) => void,
  runner: TestRunner = globalThis as unknown as TestRunner,
): void {
  MONGODB_SERVER.describe(name, define, runner);
}

/** A `describe` for tests that start a FerretDB of their own, to stop it and to change its settings. */
export function describeWithFerretdb(
  name: string,
  define: () => void,
  runner: TestRunner = globalThis as unknown as TestRunner,
): void {
  MONGODB_SERVER.describeOwn(name, define, runner, ferretdbMissing);
}

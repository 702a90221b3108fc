import { SharedTestServer, type TestRunner } from './describe-with-server.js';
import { RedisEndpoint } from './redis-endpoint.js';
import { RedisServer, redisMissing } from './redis-server.js';

/** The Redis of the test run. */
export const REDIS_SERVER = new SharedTestServer<RedisEndpoint>({
  name: 'Redis',
  types: ['query cache'],
  urlVariables: ['DBMANAGER_TEST_REDIS_URL'],
  path: '/redis',
  missing: redisMissing,
  start: () => RedisServer.start(),
  endpoint: (url) => new RedisEndpoint(url),
});

/**
 * The Redis that a whole test run shares; started when the first test asks. Give its keys a prefix of your own, and start a
 * {@link RedisServer} for what would disturb others (stopping it).
 */
export function sharedRedis(): Promise<RedisEndpoint> {
  return REDIS_SERVER.get();
}

/**
 * A `describe` for tests on a real Redis. Where there is none the tests are skipped, with the reason, on a laptop and fail in
 * continuous integration (`CI` is set). Inside the tests the function given to `define` gives the server.
 */
export function describeWithRedis(
  name: string,
  define: (redis: () => RedisEndpoint) => void,
  runner: TestRunner = globalThis as unknown as TestRunner,
): void {
  REDIS_SERVER.describe(name, define, runner);
}

/** A `describe` for tests that start a Redis of their own, to stop it. */
export function describeWithOwnRedis(
  name: string,
  define: () => void,
  runner: TestRunner = globalThis as unknown as TestRunner,
): void {
  REDIS_SERVER.describeOwn(name, define, runner);
}

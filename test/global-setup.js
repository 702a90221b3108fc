import { createServer } from 'node:http';
import { registerHooks } from 'node:module';

const TESTKIT = '../packages/testkit/src';
/** By the paths under which tests ask for them. */
const SERVERS = {
  '/postgres': async () => (await import(`${TESTKIT}/postgres-server.ts`)).PostgresServer.start(),
  '/mariadb': async () => (await import(`${TESTKIT}/mariadb-server.ts`)).MariadbServer.start(),
};

// Node runs the test kit's sources as they are, but looks for the files that their compiled form imports.
registerHooks({
  resolve(specifier, context, next) {
    const ofTestkit = specifier.startsWith('./') && context.parentURL?.includes('/packages/testkit/src/');
    return next(ofTestkit ? specifier.replace(/\.js$/, '.ts') : specifier, context);
  },
});

/**
 * Keeps the real servers of a test run in jest's own process: each started when the first test asks for it, shared by
 * every worker, stopped at the end by global-teardown.js.
 */
export default async function globalSetup() {
  const started = new Map();
  const serverAt = (path) => {
    if (!Object.hasOwn(SERVERS, path)) throw new Error(`no server called ${path}`);
    if (!started.has(path)) started.set(path, SERVERS[path]());
    return started.get(path);
  };
  const broker = createServer(async (request, response) => {
    try {
      response.end((await serverAt(request.url)).url());
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  await new Promise((resolve) => broker.listen(0, '127.0.0.1', resolve));
  broker.unref();
  process.env.DBMANAGER_TEST_SERVERS = `http://127.0.0.1:${broker.address().port}`;
  globalThis.stopTestServers = async () => {
    broker.closeAllConnections();
    broker.close();
    // A start that failed has told those who asked for it.
    const servers = await Promise.allSettled(started.values());
    await Promise.all(servers.map(({ value }) => value?.close()));
  };
}

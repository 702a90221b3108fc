import { createServer } from 'node:http';
import { registerHooks } from 'node:module';

const TESTKIT = '../packages/testkit/src';

// Node runs the test kit's sources as they are, but looks for the files that their compiled form imports.
registerHooks({
  resolve(specifier, context, next) {
    const ofTestkit = specifier.startsWith('./') && context.parentURL?.includes('/packages/testkit/src/');
    return next(ofTestkit ? specifier.replace(/\.js$/, '.ts') : specifier, context);
  },
});

/**
 * Keeps the servers of a test run in jest's own process: each started when the first test asks for it, shared by every
 * worker. At the end global-teardown.js has the table of engines printed and the servers stopped.
 */
export default async function globalSetup() {
  const { TEST_SERVERS } = await import(`${TESTKIT}/test-servers.ts`);
  const { engineRows, renderEngines } = await import(`${TESTKIT}/engine-table.ts`);
  const started = new Map();
  const serverAt = (path) => {
    const server = TEST_SERVERS.find(({ kind }) => kind.path === path);
    if (server === undefined) throw new Error(`no server called ${path}`);
    if (!started.has(path)) started.set(path, server.kind.start());
    return started.get(path);
  };
  const broker = createServer(async (request, response) => {
    // A connection that is kept would be closed for idleness just as a worker of a busy machine sends its next request on it.
    response.setHeader('connection', 'close');
    try {
      response.end((await serverAt(request.url)).url());
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  await new Promise((resolve) => broker.listen(0, '127.0.0.1', resolve));
  broker.unref();
  process.env.DBMANAGER_TEST_SERVERS = `http://127.0.0.1:${broker.address().port}`;
  globalThis.endTestRun = async () => {
    broker.closeAllConnections();
    broker.close();
    const startedUrl = ({ kind: { path } }) => started.get(path)?.then((server) => server.url());
    // Not to stdout: that is where a report for programs goes (`--json`).
    process.stderr.write(`\n${renderEngines(await engineRows(TEST_SERVERS, startedUrl))}\n`);
    // A start that failed has told those who asked for it.
    const servers = await Promise.allSettled(started.values());
    await Promise.all(servers.map(({ value }) => value?.close()));
  };
}

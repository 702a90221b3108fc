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
  const { TestServerBroker } = await import(`${TESTKIT}/test-server-broker.ts`);
  const { engineRows, renderEngines } = await import(`${TESTKIT}/engine-table.ts`);
  const broker = await TestServerBroker.open(TEST_SERVERS);
  globalThis.endTestRun = async () => {
    // Not to stdout: that is where a report for programs goes (`--json`).
    process.stderr.write(`\n${renderEngines(await engineRows(TEST_SERVERS, (server) => broker.url(server)))}\n`);
    await broker.close();
  };
}

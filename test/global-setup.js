import { createServer } from 'node:http';

/**
 * Keeps the real servers of a test run in jest's own process: started when the first test asks for one, shared by every
 * worker, stopped at the end by global-teardown.js.
 */
export default async function globalSetup() {
  let postgres;
  const broker = createServer(async (request, response) => {
    try {
      if (request.url !== '/postgres') throw new Error(`no server called ${request.url}`);
      postgres ??= import('../packages/testkit/src/postgres-server.ts').then(({ PostgresServer }) =>
        PostgresServer.start(),
      );
      response.end((await postgres).url());
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
    await postgres?.then((server) => server.close());
  };
}

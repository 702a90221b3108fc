import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BROKER_VARIABLE, type SharedTestServer, type TestServerEndpoint } from './describe-with-server.js';
import { TEST_SERVERS } from './test-servers.js';

type Started = Awaited<ReturnType<SharedTestServer<TestServerEndpoint>['kind']['start']>>;

/**
 * Has all processes of a test run share one server of each kind, which is started when the first test asks for it. For the global
 * set-up of a test runner: processes that are started from then on find it by a variable of their environment.
 */
export class TestServerBroker implements AsyncDisposable {
  readonly #servers: readonly SharedTestServer<TestServerEndpoint>[];
  readonly #started = new Map<string, Promise<Started>>();
  readonly #http: Server;
  /** What the variable was before. */
  readonly #outer = process.env[BROKER_VARIABLE];

  private constructor(servers: readonly SharedTestServer<TestServerEndpoint>[]) {
    this.#servers = servers;
    this.#http = createServer(async (request, response) => {
      // A connection that is kept would be closed for idleness just as a worker of a busy machine sends its next request on it.
      response.setHeader('connection', 'close');
      try {
        response.end((await this.#serverAt(request.url)).url());
      } catch (error) {
        response.writeHead(500).end(String(error));
      }
    });
  }

  /** One that nobody has asked yet; it starts nothing, and keeps no process alive. */
  static async open(
    servers: readonly SharedTestServer<TestServerEndpoint>[] = TEST_SERVERS,
  ): Promise<TestServerBroker> {
    const broker = new TestServerBroker(servers);
    await new Promise<void>((resolve, reject) => broker.#http.once('error', reject).listen(0, '127.0.0.1', resolve));
    broker.#http.unref();
    const { port } = broker.#http.address() as AddressInfo;
    process.env[BROKER_VARIABLE] = `http://127.0.0.1:${port}`;
    return broker;
  }

  /** The URL of a server that was started here; undefined when no test has asked for it. */
  url({ kind }: SharedTestServer<TestServerEndpoint>): Promise<string> | undefined {
    return this.#started.get(kind.path)?.then((server) => server.url());
  }

  /** Ends all servers that were started; from now on each process starts its own. */
  async close(): Promise<void> {
    if (this.#outer === undefined) delete process.env[BROKER_VARIABLE];
    else process.env[BROKER_VARIABLE] = this.#outer;
    this.#http.closeAllConnections();
    this.#http.close();
    // A start that failed has told those who asked for it.
    const servers = await Promise.allSettled(this.#started.values());
    this.#started.clear();
    await Promise.all(servers.map((server) => (server.status === 'fulfilled' ? server.value.close() : undefined)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #serverAt(path: string | undefined): Promise<Started> {
    const server = this.#servers.find(({ kind }) => kind.path === path);
    if (server === undefined) throw new Error(`no server called ${path}`);
    const { kind } = server;
    const started = this.#started.get(kind.path) ?? kind.start();
    this.#started.set(kind.path, started);
    return started;
  }
}

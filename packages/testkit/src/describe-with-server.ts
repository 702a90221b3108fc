/** Where the test run's own servers are to be had; set by the global set-up of jest. */
const BROKER_VARIABLE = 'DBMANAGER_TEST_SERVERS';

/** What is needed of jest, or of a runner like it. */
export interface TestRunner {
  describe: { (name: string, define: () => void): void; skip(name: string, define: () => void): void };
  it(name: string, run: () => void | Promise<void>): void;
  beforeAll(run: () => Promise<void>, timeoutMs: number): void;
}

/** A kind of database server that tests run on. */
export interface TestServerKind<E> {
  /** For messages. */
  readonly name: string;
  /** Names a running server to use, as a superuser's URL, instead of starting one. */
  readonly urlVariable: string;
  /** Its path at the broker of the test run. */
  readonly path: string;
  /** What cannot be had that is needed to start one; undefined when nothing is missing. */
  missing(): string | undefined;
  start(): Promise<{ url(): string }>;
  endpoint(url: string): E;
}

/** One server for a whole test run, and suites that need it. */
export class SharedTestServer<E> {
  readonly #kind: TestServerKind<E>;
  #own: Promise<{ url(): string }> | undefined;

  constructor(kind: TestServerKind<E>) {
    this.#kind = kind;
  }

  /** Why tests on it cannot run here; undefined when they can. */
  missing(missing = this.#kind.missing): string | undefined {
    const { name, urlVariable } = this.#kind;
    if (process.env[urlVariable] !== undefined) return undefined;
    const what = missing();
    return what && `no ${name}: ${urlVariable} is not set and ${what}`;
  }

  /** The server; started when the first test asks. */
  async get(): Promise<E> {
    const { urlVariable, path, endpoint } = this.#kind;
    const { [urlVariable]: url, [BROKER_VARIABLE]: broker } = process.env;
    if (url !== undefined) return endpoint(url);
    if (broker !== undefined) {
      const response = await fetch(`${broker}${path}`);
      if (!response.ok) throw new Error(await response.text());
      return endpoint(await response.text());
    }
    this.#own ??= this.#kind.start();
    return endpoint((await this.#own).url());
  }

  /**
   * A `describe` for tests on it. Where there is none the tests are skipped, with the reason, on a laptop and fail in
   * continuous integration (`CI` is set).
   */
  describe(name: string, define: (server: () => E) => void, runner: TestRunner, missing?: () => string | undefined) {
    const reason = this.missing(missing);
    if (reason !== undefined) {
      this.#doWithout(name, reason, runner);
      return;
    }
    runner.describe(name, () => {
      let endpoint: E | undefined;
      runner.beforeAll(async () => {
        endpoint = await this.get();
      }, 60_000);
      define(() => {
        if (endpoint === undefined) throw new Error('the server is there only inside tests');
        return endpoint;
      });
    });
  }

  #doWithout(name: string, reason: string, runner: TestRunner): void {
    const refuse = () => {
      throw new Error(reason);
    };
    if ((process.env.CI ?? '') === '') runner.describe.skip(`${name} (${reason})`, () => runner.it('needs it', refuse));
    else runner.describe(name, () => runner.it(`has a ${this.#kind.name} to run on`, refuse));
  }
}

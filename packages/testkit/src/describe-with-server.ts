/** Where the test run's own servers are to be had; set by a `TestServerBroker`. */
export const BROKER_VARIABLE = 'DBMANAGER_TEST_SERVERS';

/** What is needed of jest, or of a runner like it. */
export interface TestRunner {
  describe: { (name: string, define: () => void): void; skip(name: string, define: () => void): void };
  it(name: string, run: () => void | Promise<void>): void;
  beforeAll(run: () => Promise<void>, timeoutMs: number): void;
}

/** A running server, as tests are given it. */
export interface TestServerEndpoint {
  /** What the server says of its own version. */
  version(): Promise<string>;
}

/** A kind of database server that tests run on. */
export interface TestServerKind<E extends TestServerEndpoint> {
  /** For messages. */
  readonly name: string;
  /** The types of connections that are tested on it. */
  readonly types: readonly string[];
  /** Each may name a running server to use, as a superuser's URL, instead of starting one; the first that is set counts. */
  readonly urlVariables: readonly [string, ...string[]];
  /** Its path at the broker of the test run. */
  readonly path: string;
  /** What `start` gives when that is not the database itself: "a TDS server of the test kit, on SQLite". */
  readonly standIn?: string;
  /** What cannot be had that is needed to start one; undefined when nothing is missing. */
  missing(): string | undefined;
  start(): Promise<{ url(): string; close(): Promise<unknown> }>;
  endpoint(url: string): E;
}

/** One server for a whole test run, and suites that need it. */
export class SharedTestServer<E extends TestServerEndpoint> {
  readonly kind: TestServerKind<E>;
  #own: Promise<{ url(): string }> | undefined;

  constructor(kind: TestServerKind<E>) {
    this.kind = kind;
  }

  /** The variable that names a running server, with its value; undefined when none does. */
  get given(): { readonly variable: string; readonly url: string } | undefined {
    for (const variable of this.kind.urlVariables) {
      const { [variable]: url } = process.env;
      if (url !== undefined && url !== '') return { variable, url };
    }
    return undefined;
  }

  /** Why tests on it cannot run here; undefined when they can. */
  missing(missing = this.kind.missing): string | undefined {
    if (this.given !== undefined) return undefined;
    const { name, urlVariables } = this.kind;
    const what = missing();
    return what && `no ${name}: ${urlVariables.join(' or ')} is not set and ${what}`;
  }

  /** The server; started when the first test asks. */
  async get(): Promise<E> {
    const { given } = this;
    const { path, endpoint } = this.kind;
    const { [BROKER_VARIABLE]: broker } = process.env;
    if (given !== undefined) return endpoint(given.url);
    if (broker !== undefined) {
      const response = await fetch(`${broker}${path}`);
      if (!response.ok) throw new Error(await response.text());
      return endpoint(await response.text());
    }
    this.#own ??= this.kind.start();
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

  /**
   * A `describe` for tests that start servers of their own, to stop them and to change their settings: a URL that is given
   * makes up for nothing that is missing.
   */
  describeOwn(name: string, define: () => void, runner: TestRunner, missing = this.kind.missing): void {
    const reason = missing();
    if (reason === undefined) runner.describe(name, define);
    else this.#doWithout(name, `no ${this.kind.name}: ${reason}`, runner);
  }

  #doWithout(name: string, reason: string, runner: TestRunner): void {
    const refuse = () => {
      throw new Error(reason);
    };
    if ((process.env.CI ?? '') === '') runner.describe.skip(`${name} (${reason})`, () => runner.it('needs it', refuse));
    else runner.describe(name, () => runner.it(`has a ${this.kind.name} to run on`, refuse));
  }
}

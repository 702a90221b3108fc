import { randomBytes } from 'node:crypto';
import { ferretdbBinary, ferretdbMissing } from './ferretdb-binary.js';
import { portListens } from './port-listens.js';
import { freePort, ServerProcess } from './server-process.js';

/** How a test server is set up. */
export interface FerretdbServerOptions {
  /** Of the superuser; a random one unless given. */
  readonly password?: string;
  /** PEM texts: it then speaks TLS alone. `clientAuthorities` is what client certificates are checked against. */
  readonly tls?: { readonly key: string; readonly certificate: string; readonly clientAuthorities?: string };
  /** What it says its replica set is called: it takes that for one, but has no transactions all the same. */
  readonly replicaSet?: string;
}

/** How a server is stopped: `fast` lets it end by itself, `immediate` is a crash. */
export type FerretdbStopMode = 'fast' | 'immediate';

const STOP_SIGNALS = { fast: 'SIGTERM', immediate: 'SIGKILL' } as const;

/**
 * FerretDB, which speaks MongoDB's protocol and keeps its data in SQLite, on a free port of 127.0.0.1. It is no MongoDB: it has
 * no transactions, no change streams and no replication. It goes with the process that started it, however that one ends.
 */
export class FerretdbServer {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly user = 'root';
  readonly password: string;
  readonly #process: ServerProcess;
  readonly #options: FerretdbServerOptions;

  private constructor(process: ServerProcess, port: number, options: FerretdbServerOptions) {
    this.#process = process;
    this.port = port;
    this.password = options.password ?? randomBytes(12).toString('hex');
    this.#options = options;
  }

  /** Creates a server and starts it. */
  static async start(options: FerretdbServerOptions = {}): Promise<FerretdbServer> {
    const missing = ferretdbMissing();
    if (missing !== undefined) throw new Error(missing);
    const process = await ServerProcess.create({ name: 'FerretDB', crashSignal: 'SIGKILL' });
    const server = new FerretdbServer(process, await freePort(), options);
    try {
      await server.#writeCertificates();
      await server.start();
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  /** The URL of a database of this server, for the superuser; of none unless one is named. */
  url(database = ''): string {
    const { user, password, host, port } = this;
    const tls = this.#options.tls === undefined ? '' : '&tls=true';
    return `mongodb://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}?authSource=admin${tls}`;
  }

  get running(): boolean {
    return this.#process.running;
  }

  /** Starts it again after {@link stop}, on the same port and data. Resolves when it takes connections. */
  async start(): Promise<void> {
    await this.#process.start(ferretdbBinary(), this.#flags(), () => portListens(this.port, this.host));
  }

  /** Stops it and resolves when its process has gone. Its data stays. */
  stop(mode: FerretdbStopMode = 'fast'): Promise<void> {
    return this.#process.stop(STOP_SIGNALS[mode]);
  }

  async restart(mode: FerretdbStopMode = 'fast'): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  /** Where its data is. */
  get folder(): string {
    return this.#process.folder;
  }

  /** What the server has logged. */
  get log(): string {
    return this.#process.log;
  }

  /** Stops it and removes its data. */
  close(): Promise<void> {
    return this.#process.close();
  }

  #flags(): string[] {
    const { tls, replicaSet } = this.#options;
    const [plain, secure] = tls === undefined ? [`${this.host}:${this.port}`, ''] : ['', `${this.host}:${this.port}`];
    return [
      '--handler=sqlite',
      `--sqlite-url=file:${this.#process.folder}/`,
      `--state-dir=${this.#process.folder}`,
      '--debug-addr=-',
      '--telemetry=disable',
      '--log-level=warn',
      '--test-enable-new-auth',
      '--setup-database=admin',
      `--setup-username=${this.user}`,
      `--setup-password=${this.password}`,
      `--listen-addr=${plain}`,
      `--listen-tls=${secure}`,
      ...(tls === undefined ? [] : this.#certificates.map(({ flag, path }) => `--listen-${flag}=${path}`)),
      ...(replicaSet === undefined ? [] : [`--repl-set-name=${replicaSet}`]),
    ];
  }

  get #certificates() {
    const { tls } = this.#options;
    const file = (flag: string, name: string, text = '') => ({ flag, name, text, path: this.#process.path(name) });
    return [
      file('tls-key-file', 'server.key', tls?.key),
      file('tls-cert-file', 'server.crt', tls?.certificate),
      file('tls-ca-file', 'clients.crt', tls?.clientAuthorities),
    ].filter(({ text }) => text !== '');
  }

  async #writeCertificates(): Promise<void> {
    for (const { name, text } of this.#certificates) await this.#process.write(name, text);
  }
}

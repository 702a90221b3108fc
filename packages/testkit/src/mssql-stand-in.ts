import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { freePort, ServerProcess } from './server-process.js';

/** How a stand-in is set up. */
export interface MssqlStandInOptions {
  /** PEM texts. Without, it makes a certificate for itself, as SQL Server does, which no client has a reason to trust. */
  readonly tls?: { readonly key: string; readonly certificate: string };
  /** What it says to clients about encryption; `supported` unless said. */
  readonly encryption?: 'supported' | 'required' | 'unsupported';
  /** Of the login `sa`; a random one unless given. */
  readonly password?: string;
}

/** How a server is stopped: `fast` tells its clients and closes, `immediate` drops everything as a crash does. */
export type MssqlStopMode = 'fast' | 'immediate';

const STOP_SIGNALS = { fast: 'SIGTERM', immediate: 'SIGKILL' } as const;
/** The compiled one, also beside the sources: Node runs it in a process of its own. */
const SCRIPT = fileURLToPath(new URL('../dist/tds/stand-in-process.js', import.meta.url));

/** Why no stand-in can be started here; undefined when one can. */
export function mssqlStandInMissing(): string | undefined {
  return existsSync(SCRIPT) ? undefined : 'the test kit has not been built (npm run build)';
}

/**
 * A stand-in for SQL Server, not SQL Server: it speaks the same protocol on a free port of 127.0.0.1 (TDS 7.4 and 8.0, as
 * tedious does), with SQL Server's sessions, transactions and errors, and runs simple T-SQL on SQLite. It locks whole
 * databases, not rows. In a process of its own, with its data in a folder of its own; it goes with the process that started
 * it. Needs the package `better-sqlite3`.
 */
export class MssqlStandIn {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly user = 'sa';
  readonly password: string;
  readonly #process: ServerProcess;

  private constructor(process: ServerProcess, port: number, password: string) {
    this.#process = process;
    this.port = port;
    this.password = password;
  }

  /** Creates one and starts it: some 200 ms. */
  static async start(options: MssqlStandInOptions = {}): Promise<MssqlStandIn> {
    const missing = mssqlStandInMissing();
    if (missing !== undefined) throw new Error(missing);
    const process = await ServerProcess.create({ name: 'SQL Server stand-in', crashSignal: 'SIGKILL' });
    const { password = randomBytes(12).toString('hex'), encryption = 'supported', tls } = options;
    const server = new MssqlStandIn(process, await freePort(), password);
    const { host, port } = server;
    const settings = { host, port, password, encryption, tls, folder: process.folder };
    try {
      await process.write('settings.json', JSON.stringify(settings));
      await server.start();
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  /** The URL of a database of this server, for `sa`; of `master` unless one is named. */
  url(database = 'master'): string {
    return `mssql://${this.user}:${this.password}@${this.host}:${this.port}/${database}`;
  }

  get running(): boolean {
    return this.#process.running;
  }

  /** Starts it again after {@link stop}, on the same port and data. Resolves when it takes connections. */
  async start(): Promise<void> {
    const ready = this.#process.path('ready');
    await rm(ready, { force: true });
    const flags = [SCRIPT, this.#process.path('settings.json')];
    await this.#process.start(process.execPath, flags, () => existsSync(ready));
  }

  /** Stops it and resolves when its process has gone. Its data stays. */
  stop(mode: MssqlStopMode = 'fast'): Promise<void> {
    return this.#process.stop(STOP_SIGNALS[mode]);
  }

  async restart(mode: MssqlStopMode = 'fast'): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  /** Stops its process where it stands, sockets open, until {@link resume}. */
  freeze(): void {
    this.#process.signal('SIGSTOP');
  }

  resume(): void {
    this.#process.signal('SIGCONT');
  }

  /** What it has logged: its own faults. */
  get log(): string {
    return this.#process.log;
  }

  /** Stops it and removes its data. */
  close(): Promise<void> {
    return this.#process.close();
  }
}

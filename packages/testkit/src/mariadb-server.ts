import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { findCommand } from './find-command.js';
import { freePort, ServerProcess } from './server-process.js';

/** How a test server is set up. */
export interface MariadbServerOptions {
  /** System variables, named as in my.cnf; `max_connections` is 200 and nothing is flushed to the disk unless said. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /** PEM texts: turns TLS on. `clientAuthorities` is what client certificates are checked against. */
  readonly tls?: { readonly key: string; readonly certificate: string; readonly clientAuthorities?: string };
  /** Of the superuser; a random one unless given. */
  readonly password?: string;
}

/** How a server is stopped: `fast` rolls back and closes every connection, `immediate` drops everything as a crash does. */
export type MariadbStopMode = 'fast' | 'immediate';

const STOP_SIGNALS = { fast: 'SIGTERM', immediate: 'SIGKILL' } as const;
const SERVER = 'mariadbd';
const INSTALLER = 'mariadb-install-db';

/** Why no MariaDB can be started here; undefined when one can. */
export function mariadbMissing(): string | undefined {
  const missing = [SERVER, INSTALLER].find((name) => findCommand(name) === undefined);
  return missing && `the command ${missing} is not installed (Debian: apt-get install mariadb-server)`;
}

/**
 * A real MariaDB on a free port of 127.0.0.1, from the commands that the system has installed, with its data in a folder
 * of its own under the system's temporary folder. Started as root it runs as the user `mysql`. It goes with the process
 * that started it, however that one ends.
 */
export class MariadbServer {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly user = 'root';
  readonly password: string;
  readonly #process: ServerProcess;
  readonly #flags: readonly string[];

  private constructor(process: ServerProcess, port: number, options: MariadbServerOptions) {
    this.#process = process;
    this.port = port;
    this.password = options.password ?? randomBytes(12).toString('hex');
    this.#flags = [...settings(options, process)].map(([name, value]) => `--${name.replaceAll('_', '-')}=${value}`);
  }

  /** Creates a server and starts it: some three seconds. */
  static async start(options: MariadbServerOptions = {}): Promise<MariadbServer> {
    const missing = mariadbMissing();
    if (missing !== undefined) throw new Error(missing);
    const process = await ServerProcess.create({ name: 'MariaDB', account: 'mysql', crashSignal: 'SIGKILL' });
    const server = new MariadbServer(process, await freePort(), options);
    try {
      await server.#initialise(options);
      await server.start();
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  /** The URL of a database of this server, for the superuser; of none unless one is named. */
  url(database = ''): string {
    return `mysql://${this.user}:${this.password}@${this.host}:${this.port}/${database}`;
  }

  /** The path of the Unix socket. */
  get socketPath(): string {
    return this.#process.path('socket');
  }

  get running(): boolean {
    return this.#process.running;
  }

  /** Starts it again after {@link stop}, on the same port and data. Resolves when it takes connections. */
  async start(): Promise<void> {
    const flags = ['--no-defaults', `--port=${this.port}`, ...this.#flags];
    await this.#process.start(command(SERVER), flags, () => this.#greets());
  }

  /** Stops it and resolves when its process has gone. Its data stays. */
  stop(mode: MariadbStopMode = 'fast'): Promise<void> {
    return this.#process.stop(STOP_SIGNALS[mode]);
  }

  async restart(mode: MariadbStopMode = 'fast'): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  /** What the server has logged. */
  get log(): string {
    return this.#process.log;
  }

  /** Stops it and removes its data. */
  close(): Promise<void> {
    return this.#process.close();
  }

  async #initialise({ tls }: MariadbServerOptions): Promise<void> {
    await this.#process.run(command(INSTALLER), [
      '--no-defaults',
      `--datadir=${this.#process.path('data')}`,
      `--tmpdir=${this.#process.folder}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      '--skip-name-resolve',
      '--innodb-flush-method=nosync',
    ]);
    // Read at each start, before the first client is let in.
    await this.#process.write(
      'init.sql',
      `CREATE OR REPLACE USER root@'127.0.0.1' IDENTIFIED BY '${this.password}';\n` +
        `GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n` +
        `ALTER USER root@localhost IDENTIFIED BY '${this.password}';\n`,
    );
    if (tls === undefined) return;
    await this.#process.write('server.key', tls.key);
    await this.#process.write('server.crt', tls.certificate);
    await this.#process.write('clients.crt', tls.clientAuthorities ?? tls.certificate);
  }

  /** True when the server speaks first, as it does to a client that it takes; the port is open before that. */
  async #greets(): Promise<boolean> {
    const socket = connect(this.port, this.host);
    try {
      await once(socket, 'data');
      return true;
    } catch {
      return false; // ECONNREFUSED: not yet
    } finally {
      socket.destroy();
    }
  }
}

function settings({ settings: own, tls }: MariadbServerOptions, process: ServerProcess): Map<string, unknown> {
  return new Map(
    Object.entries({
      datadir: process.path('data'),
      // Of its own: at its start a server removes the temporary tables that it finds, whosever they are.
      tmpdir: process.folder,
      socket: process.path('socket'),
      pid_file: process.path('pid'),
      init_file: process.path('init.sql'),
      bind_address: '127.0.0.1',
      skip_name_resolve: 'ON',
      max_connections: 200,
      character_set_server: 'utf8mb4',
      performance_schema: 'OFF',
      innodb_buffer_pool_size: '32M',
      innodb_log_file_size: '16M',
      // Test data may go with the machine.
      innodb_flush_method: 'nosync',
      innodb_flush_log_at_trx_commit: 0,
      ...(tls && {
        ssl_key: process.path('server.key'),
        ssl_cert: process.path('server.crt'),
        ssl_ca: process.path('clients.crt'),
      }),
      ...own,
    }),
  );
}

function command(name: string): string {
  return findCommand(name) ?? name;
}

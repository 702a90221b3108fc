import { findCommand } from './find-command.js';
import { portListens } from './port-listens.js';
import { freePort, ServerProcess } from './server-process.js';

/** The PostgreSQL behind a pooler, with its superuser. */
export interface PgbouncerUpstream {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** How a test pooler is set up. */
export interface PgbouncerServerOptions {
  /** Settings of the section `pgbouncer` of its file; `pool_mode` is `transaction` unless said. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

const COMMAND = 'pgbouncer';

/** Why no PgBouncer can be started here; undefined when one can. */
export function pgbouncerMissing(): string | undefined {
  return findCommand(COMMAND) === undefined
    ? `the command ${COMMAND} is not installed (Debian: apt-get install pgbouncer)`
    : undefined;
}

/**
 * A real PgBouncer on a free port of 127.0.0.1, from the command that the system has installed, in front of a PostgreSQL of
 * any databases. Roles log in as they do there. Started as root it runs as the user `postgres`. It goes with the process that
 * started it, however that one ends; the PostgreSQL does not.
 */
export class PgbouncerServer {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly #process: ServerProcess;

  private constructor(process: ServerProcess, port: number, { user, password }: PgbouncerUpstream) {
    this.#process = process;
    this.port = port;
    this.user = user;
    this.password = password;
  }

  static async start(upstream: PgbouncerUpstream, options: PgbouncerServerOptions = {}): Promise<PgbouncerServer> {
    const missing = pgbouncerMissing();
    if (missing !== undefined) throw new Error(missing);
    const process = await ServerProcess.create({ name: 'PgBouncer', account: 'postgres', crashSignal: 'SIGTERM' });
    const server = new PgbouncerServer(process, await freePort(), upstream);
    try {
      await server.#configure(upstream, options);
      await server.start();
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  /** The URL of a database behind it, for the superuser; `pgbouncer` is its own console. */
  url(database = 'postgres'): string {
    return `postgres://${this.user}:${this.password}@${this.host}:${this.port}/${database}`;
  }

  get running(): boolean {
    return this.#process.running;
  }

  /** Starts it again after {@link stop}, on the same port. Resolves when it takes connections. */
  async start(): Promise<void> {
    await this.#process.start(findCommand(COMMAND) ?? COMMAND, [this.#process.path('pgbouncer.ini')], () =>
      portListens(this.port, this.host),
    );
  }

  /** Stops it, dropping every connection, and resolves when its process has gone. */
  stop(): Promise<void> {
    return this.#process.stop('SIGTERM');
  }

  /** What it has logged. */
  get log(): string {
    return this.#process.log;
  }

  /** Stops it and removes its files. */
  close(): Promise<void> {
    return this.#process.close();
  }

  async #configure({ host, port }: PgbouncerUpstream, { settings }: PgbouncerServerOptions): Promise<void> {
    const all = {
      listen_addr: this.host,
      listen_port: this.port,
      unix_socket_dir: '',
      pool_mode: 'transaction',
      // Fewer than the clients of a test: they have to take turns.
      default_pool_size: 5,
      max_client_conn: 500,
      auth_type: 'scram-sha-256',
      auth_file: this.#process.path('users'),
      // Roles that the file does not name log in by what the server knows of them.
      auth_user: this.user,
      auth_query: 'SELECT usename, passwd FROM pg_shadow WHERE usename = $1',
      admin_users: this.user,
      ...settings,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`);
    await this.#process.write('users', `"${this.user}" "${this.password.replaceAll('"', '""')}"\n`);
    await this.#process.write(
      'pgbouncer.ini',
      `[databases]\n* = host=${host} port=${port}\n[pgbouncer]\n${lines.join('\n')}\n`,
    );
  }
}

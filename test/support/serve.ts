import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const COMMAND = 'packages/dbmanager/bin/dbmanager.js';

/** Additions to the environment. */
export type Variables = Readonly<Record<string, string>>;

/** Runs the built command to its end; never rejects. */
export function runCommand(
  args: readonly string[],
  env: Variables = {},
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve) => {
    const options = { cwd: root, env: { ...process.env, ...env } };
    const child = execFile(process.execPath, [COMMAND, ...args], options, (_, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

/** `dbmanager serve` as `npm start` runs it: built, a process of its own, on a free port. */
export class Serve {
  readonly process: ChildProcess;
  readonly url: Promise<string>;
  output = '';

  constructor(file: string, env: Variables = {}) {
    this.process = spawn(process.execPath, [COMMAND, 'serve', '--config', file], {
      cwd: root,
      env: { ...process.env, PORT: '0', ...env },
    });
    this.url = new Promise((resolve, reject) => {
      const read = (chunk: Buffer) => {
        this.output += chunk.toString();
        const [, url] = /(http:\S+)\/metrics/.exec(this.output) ?? [];
        if (url !== undefined) resolve(url);
      };
      this.process.stdout?.on('data', read);
      this.process.stderr?.on('data', read);
      this.process.once('exit', () => reject(new Error(`serve ended: ${this.output}`)));
    });
  }

  async get(path: string): Promise<Response> {
    return fetch(`${await this.url}${path}`);
  }

  /** Resolves when the path answers with that status. */
  async until(path: string, status: number): Promise<void> {
    while ((await this.get(path)).status !== status) await setImmediate();
  }

  /** Has it drain, and gives its exit code. */
  async stop(): Promise<number | null> {
    if (this.process.exitCode !== null) return this.process.exitCode;
    const exited = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    const [code] = (await exited) as [number | null];
    return code;
  }
}

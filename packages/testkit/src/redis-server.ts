import { findCommand } from './find-command.js';
import { RedisEndpoint } from './redis-endpoint.js';
import { freePort, ServerProcess } from './server-process.js';

const COMMAND = 'redis-server';

/** How a server is stopped: `fast` in order, `immediate` as a crash does. */
export type RedisStopMode = 'fast' | 'immediate';

const STOP_SIGNALS = { fast: 'SIGTERM', immediate: 'SIGKILL' } as const;

/** Why no Redis can be started here; undefined when one can. */
export function redisMissing(): string | undefined {
  return findCommand(COMMAND) === undefined
    ? `the command ${COMMAND} is not installed (Debian: apt-get install redis-server)`
    : undefined;
}

/**
 * A real Redis on a free port of 127.0.0.1, from the command that the system has installed. It keeps everything in memory, and
 * over a stop what it was told to `SAVE`. It goes with the process that started it, however that one ends.
 */
export class RedisServer {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly #process: ServerProcess;

  private constructor(process: ServerProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  static async start(): Promise<RedisServer> {
    const missing = redisMissing();
    if (missing !== undefined) throw new Error(missing);
    const process = await ServerProcess.create({ name: 'Redis', crashSignal: 'SIGKILL' });
    const server = new RedisServer(process, await freePort());
    try {
      await server.start();
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  url(): string {
    return `redis://${this.host}:${this.port}`;
  }

  /** Where it runs; gone after {@link close}. */
  get folder(): string {
    return this.#process.folder;
  }

  get running(): boolean {
    return this.#process.running;
  }

  /** Starts it again after {@link stop}, on the same port. Resolves when it answers. */
  async start(): Promise<void> {
    const settings = { port: this.port, bind: this.host, dir: this.#process.folder, save: '', appendonly: 'no' };
    const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const answers = () =>
      new RedisEndpoint(this.url()).version().then(
        () => true,
        () => false, // ECONNREFUSED: not yet
      );
    await this.#process.start(findCommand(COMMAND) ?? COMMAND, flags, answers);
  }

  /** Stops it and resolves when its process has gone. */
  stop(mode: RedisStopMode = 'fast'): Promise<void> {
    return this.#process.stop(STOP_SIGNALS[mode]);
  }

  /** Lets it stand still, holding its connections, until {@link resume}. */
  pause(): void {
    this.#process.signal('SIGSTOP');
  }

  resume(): void {
    this.#process.signal('SIGCONT');
  }

  /** Stops it and removes its folder. */
  close(): Promise<void> {
    return this.#process.close();
  }
}

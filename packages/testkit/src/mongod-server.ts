import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { findCommand } from './find-command.js';
import { portListens } from './port-listens.js';
import { freePort, ServerProcess } from './server-process.js';

const COMMAND = 'mongod';
const REPLICA_SET = 'rs0';

/** Why no MongoDB can be started here; undefined when one can. */
export function mongodMissing(): string | undefined {
  return findCommand(COMMAND) === undefined ? `the command ${COMMAND} is not installed` : undefined;
}

/**
 * A real MongoDB on a free port of 127.0.0.1, from the command that the system has installed: a replica set of one, so that it
 * has transactions, where everybody has to log in. It goes with the process that started it, however that one ends.
 */
export class MongodServer {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly user = 'root';
  readonly password = randomBytes(12).toString('hex');
  readonly #process: ServerProcess;

  private constructor(process: ServerProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  /** Creates a server and starts it. */
  static async start(): Promise<MongodServer> {
    const missing = mongodMissing();
    if (missing !== undefined) throw new Error(missing);
    const process = await ServerProcess.create({ name: 'MongoDB', crashSignal: 'SIGKILL' });
    const server = new MongodServer(process, await freePort());
    try {
      // Members of a replica set tell each other from strangers by it.
      await process.write('key', randomBytes(90).toString('base64'));
      await server.start();
      await server.#initiate();
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  /** The URL of a database of this server, for the superuser; of none unless one is named. */
  url(database = ''): string {
    const { user, password, host, port } = this;
    return `mongodb://${user}:${password}@${host}:${port}/${database}?authSource=admin&replicaSet=${REPLICA_SET}`;
  }

  /** Starts it again after {@link stop}, on the same port and data. Resolves when it takes connections. */
  async start(): Promise<void> {
    const flags = [
      `--dbpath=${this.#process.folder}`,
      `--port=${this.port}`,
      `--bind_ip=${this.host}`,
      `--replSet=${REPLICA_SET}`,
      `--keyFile=${this.#process.path('key')}`,
      '--wiredTigerCacheSizeGB=0.25',
    ];
    await this.#process.start(findCommand(COMMAND) ?? COMMAND, flags, () => portListens(this.port, this.host));
  }

  /** Stops it and resolves when its process has gone. Its data stays. */
  stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    return this.#process.stop(mode === 'fast' ? 'SIGTERM' : 'SIGKILL');
  }

  /** Stops it and removes its data. */
  close(): Promise<void> {
    return this.#process.close();
  }

  /** Before there is a user, whoever comes from the same machine may do this much. */
  async #initiate(): Promise<void> {
    const { default: mongodb } = await import('mongodb');
    const client = new mongodb.MongoClient(`mongodb://${this.host}:${this.port}/?directConnection=true`);
    const admin = client.db('admin');
    try {
      const members = [{ _id: 0, host: `${this.host}:${this.port}` }];
      await admin.command({ replSetInitiate: { _id: REPLICA_SET, members } });
      while (!(await admin.command({ hello: 1 })).isWritablePrimary) await setTimeout(10);
      await admin.command({ createUser: this.user, pwd: this.password, roles: ['root'] });
    } finally {
      await client.close();
    }
  }
}

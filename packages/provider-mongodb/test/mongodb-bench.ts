import { setTimeout as sleep } from 'node:timers/promises';
import { ConnectionManager, ManagedConnection, type PoolEvents, type Provider, Secret } from '@dbmanager/core';
import { MongodbStandIn, TestConnection, type TestOptions, testConfig } from '@dbmanager/testkit';
import type { MongodbConnection } from '../src/mongodb-connection.js';
import type { MongoClient } from '../src/mongodb-driver.js';
import type { MongodbOptions } from '../src/mongodb-options.js';
import { mongodbProvider } from '../src/mongodb-provider.js';

type Options = TestOptions<MongodbOptions>;
type Opened = TestConnection<MongodbConnection>;

/** Where a server is, and who asks. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly user?: string;
  readonly password?: string;
}

/** Options of that place alone: a member of a replica set, or what stands behind a proxy, would name others. */
export function directly({ host, port, user, password }: Place, over: Options = {}): Options {
  const login = user === undefined ? '' : `${encodeURIComponent(user)}:${encodeURIComponent(password ?? '')}@`;
  const dsn = new Secret(`mongodb://${login}${host}:${port}/bench?authSource=admin&directConnection=true`);
  return { dsn, retryDelayMs: 50, retryMaxDelayMs: 200, ...over };
}

/** What one test has opened, closed at its end in reverse order. */
export class MongodbBench {
  readonly #opened: { close(): unknown }[] = [];

  keep<T extends { close(): unknown }>(fixture: T): T {
    this.#opened.push(fixture);
    return fixture;
  }

  standIn(role?: MongodbStandIn['role']): Promise<MongodbStandIn> {
    return MongodbStandIn.start(role).then((server) => this.keep(server));
  }

  /** One connection without a manager. Its close fails unless as many connections were destroyed as created. */
  async open(options: Options, context: Parameters<typeof TestConnection.open>[2] = {}): Promise<Opened> {
    return this.keep(await TestConnection.open(mongodbProvider, options, context));
  }

  manage(connections: Readonly<Record<string, Options>>): ConnectionManager<ManagedConnection> {
    const configs = Object.entries(connections).map(([name, options]) => testConfig(mongodbProvider, options, name));
    return this.keep(
      new ConnectionManager(
        { defaultConnection: undefined, connections: configs },
        { providers: [mongodbProvider as Provider], createConnection: (setup) => new ManagedConnection(setup) },
      ),
    );
  }

  async close(): Promise<void> {
    for (const fixture of this.#opened.splice(0).reverse()) await fixture.close();
  }
}

/** The native handle of a connection. */
export function clientOf({ engine, lanes }: Opened): MongoClient {
  return engine.native?.(lanes) as MongoClient;
}

/** How long a test waits for a condition. */
const PATIENCE_MS = 45_000;

/** Resolves as soon as the condition holds, which is asked again and again. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`it never came true: ${condition}`);
    await sleep(2);
  }
}

/** Resolves with the next event of that name. */
export function next<E extends keyof PoolEvents>({ lanes }: Opened, event: E): Promise<PoolEvents[E]> {
  return new Promise((resolve) => lanes.on(event, resolve));
}

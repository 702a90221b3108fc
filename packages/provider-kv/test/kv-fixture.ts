import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock, TransactionRecorder } from '@dbmanager/core';
import {
  createKvProvider,
  type KeyValueOptions,
  type KeyValueStore,
  type KvConnection,
  type KvNative,
  type KvOptions,
  keyValueStore,
  type LevelDriver,
} from '@dbmanager/provider-kv';
import { TestConnection, type TestOptions } from '@dbmanager/testkit';
import { describe } from '@jest/globals';
import { ClassicLevel } from 'classic-level';

/** classic-level that knows which of its iterators and snapshots have not been closed. */
export class CountingLevel extends ClassicLevel<Uint8Array, Uint8Array> {
  /** Of all instances. */
  static readonly open = new Set<object>();

  // biome-ignore lint/suspicious/noExplicitAny: any of the overloads
  override iterator(...args: any[]): any {
    return this.#count(Reflect.apply(super.iterator, this, args));
  }

  override snapshot() {
    return this.#count(super.snapshot());
  }

  #count<T extends { close(): Promise<void> }>(resource: T): T {
    CountingLevel.open.add(resource);
    const close = resource.close.bind(resource);
    resource.close = () => {
      CountingLevel.open.delete(resource);
      return close();
    };
    return resource;
  }
}

/** What a fixture may be made of, besides options of the connection. */
export interface FixtureSetup {
  readonly driver?: LevelDriver;
  readonly clock?: Clock;
  readonly transactions?: TransactionRecorder;
}

/** A database that the suites of key-value stores run on, on a wall clock that stands still. */
export interface StoreFixture extends AsyncDisposable {
  /** Its pools. */
  readonly connection: Pick<TestConnection<unknown>, 'lanes'>;
  store<V = unknown, K = string>(options?: KeyValueOptions<V, K>): KeyValueStore<V, K>;
  /** Moves the wall clock. */
  pass(ms: number): void;
  /** The same database, closed and opened again at the same time of day. */
  reopened(): Promise<StoreFixture>;
}

/** Where a suite of key-value stores runs. */
export interface StoreHome {
  /** `describe`, where it is to be had. */
  describe(title: string, define: () => void): void;
  /** An empty database. */
  open(options?: { readonly maxOpenConns?: number; readonly maxIdleConns?: number }): Promise<StoreFixture>;
}

/** A connection of type kv on a wall clock that stands still, and stores on it. */
export class KvFixture implements StoreFixture {
  readonly connection: TestConnection<KvConnection>;
  readonly #wall: { ms: number };
  readonly #transactions: TransactionRecorder | undefined;
  readonly #reopen: () => Promise<KvFixture>;

  private constructor(
    connection: TestConnection<KvConnection>,
    wall: { ms: number },
    { transactions }: FixtureSetup,
    reopen: () => Promise<KvFixture>,
  ) {
    this.connection = connection;
    this.#wall = wall;
    this.#transactions = transactions;
    this.#reopen = reopen;
  }

  static async open(
    options: TestOptions<KvOptions>,
    setup: FixtureSetup = {},
    wall = { ms: Date.UTC(2030, 0, 1) },
  ): Promise<KvFixture> {
    const { driver = { ClassicLevel: CountingLevel } as unknown as LevelDriver, clock } = setup;
    const provider = createKvProvider({
      now: () => wall.ms,
      loadDriver: () => driver,
    });
    const connection = await TestConnection.open(provider, options, clock === undefined ? {} : { clock });
    return new KvFixture(connection, wall, setup, () => KvFixture.open(options, setup, wall));
  }

  store<V = unknown, K = string>(options?: KeyValueOptions<V, K>): KeyValueStore<V, K> {
    return keyValueStore<V, K>(this.#target, options);
  }

  /** As a connection of a manager would be. */
  get #target(): Parameters<typeof keyValueStore>[0] {
    const { lanes } = this.connection;
    return {
      type: 'kv',
      name: lanes.name,
      config: lanes.config,
      counts: lanes.counts,
      acquire: (options) => lanes.acquire(options),
      holding: (work) => lanes.holding(work),
      ...(this.#transactions === undefined ? {} : { transactions: this.#transactions }),
    };
  }

  get native(): KvNative {
    return this.connection.engine.native?.(this.connection.lanes) as KvNative;
  }

  /** Moves the wall clock. */
  pass(ms: number): void {
    this.#wall.ms += ms;
  }

  async reopened(): Promise<KvFixture> {
    await this[Symbol.asyncDispose]();
    return this.#reopen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { inUse } = this.connection.lanes.counts;
    // The database would close what is left, and those who leave things to it would not be found out.
    const left = CountingLevel.open.size;
    CountingLevel.open.clear();
    await this.connection.close();
    if (inUse > 0) throw new Error(`${inUse} connections were not given back`);
    if (left > 0) throw new Error(`${left} iterators and snapshots were not closed`);
  }
}

/** A folder for databases, deleted at the end. */
export class TemporaryFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'dbm-kv-'));
  #names = 0;

  newPath(): string {
    return join(this.path, String(this.#names++));
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

/** LevelDB, each database in a folder of its own in `folder`. */
export function levelHome(folder: TemporaryFolder): StoreHome {
  return {
    describe,
    open: (options) => KvFixture.open({ filepath: folder.newPath(), ...options }),
  };
}

/** Everything an iteration gives. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** Resolves when the condition holds; the test's own time limit ends the waiting. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}

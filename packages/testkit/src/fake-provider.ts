import {
  type Clock,
  type ConnectionConfig,
  DbManagerError,
  defineOptions,
  type Engine,
  type LeaseSource,
  type OptionsOf,
  type Provider,
  type ProviderContext,
  type SqlEngine,
} from '@dbmanager/core';
import type { FakeConnection } from './fake-connection.js';
import { FakeDatabase } from './fake-database.js';
import { FakeSession } from './fake-session.js';

/** The keys of a `type: fake` connection. */
export const FAKE_OPTIONS = defineOptions({
  database: {
    kind: 'string',
    description: 'Name of the fake database; by default that of the connection.',
  },
  password: { kind: 'secret', description: 'Handed to the fake database, which may want it.' },
});

/** Resolved options of a `type: fake` connection. */
export type FakeOptions = OptionsOf<typeof FAKE_OPTIONS>;

/** What a {@link FakeProvider} is and can do. */
export interface FakeProviderSetup {
  /** Default `fake`. */
  readonly type?: string;
  /** False: `open` fails as if the driver's package were missing. */
  readonly driverInstalled?: boolean;
  /** False: its engines are no SQL databases. */
  readonly sql?: boolean;
  /** Caps the main lane. */
  readonly maxOpen?: number;
  /** True: its engines have a read lane. */
  readonly readers?: boolean;
}

/** The native handle of a fake engine: runs work on a borrowed connection. */
export interface FakeNative {
  /** Lends a connection to `work`. Rejects with `DBM_CLOSED` after `end`. */
  use<T>(work: (connection: FakeConnection) => T | Promise<T>): Promise<T>;
  /** Only detaches. */
  end(): Promise<void>;
}

/**
 * A provider without a database, for tests of whatever stands on providers. Each instance has its own databases, made
 * as they are first named and ruled by the test: `provider.database('primary').goDown()`.
 */
export class FakeProvider implements Provider<FakeConnection, FakeOptions> {
  readonly type: string;
  readonly options = FAKE_OPTIONS;
  readonly #setup: FakeProviderSetup;
  readonly #databases = new Map<string, FakeDatabase>();

  constructor(setup: FakeProviderSetup = {}) {
    this.type = setup.type ?? 'fake';
    this.#setup = setup;
  }

  /** The database of that name; by default a connection's database has the connection's name. */
  database(name: string): FakeDatabase {
    const database = this.#databases.get(name) ?? new FakeDatabase();
    this.#databases.set(name, database);
    return database;
  }

  /** All databases so far. */
  get databases(): readonly FakeDatabase[] {
    return [...this.#databases.values()];
  }

  /** Throws unless everything made was destroyed once and nothing was used wrongly. */
  assertSettled(): void {
    for (const database of this.databases) database.assertSettled();
  }

  async open(connection: ConnectionConfig<FakeOptions>, context: ProviderContext): Promise<Engine<FakeConnection>> {
    if (this.#setup.driverInstalled === false) {
      throw new DbManagerError('DBM_PACKAGE_NOT_INSTALLED', 'type fake needs the package "fake-driver"', {
        connectionName: connection.name,
      });
    }
    return this.#engine(this.database(connection.options.database ?? connection.name), connection, context);
  }

  async adopt(
    handle: unknown,
    connection: ConnectionConfig<FakeOptions>,
    context: ProviderContext,
  ): Promise<Engine<FakeConnection>> {
    if (!(handle instanceof FakeDatabase)) {
      throw new DbManagerError('DBM_INVALID_OPTION', 'only a FakeDatabase can be adopted', {
        connectionName: connection.name,
      });
    }
    return this.#engine(handle, connection, context);
  }

  #engine(
    database: FakeDatabase,
    { name, options }: ConnectionConfig<FakeOptions>,
    { clock }: ProviderContext,
  ): Engine<FakeConnection> {
    const { sql = true, readers = false, maxOpen } = this.#setup;
    database.clock = clock;
    const access = { connectionName: name, password: options.password?.reveal() };
    return {
      factory: database.factory(access),
      ...(maxOpen === undefined ? {} : { maxOpen }),
      ...(readers ? { readers: database.factory({ ...access, lane: 'read' }) } : {}),
      identity: { system: 'fake', namespace: options.database ?? name },
      ...(sql ? { sql: sqlEngine(clock) } : {}),
      native: fakeNative,
    };
  }
}

function sqlEngine(clock: Clock): SqlEngine<FakeConnection> {
  return {
    placeholders: 'question-mark',
    quoteIdentifier: (name) => `"${name.replaceAll('"', '""')}"`,
    session: (source) => new FakeSession(source, clock),
  };
}

function fakeNative(source: LeaseSource<FakeConnection>): FakeNative {
  let ended = false;
  return {
    async use(work) {
      if (ended) throw new DbManagerError('DBM_CLOSED', 'the handle has been ended', { connectionName: source.name });
      await using lease = await source.acquire();
      return await work(lease.connection);
    },
    async end() {
      ended = true;
    },
  };
}

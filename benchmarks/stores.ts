/**
 * What stores do per second: a hit of a rate limit, on many keys and on one that all fight for, and a session loaded and saved. Against the
 * shortest statement of the Database API on the same pool, which shows what the connection alone allows.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sharedMariadb, sharedMssql, sharedPostgres } from '@dbmanager/testkit';
import { type Connection, ConnectionManager } from 'dbmanager';
import { type Comparison, main, type Subject } from './harness.ts';
import { throughput } from './support/throughput.ts';
import { wantedEngines } from './support/wanted-engines.ts';

const CALLERS = 32;
const CONNECTIONS = 10;
const KEYS = 1_000;
/** More than is ever counted here: no hit is refused. */
const LIMIT = 1_000_000_000;

/** A server, or a file, with a database of one run. */
interface Place {
  /** The connection as the manager takes it. */
  readonly config: {
    readonly type: string;
    readonly dsn?: string;
    readonly filepath?: string;
    readonly sslmode?: string;
  };
  drop(): Promise<unknown>;
}

/** An engine that is measured. */
interface MeasuredEngine {
  readonly name: string;
  readonly title: string;
  /** Of one round. */
  readonly operations: number;
  place(): Promise<Place>;
}

const SQLITE: MeasuredEngine = {
  name: 'sqlite',
  title: 'SQLite',
  operations: 5_000,
  async place() {
    const folder = mkdtempSync(join(tmpdir(), 'dbm-bench-'));
    return {
      config: { type: 'sqlite', filepath: join(folder, 'stores.db') },
      drop: async () => rmSync(folder, { recursive: true }),
    };
  },
};

const POSTGRES: MeasuredEngine = {
  name: 'postgres',
  title: 'PostgreSQL',
  operations: 5_000,
  async place() {
    const server = await sharedPostgres();
    const database = await server.createDatabase();
    return {
      config: { type: 'postgres', dsn: server.url(database) },
      drop: () => server.dropDatabase(database),
    };
  },
};

const MARIADB: MeasuredEngine = {
  name: 'mariadb',
  title: 'MariaDB',
  operations: 5_000,
  async place() {
    const server = await sharedMariadb();
    const database = await server.createDatabase();
    return { config: { type: 'mariadb', dsn: server.url(database) }, drop: () => server.dropDatabase(database) };
  },
};

const MSSQL: MeasuredEngine = {
  name: 'mssql',
  title: 'SQL Server, or its stand-in (which says nothing of SQL Server)',
  operations: 300,
  async place() {
    const server = await sharedMssql();
    const database = await server.createDatabase();
    return {
      config: { type: 'mssql', dsn: server.url(database), sslmode: 'disable' },
      drop: () => server.dropDatabase(database),
    };
  },
};

const STATEMENT = 'select 1';

/** What is measured, by name; each gives the call to repeat. */
const OPERATIONS: Readonly<Record<string, (connection: Connection) => () => Promise<unknown>>> = {
  [STATEMENT](connection) {
    const database = connection.database();
    return () => database.query('select 1 as one');
  },
  'consume, 1,000 keys'(connection) {
    const { rateLimits } = connection.stores();
    let call = 0;
    return () => rateLimits.consume(`key-${call++ % KEYS}`, LIMIT, '1h');
  },
  'consume, one key'(connection) {
    const { rateLimits } = connection.stores();
    return () => rateLimits.consume('shared', LIMIT, '1h');
  },
  'consume, refused'(connection) {
    const { rateLimits } = connection.stores();
    return () => rateLimits.consume('shared', 1, '1h');
  },
  'session, load'(connection) {
    const { sessions } = connection.stores();
    let call = 0;
    return () => sessions.load(`session-${call++ % KEYS}`);
  },
  'session, save'(connection) {
    const { sessions } = connection.stores();
    let call = 0;
    return () => sessions.save(sessionOf(call++ % KEYS));
  },
};

function sessionOf(n: number) {
  const data = { user: n, cart: Array.from({ length: 10 }, (_, item) => ({ item, count: 1 })) };
  return { id: `session-${n}`, userId: `user-${n}`, data, expiresAt: new Date(Date.now() + 3_600_000) };
}

/** One database for all subjects: opened by the first, closed by the last. */
class SharedPlace {
  readonly #engine: MeasuredEngine;
  #opened: Promise<{ readonly manager: ConnectionManager; readonly place: Place }> | undefined;
  #users = 0;

  constructor(engine: MeasuredEngine) {
    this.#engine = engine;
  }

  async connection(): Promise<Connection> {
    this.#users++;
    this.#opened ??= this.#open();
    const { manager } = await this.#opened;
    return manager.get('primary');
  }

  async leave(): Promise<void> {
    if (--this.#users > 0 || this.#opened === undefined) return;
    const { manager, place } = await this.#opened;
    await manager.close();
    await place.drop();
  }

  async #open() {
    const place = await this.#engine.place();
    const connections = { primary: { ...place.config, max_open_conns: CONNECTIONS } };
    const manager = ConnectionManager.from({ connections });
    await manager.connect();
    const stores = manager.get('primary').stores();
    await stores.createTables();
    for (let n = 0; n < KEYS; n++) await stores.sessions.save(sessionOf(n));
    return { manager, place };
  }
}

function comparisonOn(engine: MeasuredEngine): Comparison {
  const shared = new SharedPlace(engine);
  const subjects = Object.entries(OPERATIONS).map(([name, operation]): Subject => {
    let work: (() => Promise<unknown>) | undefined;
    return {
      name,
      async start() {
        work = operation(await shared.connection());
      },
      async round() {
        if (work === undefined) throw new Error('a round before its start');
        return throughput([work], engine.operations, CALLERS);
      },
      stop: () => shared.leave(),
    };
  });
  return { title: `Stores on ${engine.title}`, unit: 'op/s', better: 'higher', against: STATEMENT, subjects };
}

await main(wantedEngines([SQLITE, POSTGRES, MARIADB, MSSQL]).map(comparisonOn));

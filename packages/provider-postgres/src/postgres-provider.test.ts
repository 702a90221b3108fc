import { Secret } from '@dbmanager/core';
import {
  describeWithCockroachdb,
  describeWithPgbouncer,
  describeWithPostgres,
  FaultProxy,
  type PgbouncerEndpoint,
  type PostgresEndpoint,
  runProviderSuite,
  type SuiteHooks,
} from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { cockroachdbProvider } from './cockroachdb-provider.js';
import type { PgClient, PgPool } from './pg-driver.js';
import { type PgProvider, postgresProvider } from './postgres-provider.js';
import type { TargetOptions } from './postgres-target.js';

/** One way to a server. */
interface SuiteOf<O extends TargetOptions> {
  readonly name: string;
  readonly provider: PgProvider<O>;
  /** The PostgreSQL at the end of the way. */
  readonly postgres: () => PostgresEndpoint;
  /** Where connections go. */
  readonly place: () => PostgresEndpoint | PgbouncerEndpoint;
  /** Further options of every connection. */
  readonly options?: object;
  readonly hooks: (database: () => string, through: () => FaultProxy) => SuiteHooks<PgClient, O>;
}

function providerSuite<O extends TargetOptions>(suite: SuiteOf<O>): void {
  const { postgres, place } = suite;
  /** Of this suite alone: its connections are counted. */
  let database: string;
  const proxies: FaultProxy[] = [];
  /** Every connection of the suite runs through it, so that it can be cut at a moment of the test's choice. */
  let through: FaultProxy;

  const options = (over: object = {}) => {
    const { password, ...rest } = place().connection(database);
    return { ...rest, ...suite.options, password: new Secret(password), ...over } as object;
  };
  const proxy = async () => {
    const made = await FaultProxy.start(place());
    proxies.push(made);
    return made;
  };

  beforeAll(async () => {
    database = await postgres().createDatabase();
    through = await FaultProxy.start(place());
  });
  afterAll(async () => {
    through.close();
    await postgres().dropDatabase(database);
  });
  afterEach(() => {
    for (const made of proxies.splice(0)) made.close();
  });

  runProviderSuite<PgClient, O>({
    name: suite.name,
    provider: suite.provider,
    connection: () => options({ host: through.host, port: through.port }),
    capabilities: { sql: true, cancel: true, savepoints: true, native: true },
    values: [
      { statement: { sql: 'SELECT $1::int AS value', params: [42] }, value: 42 },
      { statement: { sql: 'SELECT $1::bool AS value', params: [true] }, value: true },
      { statement: { sql: 'SELECT $1::float8 AS value', params: [0.1] }, value: 0.1 },
      { statement: { sql: `SELECT '9007199254740993'::int8 AS value` }, value: '9007199254740993' },
      {
        statement: { sql: 'SELECT $1::bytea AS value', params: [Buffer.from([0, 255, 7])] },
        value: Buffer.from([0, 255, 7]),
      },
      { statement: { sql: 'SELECT $1::jsonb AS value', params: [{ a: [1, null] }] }, value: { a: [1, null] } },
      {
        statement: { sql: 'SELECT $1::timestamptz AS value', params: [new Date('2024-02-29T12:00:00.123Z')] },
        value: new Date('2024-02-29T12:00:00.123Z'),
      },
      {
        statement: { sql: 'SELECT $1::text[] AS value', params: [['a,b', `c"d'`, null]] },
        value: ['a,b', `c"d'`, null],
      },
    ],
    hooks: {
      unreachable: () => options({ host: '127.0.0.1', port: 1 }),
      async silent() {
        const silent = await proxy();
        silent.silent = true;
        return options({ host: silent.host, port: silent.port });
      },
      wrongPassword: () => ({
        options: options({ password: new Secret('not-the-password') }),
        password: 'not-the-password',
      }),
      async withPassword(password) {
        const role = `hostile_${suite.name.replaceAll(/\W/g, '')}`;
        await postgres().query(`DROP ROLE IF EXISTS ${role}`);
        await postgres().query(`CREATE ROLE ${role} LOGIN PASSWORD '${password.replaceAll("'", "''")}'`);
        return options({ user: role, password: new Secret(password) });
      },
      dieInNextCommit() {
        // The COMMIT reaches the server; its answer does not come back.
        through.toClient.cutAfterBytes = 0;
      },
      assertSettled: () => through.untilLive(0),
      endless: (work) => work({ sql: 'SELECT pg_sleep(60)' }),
      async useNative(handle) {
        const pool = handle as PgPool;
        await pool.query('SELECT 1');
        await pool.end();
        const late = await pool.query('SELECT 1').then(
          () => undefined,
          (error: unknown) => error,
        );
        if (late === undefined) throw new Error('the handle works after its end');
      },
      async adoptable() {
        const { default: pg } = await import('pg');
        const handle = new pg.Pool({ connectionString: place().url(), max: 3 });
        return { handle, check: async () => void (await handle.query('SELECT 1')), dispose: () => handle.end() };
      },
      ...suite.hooks(
        () => database,
        () => through,
      ),
    },
  });
}

describeWithPostgres('PostgreSQL', (postgres) => {
  providerSuite({
    name: 'postgres',
    provider: postgresProvider,
    postgres,
    place: postgres,
    hooks: (database) => ({
      async kill(client) {
        await postgres().query('SELECT pg_terminate_backend($1, 5000)', [client.processID]);
      },
      async openConnections() {
        return (await postgres().backends(database())).length;
      },
    }),
  });
});

describeWithCockroachdb('the type cockroachdb', (server) => {
  providerSuite({
    name: 'cockroachdb',
    provider: cockroachdbProvider,
    postgres: server,
    place: server,
    hooks: (_, through) => ({
      async kill(client) {
        const ended = new Promise<void>((resolve) => client.once('end', resolve));
        through().cut('reset');
        await ended;
      },
      openConnections: async () => through().live,
    }),
  });
});

describeWithPostgres('PostgreSQL behind PgBouncer', (postgres) => {
  describeWithPgbouncer('that pools transactions', (pgbouncer) => {
    providerSuite({
      name: 'postgres, pooled',
      provider: postgresProvider,
      postgres,
      place: pgbouncer,
      options: { pooler: 'transaction' },
      hooks: (database) => ({
        kill: () => pgbouncer().endConnections(database()),
        openConnections: () => pgbouncer().clients(database()),
      }),
    });
  });
});

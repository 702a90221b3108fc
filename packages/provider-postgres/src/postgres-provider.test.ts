import { Secret } from '@dbmanager/core';
import { describeWithPostgres, FaultProxy, runProviderSuite } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import type { PgPool } from './pg-driver.js';
import { postgresProvider } from './postgres-provider.js';

describeWithPostgres('PostgreSQL', (postgres) => {
  /** Of this file alone: its connections are counted. */
  let database: string;
  const proxies: FaultProxy[] = [];
  /** Every connection of the suite runs through it, so that it can be cut at a moment of the test's choice. */
  let through: FaultProxy;

  const options = (over: object = {}) => {
    const { password, ...rest } = postgres().connection(database);
    return { ...rest, password: new Secret(password), ...over };
  };
  const proxy = async () => {
    const made = await FaultProxy.start(postgres());
    proxies.push(made);
    return made;
  };

  beforeAll(async () => {
    database = await postgres().createDatabase();
    through = await FaultProxy.start(postgres());
  });
  afterAll(async () => {
    through.close();
    await postgres().dropDatabase(database);
  });
  afterEach(() => {
    for (const made of proxies.splice(0)) made.close();
  });

  runProviderSuite({
    name: 'postgres',
    provider: postgresProvider,
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
        await postgres().query(`DROP ROLE IF EXISTS hostile`);
        await postgres().query(`CREATE ROLE hostile LOGIN PASSWORD '${password.replaceAll("'", "''")}'`);
        return options({ user: 'hostile', password: new Secret(password) });
      },
      async kill(client) {
        await postgres().query('SELECT pg_terminate_backend($1, 5000)', [client.processID]);
      },
      async openConnections() {
        return (await postgres().backends(database)).length;
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
        const handle = new pg.Pool({ connectionString: postgres().url(), max: 3 });
        return { handle, check: async () => void (await handle.query('SELECT 1')), dispose: () => handle.end() };
      },
    },
  });
});

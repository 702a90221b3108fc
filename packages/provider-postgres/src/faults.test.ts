import { type DbManagerError, type PoolEvents, Secret } from '@dbmanager/core';
import {
  describeWithPostgres,
  PostgresEndpoint,
  PostgresServer,
  runFaultSuite,
  type TestConnection,
} from '@dbmanager/testkit';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import pg from 'pg';
import type { PgClient, PgPool } from './pg-driver.js';
import type { PostgresOptions } from './postgres-options.js';
import { postgresProvider } from './postgres-provider.js';

/** The fault scenarios, on a real server behind a proxy that fails as networks do. */
describeWithPostgres('PostgreSQL under faults', (postgres) => {
  const bench = runFaultSuite<PgClient, PostgresOptions>({
    provider: postgresProvider,
    server: () => ({
      host: postgres().host,
      port: postgres().port,
      createDatabase: () => postgres().createDatabase(),
      dropDatabase: (name) => postgres().dropDatabase(name),
      async connections(database) {
        return (await postgres().backends(database)).map(({ state }) => ({ active: state === 'active' }));
      },
      end: (database, which) => postgres().terminateBackends(database, which),
    }),
    options: (place, database) => ({
      ...place,
      user: postgres().user,
      password: new Secret(postgres().password),
      database,
      sslmode: 'disable',
    }),
    async ownServer() {
      const server = await PostgresServer.start();
      return {
        place: { host: server.host, port: server.port },
        options: { password: new Secret(server.password), database: 'postgres' },
        stop: () => server.stop('fast'),
        start: () => server.start(),
        close: () => server.close(),
      };
    },
    sleeping: (seconds) => `SELECT pg_sleep(${seconds})`,
    series: (count, width) => `SELECT n, repeat('x', ${width}) AS text FROM generate_series(1, ${count}) AS n`,
    runner: { it, beforeEach, afterEach },
  });
  const native = (connection: TestConnection<PgClient>) => connection.engine.native?.(connection.lanes) as PgPool;
  const next = <E extends keyof PoolEvents>(
    connection: TestConnection<PgClient>,
    event: E,
    fits: (payload: PoolEvents[E]) => boolean = () => true,
  ) =>
    new Promise<PoolEvents[E]>((resolve) => {
      connection.lanes.on(event, (payload) => fits(payload) && resolve(payload));
    });
  /** The driver's error that a query of the native handle rejects with. */
  const rejection = (work: Promise<unknown>) =>
    work.then(
      () => Promise.reject(new Error('it did not fail')),
      (error: Error) => error,
    );

  it('5, 8: the native handle tells of a lost connection in the words of the driver', async () => {
    const connection = await bench.open({ maxOpenConns: 2 });
    const client = await native(connection).connect();
    const query = rejection(client.query('SELECT pg_sleep(60)'));
    while ((await postgres().terminateBackends(bench.database, 'active')) === 0);
    expect(await query).toMatchObject({ code: '57P01' });
    client.release();
    const observed = await native(connection).connect();
    const told = new Promise((resolve) => observed.on('error', resolve));
    await postgres().terminateBackends(bench.database);
    expect(await told).toMatchObject({ code: '57P01' });
    observed.release();
    await Promise.all(Array.from({ length: 10 }, () => native(connection).query('SELECT 1')));
    Object.assign(bench.proxy.toClient, { cutBy: 'reset', cutAfterBytes: 0 });
    const cut = await rejection(native(connection).query('SELECT 1'));
    expect(cut.message).toMatch(/ECONNRESET|Connection terminated/);
    await rejection(native(connection).query('SELEKT'));
    expect((await native(connection).query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    expect(connection.lanes.stats()).toMatchObject({ inUse: 0, pending: 0, dirtyReleases: 0 });
  });

  it('10: too many clients is retried inside the deadline', async () => {
    const settings = { max_connections: 3, superuser_reserved_connections: 0, reserved_connections: 0 };
    const server = bench.keep(await PostgresServer.start({ settings }));
    const clients = Array.from({ length: 3 }, () => new pg.Client({ connectionString: server.url() }));
    for (const client of clients) await client.connect();
    const { host, port, password } = server;
    const connection = await bench.open({ host, port, password: new Secret(password), database: 'postgres' });
    const refused = next(connection, 'createFailed');
    const acquire = connection.lanes.acquire();
    expect((await refused).error).toMatchObject({ code: 'DBM_TOO_MANY_CONNECTIONS', retryable: true });
    await clients.pop()?.end();
    (await acquire).release();
    for (const client of clients) await client.end();
  });

  it('10: a server that is shutting down and starting up is waited for inside the deadline', async () => {
    const server = bench.keep(await PostgresServer.start());
    const guest = new pg.Client({ connectionString: server.url() });
    await guest.connect();
    const { host, port, password } = server;
    const connection = await bench.open({ host, port, password: new Secret(password), database: 'postgres' });
    // As long as the guest stays, the server answers newcomers that it is shutting down.
    const stopped = server.stop('smart');
    const refused = next(
      connection,
      'createFailed',
      ({ error }) => (error as DbManagerError).code === 'DBM_SERVER_STARTING',
    );
    const acquire = connection.lanes.acquire();
    expect((await refused).error).toMatchObject({ retryable: true, cause: { code: '57P03' } });
    await guest.end();
    await stopped;
    await server.start();
    (await acquire).release();
  });

  it('11: the primary turns read-only: only the first write fails, the others go to the new primary', async () => {
    const { password } = postgres();
    const former = bench.keep(await PostgresServer.start({ password }));
    const admin = new PostgresEndpoint(former.url());
    await admin.createDatabase(bench.database);
    for (const server of [admin, postgres()]) await server.query('CREATE TABLE written (n int)', [], bench.database);
    const connection = await bench.open({
      host: `${former.host}:${former.port},${postgres().host}:${postgres().port}`,
      targetSessionAttrs: 'read-write',
      maxOpenConns: 4,
      maxIdleConns: 4,
      // On a busy machine validations take so long that the pool makes new connections beside them, to the new primary.
      validateAfterMs: 60_000,
    });
    await bench.warm(connection, 4);
    await admin.query(`ALTER SYSTEM SET default_transaction_read_only = on`);
    await admin.query('SELECT pg_reload_conf()');
    const codes: string[] = [];
    let refused = false;
    for (let n = 0; n < 20 || !refused; n++) {
      // The server takes up its new settings in its own time: writes before that are no failures.
      await bench.run(connection, `INSERT INTO written VALUES (${n})`).catch((error: DbManagerError) => {
        refused = true;
        codes.push(error.code);
      });
    }
    for (let n = 0; n < 10; n++) await bench.run(connection, `INSERT INTO written VALUES (${n})`);
    expect(codes).toEqual(['DBM_READ_ONLY']);
    const [row] = await postgres().query('SELECT count(*)::int AS count FROM written', [], bench.database);
    expect(row?.count).toBeGreaterThanOrEqual(10);
    expect(connection.lanes.stats().closedBy.failover).toBe(4);
  });

  it('17: BEGIN, then release: the next borrower is in no transaction', async () => {
    const connection = await bench.open({ maxOpenConns: 1 });
    const pool = native(connection);
    const client = await pool.connect();
    await client.query('BEGIN; CREATE TABLE undone (n int)');
    client.release();
    const { rows } = await pool.query(
      `SELECT to_regclass('undone') AS found, pg_current_xact_id_if_assigned() AS xact`,
    );
    expect(rows).toEqual([{ found: null, xact: null }]);
    expect(connection.lanes.stats()).toMatchObject({ created: 1, dirtyReleases: 1 });
  });
});

import { isDbManagerError, Secret } from '@dbmanager/core';
import { type PgClient, type PostgresOptions, postgresProvider } from '@dbmanager/provider-postgres';
import {
  describeWithPgbouncer,
  describeWithPostgres,
  failure,
  PgbouncerServer,
  PostgresServer,
  runFaultSuite,
} from '@dbmanager/testkit';
import { afterEach, beforeEach, expect, it } from '@jest/globals';

/** The fault scenarios on a pooler of transactions: the network that fails is the one before it, what is killed it or what is behind it. */
describeWithPostgres('PgBouncer under faults', (postgres) => {
  describeWithPgbouncer('that pools transactions', (pgbouncer) => {
    const bench = runFaultSuite<PgClient, PostgresOptions>({
      provider: postgresProvider,
      server: () => ({
        host: pgbouncer().host,
        port: pgbouncer().port,
        createDatabase: () => postgres().createDatabase(),
        dropDatabase: (name) => postgres().dropDatabase(name),
        async connections(database) {
          const clients = await pgbouncer().command('SHOW CLIENTS');
          // One at work is linked to a connection of the server.
          return clients.filter((each) => each.database === database).map(({ link }) => ({ active: link !== '' }));
        },
        async end(database, which) {
          // The server's connection at work takes its client with it.
          if (which !== undefined) return postgres().terminateBackends(database, which);
          const clients = await pgbouncer().clients(database);
          await pgbouncer().endConnections(database);
          return clients;
        },
      }),
      options: (place, database) => ({
        ...place,
        user: pgbouncer().user,
        password: new Secret(pgbouncer().password),
        database,
        sslmode: 'disable',
        pooler: 'transaction',
      }),
      async ownServer() {
        const pooler = await PgbouncerServer.start(postgres());
        return {
          place: { host: pooler.host, port: pooler.port },
          options: {},
          stop: () => pooler.stop(),
          start: () => pooler.start(),
          close: () => pooler.close(),
        };
      },
      sleeping: (seconds) => `SELECT pg_sleep(${seconds})`,
      series: (count, width) => `SELECT n, repeat('x', ${width}) AS text FROM generate_series(1, ${count}) AS n`,
      takesLoginsWhole: true,
      runner: { it, beforeEach, afterEach },
    });

    it('9: PostgreSQL stopped behind it: typed errors while it is away, and all is well when it is back', async () => {
      const server = bench.keep(await PostgresServer.start());
      // As soon as PostgreSQL is back; by default it looks again every 15 s.
      const pooler = bench.keep(await PgbouncerServer.start(server, { settings: { server_login_retry: 1 } }));
      const connection = await bench.open({
        host: pooler.host,
        port: pooler.port,
        password: new Secret(server.password),
        database: 'postgres',
        maxOpenConns: 4,
        acquireTimeoutMs: 500,
        queryTimeoutMs: 500,
      });
      const errors: unknown[] = [];
      /** How many of four at once were answered. */
      const ask = async () => {
        const asked = await Promise.allSettled(Array.from({ length: 4 }, () => bench.run(connection, 'SELECT 1')));
        for (const each of asked) if (each.status === 'rejected') errors.push(each.reason);
        return asked.filter(({ status }) => status === 'fulfilled').length;
      };
      await ask();
      await server.stop('fast');
      while (errors.length < 12) await ask();
      await server.start();
      while ((await ask()) < 4);
      const codes = ['DBM_CONNECTION_LOST', 'DBM_ACQUIRE_TIMEOUT', 'DBM_QUERY_TIMEOUT'] as const;
      for (const error of errors) {
        expect(codes.some((code) => isDbManagerError(error, code))).toBe(true);
        expect(error).toMatchObject({ connectionName: 'test' });
      }
      expect(connection.lanes.stats()).toMatchObject({ inUse: 0, pending: 0 });
    });

    it('10: too many clients is retried inside the deadline', async () => {
      const pooler = bench.keep(await PgbouncerServer.start(postgres(), { settings: { max_client_conn: 2 } }));
      const place = { host: pooler.host, port: pooler.port };
      const guests = await bench.open({ ...place, maxOpenConns: 2 });
      const held = [await guests.lanes.acquire(), await guests.lanes.acquire()];
      const connection = await bench.open(place);
      const refused = new Promise<unknown>((resolve) => {
        connection.lanes.on('createFailed', ({ error }) => resolve(error));
      });
      const acquire = connection.lanes.acquire();
      expect(await refused).toMatchObject({ code: 'DBM_TOO_MANY_CONNECTIONS', retryable: true });
      held[0]?.discard(new Error('the guest leaves'));
      (await acquire).release();
      held[1]?.release();
    });

    it('20: the server dies in COMMIT behind the pooler: unknown', async () => {
      const connection = await bench.open({ maxOpenConns: 1 });
      await bench.run(connection, 'CREATE TABLE written (n int)');
      await bench.run(
        connection,
        `CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$`,
      );
      await bench.run(
        connection,
        `CREATE CONSTRAINT TRIGGER dies AFTER INSERT ON written DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION die()`,
      );
      const session = bench.session(connection);
      await session.begin();
      await session.query({ sql: 'INSERT INTO written VALUES (1)' });
      session.release(await failure(session.commit(), 'DBM_COMMIT_UNKNOWN'));
      await expect(bench.run(connection, 'SELECT n FROM written')).resolves.toEqual([]);
    });
  });
});

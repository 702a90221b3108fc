import { type DbManagerError, Secret } from '@dbmanager/core';
import {
  describeWithMssql,
  failure,
  MSSQL_DEADLOCK,
  MssqlEndpoint,
  MssqlStandIn,
  runFaultSuite,
} from '@dbmanager/testkit';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { MssqlConnection } from './mssql-connection.js';
import type { MssqlPool } from './mssql-driver.js';
import type { MssqlOptions } from './mssql-options.js';
import { mssqlProvider } from './mssql-provider.js';

/** The fault scenarios, on a server behind a proxy that fails as networks do. */
describeWithMssql('SQL Server under faults', (mssql) => {
  const bench = runFaultSuite<MssqlConnection, MssqlOptions>({
    provider: mssqlProvider,
    server: () => ({
      host: mssql().host,
      port: mssql().port,
      createDatabase: () => mssql().createDatabase(),
      dropDatabase: (name) => mssql().dropDatabase(name),
      async connections(database) {
        return (await mssql().sessions(database)).map(({ status }) => ({ active: status === 'running' }));
      },
      end: (database, which) => mssql().killAll(database, which && 'running'),
    }),
    options: (place, database) => ({
      ...place,
      user: mssql().user,
      password: new Secret(mssql().password),
      database,
      sslmode: 'disable',
    }),
    async ownServer() {
      const server = await MssqlStandIn.start();
      return {
        place: { host: server.host, port: server.port },
        options: { user: server.user, password: new Secret(server.password), database: 'master' },
        stop: () => server.stop('fast'),
        start: () => server.start(),
        close: () => server.close(),
      };
    },
    sleeping: (seconds) => `WAITFOR DELAY '00:00:${seconds.toFixed(3).padStart(6, '0')}'`,
    series: (count, width) =>
      `WITH s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < ${count})
       SELECT n, REPLICATE('x', ${width}) AS text FROM s OPTION (MAXRECURSION 0)`,
    runner: { it, beforeEach, afterEach },
  });

  it('5: a connection ended by the server while it is lent but idle: the process lives, the pool refills', async () => {
    const connection = await bench.open({ maxOpenConns: 1 });
    const pool = connection.engine.native?.(connection.lanes) as MssqlPool;
    const lent = pool.transaction();
    await lent.begin();
    await mssql().killAll(bench.database);
    await expect(lent.request().query('SELECT 1 AS one')).rejects.toMatchObject({ name: 'RequestError' });
    await expect(lent.rollback()).rejects.toBeDefined();
    expect((await pool.query('SELECT 1 AS one')).recordset).toEqual([{ one: 1 }]);
  });

  it('9: the server killed and started again: what was idle is replaced', async () => {
    const server = bench.keep(await MssqlStandIn.start());
    const { host, port, user, password } = server;
    const place = { host, port, user, password: new Secret(password), database: 'master' };
    const connection = await bench.open({ ...place, maxOpenConns: 4, maxIdleConns: 4 });
    await bench.warm(connection, 4);
    await server.restart('immediate');
    expect(await bench.run(connection, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('11: the primary turns read-only: only the first write fails, the others go to the new primary', async () => {
    const former = bench.keep(await MssqlStandIn.start({ password: mssql().password }));
    const admin = new MssqlEndpoint(former.url());
    await admin.createDatabase(bench.database);
    for (const server of [admin, mssql()]) await server.query('CREATE TABLE written (n int)', bench.database);
    await admin.setReadOnly(bench.database, true);
    bench.proxy.retarget(former);
    const login = { user: former.user, password: new Secret(former.password) };
    // On a busy machine validations take so long that the pool makes new connections beside them, to the new primary.
    const limits = { maxOpenConns: 4, maxIdleConns: 4, validateAfterMs: 60_000 };
    const connection = await bench.open({ ...login, ...limits });
    await bench.warm(connection, 4);
    bench.proxy.retarget(mssql());
    const errors: DbManagerError[] = [];
    for (let n = 0; n < 20; n++) {
      await bench.run(connection, `INSERT INTO written VALUES (${n})`).catch((error) => errors.push(error));
    }
    expect(errors).toEqual([
      expect.objectContaining({ code: 'DBM_READ_ONLY', cause: expect.objectContaining({ number: 3906 }) }),
    ]);
    const [row] = await mssql().query('SELECT COUNT(*) AS n FROM written', bench.database);
    expect(row?.n).toBe(19);
    expect(connection.lanes.stats().closedBy.failover).toBe(4);
  });

  it('11: so it does for the pool of node-mssql that the native handle is', async () => {
    const name = await mssql().createDatabase();
    bench.keep({ close: () => mssql().dropDatabase(name) });
    await mssql().query('CREATE TABLE written (n int)', name);
    await mssql().setReadOnly(name, true);
    const connection = await bench.open({ database: name, maxOpenConns: 2, maxIdleConns: 2, validateAfterMs: 60_000 });
    await bench.warm(connection, 2);
    const pool = connection.engine.native?.(connection.lanes) as MssqlPool;
    await expect(pool.query('INSERT INTO written VALUES (1)')).rejects.toMatchObject({ number: 3906 });
    await pool.query('SELECT 1 AS one');
    expect(connection.lanes.stats().closedBy.failover).toBe(2);
  });

  it('15: the victim of a deadlock may repeat its transaction', async () => {
    const connection = await bench.open({ maxOpenConns: 1 });
    const session = bench.session(connection);
    await session.begin();
    const error = await failure(session.query({ sql: MSSQL_DEADLOCK }), 'DBM_DEADLOCK');
    expect(error).toMatchObject({ retryable: true, cause: { number: 1205 } });
    expect(connection.engine.sql?.conflict?.(error)).toBe('deadlock');
    expect(session.inTransaction).toBe(false);
    session.release();
  });
});

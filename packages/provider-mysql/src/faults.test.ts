import { type DbManagerError, Secret } from '@dbmanager/core';
import { describeWithMariadb, MariadbEndpoint, MariadbServer, runFaultSuite } from '@dbmanager/testkit';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import mysql from 'mysql2/promise';
import type { MysqlConnection, MysqlPool } from './mysql-driver.js';
import type { MysqlOptions } from './mysql-options.js';
import { mariadbProvider } from './mysql-provider.js';

/** The fault scenarios, on a real server behind a proxy that fails as networks do. */
describeWithMariadb('MariaDB under faults', (mariadb) => {
  const bench = runFaultSuite<MysqlConnection, MysqlOptions>({
    provider: mariadbProvider,
    server: () => ({
      host: mariadb().host,
      port: mariadb().port,
      createDatabase: () => mariadb().createDatabase(),
      dropDatabase: (name) => mariadb().dropDatabase(name),
      async connections(database) {
        return (await mariadb().threads(database)).map(({ command }) => ({ active: command === 'Query' }));
      },
      end: (database, which) => mariadb().killAll(database, which && 'Query'),
    }),
    options: (place, database) => ({
      ...place,
      user: mariadb().user,
      password: new Secret(mariadb().password),
      database,
      sslmode: 'disable',
    }),
    async ownServer() {
      const server = await MariadbServer.start();
      return {
        place: { host: server.host, port: server.port },
        options: { user: server.user, password: new Secret(server.password), database: 'mysql' },
        stop: () => server.stop('fast'),
        start: () => server.start(),
        close: () => server.close(),
      };
    },
    sleeping: (seconds) => `SELECT SLEEP(${seconds})`,
    series: (count, width) => `SELECT seq AS n, REPEAT('x', ${width}) AS text FROM seq_1_to_${count}`,
    runner: { it, beforeEach, afterEach },
  });

  it('5: a connection ended by the server while it is lent but idle: the process lives, the pool refills', async () => {
    const connection = await bench.open({ maxOpenConns: 1 });
    const pool = connection.engine.native?.(connection.lanes) as MysqlPool;
    const lent = await pool.promise().getConnection();
    const told = new Promise((resolve) => lent.connection.on('error', resolve));
    await mariadb().kill(Number(lent.threadId));
    expect(await told).toBeInstanceOf(Error);
    await expect(lent.query('SELECT 1')).rejects.toThrow(/closed state/);
    lent.release();
    await pool.promise().query('SELECT 1');
  });

  it('10: too many connections is retried inside the deadline', async () => {
    const server = bench.keep(await MariadbServer.start({ settings: { max_connections: 10 } }));
    const { host, port, password } = server;
    // One more than the limit is let in for who may administer.
    const admin = new MariadbEndpoint(server.url());
    await admin.query(`CREATE USER app@'%' IDENTIFIED BY '${password}'`);
    const guests = await Promise.all(
      Array.from({ length: 10 }, () => mysql.createConnection({ host, port, user: 'app', password })),
    );
    const connection = await bench.open({
      host,
      port,
      user: 'app',
      password: new Secret(password),
      database: undefined,
    });
    const refused = new Promise<Error>((resolve) => connection.lanes.on('createFailed', ({ error }) => resolve(error)));
    const acquire = connection.lanes.acquire();
    expect(await refused).toMatchObject({
      code: 'DBM_TOO_MANY_CONNECTIONS',
      retryable: true,
      cause: { errno: 1040 },
    });
    await guests.pop()?.end();
    (await acquire).release();
    for (const guest of guests) await guest.end();
  });

  it('11: the primary turns read-only: only the first write fails, the others go to the new primary', async () => {
    const former = bench.keep(await MariadbServer.start());
    const admin = new MariadbEndpoint(former.url());
    await admin.createDatabase(bench.database);
    for (const server of [admin, mariadb()]) {
      await server.query(`CREATE OR REPLACE USER writer@'%' IDENTIFIED BY 'secret'`);
      await server.query(`GRANT INSERT, SELECT ON *.* TO writer@'%'`);
      await server.query('CREATE TABLE written (n int)', [], bench.database);
    }
    bench.proxy.retarget(former);
    const user = { user: 'writer', password: new Secret('secret') };
    // On a busy machine validations take so long that the pool makes new connections beside them, to the new primary.
    const limits = { maxOpenConns: 4, maxIdleConns: 4, validateAfterMs: 60_000 };
    const connection = await bench.open({ ...user, ...limits });
    await bench.warm(connection, 4);
    await admin.query('SET GLOBAL read_only = ON');
    bench.proxy.retarget(mariadb());
    const errors: DbManagerError[] = [];
    for (let n = 0; n < 20; n++) {
      await bench.run(connection, `INSERT INTO written VALUES (${n})`).catch((error) => errors.push(error));
    }
    expect(errors).toEqual([expect.objectContaining({ code: 'DBM_READ_ONLY' })]);
    const [row] = await mariadb().query('SELECT COUNT(*) AS count FROM written', [], bench.database);
    expect(row?.count).toBe(19);
    expect(connection.lanes.stats().closedBy.failover).toBe(4);
  });

  it('11: so it does for the pool of mysql2 that the native handle is', async () => {
    await mariadb().query('CREATE TABLE written (n int)', [], bench.database);
    const connection = await bench.open({ maxOpenConns: 2, maxIdleConns: 2, validateAfterMs: 60_000 });
    await bench.warm(connection, 2);
    const native = connection.engine.native?.(connection.lanes) as MysqlPool;
    const pool = native.promise();
    const refusal = `BEGIN NOT ATOMIC SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1290, MESSAGE_TEXT = '--read-only'; END`;
    await expect(pool.query(refusal)).rejects.toMatchObject({ errno: 1290 });
    await pool.query('SELECT 1');
    expect(connection.lanes.stats().generation).toBe(2);
  });
});

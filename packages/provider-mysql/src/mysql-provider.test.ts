import { Secret } from '@dbmanager/core';
import { describeWithMariadb, FaultProxy, runProviderSuite } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import type { MysqlPool } from './mysql-driver.js';
import { mariadbProvider } from './mysql-provider.js';

describeWithMariadb('MariaDB', (mariadb) => {
  /** Of this file alone: its connections are counted. */
  let database: string;
  const proxies: FaultProxy[] = [];
  /** Every connection of the suite runs through it, so that it can be cut at a moment of the test's choice. */
  let through: FaultProxy;

  const options = (over: object = {}) => {
    const { password, ...rest } = mariadb().connection(database);
    return { ...rest, password: new Secret(password), ...over };
  };

  beforeAll(async () => {
    database = await mariadb().createDatabase();
    through = await FaultProxy.start(mariadb());
  });
  afterAll(async () => {
    through.close();
    await mariadb().dropDatabase(database);
  });
  afterEach(() => {
    for (const made of proxies.splice(0)) made.close();
  });

  runProviderSuite({
    name: 'mariadb',
    provider: mariadbProvider,
    connection: () => options({ host: through.host, port: through.port }),
    capabilities: { sql: true, cancel: true, savepoints: true, native: true },
    values: [
      { statement: { sql: 'SELECT ? AS value', params: [42] }, value: 42 },
      { statement: { sql: 'SELECT ? AS value', params: [0.1] }, value: 0.1 },
      { statement: { sql: 'SELECT 9007199254740993 AS value' }, value: '9007199254740993' },
      { statement: { sql: 'SELECT ? AS value', params: [9007199254740993n] }, value: '9007199254740993' },
      {
        statement: { sql: 'SELECT CAST(? AS BINARY) AS value', params: [Buffer.from([0, 255, 7])] },
        value: Buffer.from([0, 255, 7]),
      },
      {
        statement: { sql: 'SELECT CAST(? AS DATETIME(3)) AS value', params: [new Date('2024-02-29T12:00:00.123Z')] },
        value: new Date('2024-02-29T12:00:00.123Z'),
      },
      { statement: { sql: `SELECT CAST('12.340' AS DECIMAL(10, 3)) AS value` }, value: '12.340' },
    ],
    // There is no error of one statement alone for which the server always rolls back: this one does it by hand.
    abortingStatement: (table) => ({
      sql: `BEGIN NOT ATOMIC INSERT INTO ${table} (k) VALUES ('undone'); ROLLBACK; SIGNAL SQLSTATE '45000'; END`,
    }),
    hooks: {
      unreachable: () => options({ host: '127.0.0.1', port: 1 }),
      async silent() {
        const silent = await FaultProxy.start(mariadb());
        proxies.push(silent);
        silent.silent = true;
        return options({ host: silent.host, port: silent.port });
      },
      wrongPassword: () => ({
        options: options({ password: new Secret('not-the-password') }),
        password: 'not-the-password',
      }),
      async withPassword(password) {
        await mariadb().query(`CREATE OR REPLACE USER hostile@'%' IDENTIFIED BY ?`, [password]);
        await mariadb().query(`GRANT ALL ON *.* TO hostile@'%'`);
        return options({ user: 'hostile', password: new Secret(password) });
      },
      async kill(connection) {
        await mariadb().kill(Number(connection.threadId));
      },
      async openConnections() {
        return (await mariadb().threads(database)).length;
      },
      dieInNextCommit() {
        // The COMMIT reaches the server; its answer does not come back.
        through.toClient.cutAfterBytes = 0;
      },
      assertSettled: () => through.untilLive(0),
      endless: (work) => work({ sql: 'SELECT SLEEP(60)' }),
      async useNative(handle) {
        const pool = (handle as MysqlPool).promise();
        await pool.query('SELECT 1');
        await pool.end();
        const late = await pool.query('SELECT 1').then(
          () => undefined,
          (error: unknown) => error,
        );
        if (late === undefined) throw new Error('the handle works after its end');
      },
      async adoptable() {
        const { default: mysql } = await import('mysql2');
        const handle = mysql.createPool({ ...mariadb().connection(database), database, connectionLimit: 3 });
        return {
          handle,
          check: async () => void (await handle.promise().query('SELECT 1')),
          dispose: () => handle.promise().end(),
        };
      },
    },
  });
});

import { randomUUID } from 'node:crypto';
import { Secret } from '@dbmanager/core';
import { describeWithMssql, FaultProxy, runProviderSuite } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { ConnectionPool } from 'mssql';
import { Request } from 'tedious';
import { promisedJob, requestJob } from './job.js';
import type { MssqlConnection } from './mssql-connection.js';
import type { MssqlPool } from './mssql-driver.js';
import { mssqlProvider } from './mssql-provider.js';

/** The number that the server has for the session of a connection. */
async function sessionId(connection: MssqlConnection): Promise<number> {
  const request = new Request('SELECT @@SPID AS id', () => {});
  const id = new Promise<number>((resolve) => request.on('row', ([{ value }]) => resolve(value)));
  const job = requestJob('execSqlBatch', request, undefined, { timeoutMs: 0 });
  await promisedJob(job, (complete) => connection.submit(complete), String);
  return id;
}

describeWithMssql('mssql', (mssql) => {
  /** Of this file alone: its connections are counted. */
  let database: string;
  const proxies: FaultProxy[] = [];
  const logins: string[] = [];
  /** Every connection of the suite runs through it, so that it can be cut at a moment of the test's choice. */
  let through: FaultProxy;

  const options = (over: object = {}) => {
    const { password, ...rest } = mssql().connection(database);
    return { ...rest, password: new Secret(password), sslmode: 'disable' as const, ...over };
  };

  beforeAll(async () => {
    database = await mssql().createDatabase();
    through = await FaultProxy.start(mssql());
  });
  afterAll(async () => {
    through.close();
    for (const login of logins) await mssql().query(`DROP LOGIN [${login}]`);
    await mssql().dropDatabase(database);
  });
  afterEach(() => {
    for (const made of proxies.splice(0)) made.close();
  });

  runProviderSuite({
    name: 'mssql',
    provider: mssqlProvider,
    connection: () => options({ host: through.host, port: through.port }),
    capabilities: { sql: true, cancel: true, savepoints: true, native: true },
    textType: 'NVARCHAR(64)',
    values: [
      { statement: { sql: 'SELECT @p1 AS value', params: [42] }, value: 42 },
      { statement: { sql: 'SELECT @p1 AS value', params: [0.1] }, value: 0.1 },
      { statement: { sql: 'SELECT @p1 AS value', params: [true] }, value: true },
      { statement: { sql: 'SELECT CAST(9007199254740993 AS bigint) AS value' }, value: '9007199254740993' },
      { statement: { sql: 'SELECT @p1 AS value', params: [9007199254740993n] }, value: '9007199254740993' },
      {
        statement: { sql: 'SELECT @p1 AS value', params: [Buffer.from([0, 255, 7])] },
        value: Buffer.from([0, 255, 7]),
      },
      {
        statement: { sql: 'SELECT @p1 AS value', params: [new Date('2024-02-29T12:00:00.123Z')] },
        value: new Date('2024-02-29T12:00:00.123Z'),
      },
    ],
    // Without XACT_ABORT an error undoes its statement alone.
    abortingStatement: (table) => ({ sql: `SET XACT_ABORT ON; INSERT INTO ${table} (k) VALUES ('k1')` }),
    hooks: {
      unreachable: () => options({ host: '127.0.0.1', port: 1 }),
      async silent() {
        const silent = await FaultProxy.start(mssql());
        proxies.push(silent);
        silent.silent = true;
        return options({ host: silent.host, port: silent.port });
      },
      wrongPassword: () => ({
        options: options({ password: new Secret('not-the-password') }),
        password: 'not-the-password',
      }),
      async withPassword(password) {
        const user = `hostile_${randomUUID()}`;
        logins.push(user);
        const literal = `N'${password.replaceAll("'", "''")}'`;
        await mssql().query(`CREATE LOGIN [${user}] WITH PASSWORD = ${literal}, CHECK_POLICY = OFF`);
        return options({ user, password: new Secret(password), database: 'master' });
      },
      async kill(connection) {
        await mssql().kill(await sessionId(connection));
      },
      async openConnections() {
        return (await mssql().sessions(database)).length;
      },
      dieInNextCommit() {
        // The COMMIT reaches the server; its answer does not come back.
        through.toClient.cutAfterBytes = 0;
      },
      assertSettled: () => through.untilLive(0),
      endless: (work) => work({ sql: "WAITFOR DELAY '00:01:00'" }),
      async useNative(handle) {
        const pool = handle as MssqlPool;
        await pool.request().query('SELECT 1 AS one');
        await pool.close();
        const late = await pool.query('SELECT 1 AS one').then(
          () => undefined,
          (error: unknown) => error,
        );
        if (late === undefined) throw new Error('the handle works after its end');
      },
      async adoptable() {
        const { user, password, port } = mssql();
        const config = {
          server: mssql().host,
          port,
          user,
          password,
          database,
          options: { encrypt: false },
          pool: { max: 3 },
        };
        const handle = await new ConnectionPool(config).connect();
        return {
          handle,
          check: async () => void (await handle.query('SELECT 1 AS one')),
          dispose: () => handle.close(),
        };
      },
    },
  });
});

import { type DbManagerError, type ErrorCode, Secret } from '@dbmanager/core';
import {
  CertificateFolder,
  describeWithMariadb,
  FaultProxy,
  failure,
  MariadbEndpoint,
  MariadbServer,
  TestConnection,
  type TestOptions,
  testConfig,
  testContext,
} from '@dbmanager/testkit';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import mysql from 'mysql2';
import type { MysqlConnection } from './mysql-driver.js';
import type { MysqlOptions } from './mysql-options.js';
import { mariadbProvider, mysqlProvider } from './mysql-provider.js';

describeWithMariadb('connecting to MariaDB', (mariadb) => {
  let certificates: CertificateFolder;
  /** Its certificate names localhost, but no address. */
  let secure: MariadbServer;
  let proxy: FaultProxy;
  const file = (name: string) => certificates.file(name);

  beforeAll(async () => {
    certificates = await CertificateFolder.create();
    const clientAuthorities = certificates.authority.certificate;
    secure = await MariadbServer.start({ tls: { ...certificates.sign('localhost'), clientAuthorities } });
    const admin = new MariadbEndpoint(secure.url());
    for (const [name, demand] of [
      ['tls', 'SSL'],
      ['certified', 'X509'],
    ]) {
      await admin.query(`CREATE USER ${name}@'%' IDENTIFIED BY '${secure.password}' REQUIRE ${demand}`);
    }
    proxy = await FaultProxy.start(secure);
  }, 60_000);

  afterAll(async () => {
    proxy?.close();
    await secure?.close();
    await certificates?.remove();
  });

  async function ask(over: TestOptions<MysqlOptions>, sql: string) {
    await using connection = await TestConnection.open(mariadbProvider, over, { name: 'primary' });
    const client = await connection.engine.factory.create({ signal: new AbortController().signal, lost() {} });
    try {
      const [[row]] = await client.promise().query<mysql.RowDataPacket[]>(sql);
      return row;
    } finally {
      await connection.engine.factory.destroy(client, new AbortController().signal);
    }
  }

  const shared = () => {
    const { password, ...rest } = mariadb().connection();
    return { ...rest, password: new Secret(password) };
  };

  /** Whether the connection that these options make is encrypted; or the error. */
  async function encrypted(over: TestOptions<MysqlOptions>): Promise<boolean | DbManagerError> {
    const { port, user, password } = secure;
    const options = { host: '127.0.0.1', port, user, password: new Secret(password), ...over };
    return ask(options, `SHOW SESSION STATUS LIKE 'Ssl_cipher'`).then(
      (row) => row?.Value !== '',
      (error: DbManagerError) => error,
    );
  }

  const refusal = (code: string) => expect.objectContaining({ code, connectionName: 'primary' });
  it.each<[string, TestOptions<MysqlOptions>, unknown]>([
    ['is not asked for by disable', { sslmode: 'disable' }, false],
    ['is had by prefer where the server can', { sslmode: 'prefer' }, true],
    ['is had by require, whatever the certificate', { sslmode: 'require' }, true],
    ['is refused by verify-ca without the authority', { sslmode: 'verify-ca' }, refusal('DBM_TLS_FAILED')],
    ['needs what the user needs', { sslmode: 'disable', user: 'tls' }, refusal('DBM_AUTH_FAILED')],
    ['lets in who needs it', { sslmode: 'require', user: 'tls' }, true],
    [
      'lets in nobody without a certificate who needs one',
      { sslmode: 'require', user: 'certified' },
      refusal('DBM_AUTH_FAILED'),
    ],
  ])('TLS %s', async (_, over, expected) => {
    expect(await encrypted(over)).toEqual(expected);
  });

  it('checks authority and name as far as it is told to', async () => {
    const ca = { sslrootcert: file('ca.pem') };
    expect(await encrypted({ ...ca, sslmode: 'verify-ca' })).toBe(true);
    expect(await encrypted({ sslrootcert: file('other.pem'), sslmode: 'verify-ca' })).toEqual(
      refusal('DBM_TLS_FAILED'),
    );
    expect(await encrypted({ ...ca, sslmode: 'verify-full', host: 'localhost' })).toBe(true);
    // The certificate names localhost: an address is another name, though it is the same machine.
    expect(await encrypted({ ...ca, sslmode: 'verify-full', host: '127.0.0.1' })).toEqual(refusal('DBM_TLS_FAILED'));
    expect(await encrypted({ sslrootcert: file('none.pem'), sslmode: 'verify-ca' })).toMatchObject({
      code: 'DBM_TLS_FAILED',
      option: 'sslrootcert',
    });
  });

  it('shows a client certificate', async () => {
    const own = { sslcert: file('client.pem'), sslkey: file('client.key') };
    expect(await encrypted({ ...own, sslmode: 'require', user: 'certified' })).toBe(true);
  });

  it('does without TLS where it is only preferred, and insists where it is required', async () => {
    expect(await ask({ ...shared(), sslmode: 'prefer' }, 'SELECT 1 AS one')).toEqual({ one: 1 });
    await failure(ask({ ...shared(), sslmode: 'require' }, 'SELECT 1'), 'DBM_TLS_FAILED');
  });

  it('leaves no socket, at whatever moment a connect is called off', async () => {
    const { user, password } = secure;
    const place = { host: proxy.host, port: proxy.port, user, password: new Secret(password) };
    for (const bytes of [0, 1, 60, 100, 500, 900, 1_200, 1_600, 2_000]) {
      await using connection = await TestConnection.open(mariadbProvider, { ...place, sslmode: 'require' });
      proxy.toClient.sliceBytes = 50;
      proxy.toClient.latencyMs = 1;
      const abort = new AbortController();
      const create = connection.engine.factory.create({ signal: abort.signal, lost() {} });
      const over = create.then(
        (client) => connection.engine.factory.destroy(client, AbortSignal.abort()),
        (error) => expect(error).toMatchObject({ code: 'DBM_ABORTED' }),
      );
      const timer = setTimeout(() => abort.abort(), bytes / 40);
      await over;
      clearTimeout(timer);
      proxy.heal();
      await proxy.untilLive(0);
    }
  });

  it('connects by the socket of the system', async () => {
    const { socketPath: host, user, password } = secure;
    const options = { host, user, password: new Secret(password) };
    expect(await ask(options, `SELECT SUBSTRING_INDEX(USER(), '@', -1) AS host`)).toEqual({ host: 'localhost' });
  });

  it('sets charset, time zone and the limit of statements, which a limit of 0 leaves to the server', async () => {
    const sql = `SELECT @@collation_connection AS charset, @@time_zone AS zone, @@max_statement_time AS most`;
    const own = { charset: 'utf8mb4_general_ci', timezone: '-05:30', queryTimeoutMs: 1_234 };
    expect(await ask({ ...shared(), ...own }, sql)).toEqual({
      charset: 'utf8mb4_general_ci',
      zone: '-05:30',
      most: 1.234,
    });
    expect(await ask({ ...shared(), timezone: 'local', queryTimeoutMs: 0 }, sql)).toEqual({
      charset: 'utf8mb4_unicode_ci',
      zone: 'SYSTEM',
      most: 0,
    });
  });

  it('says which option is wrong', async () => {
    const cases: [TestOptions<MysqlOptions>, ErrorCode, string][] = [
      [{ database: 'nowhere' }, 'DBM_DATABASE_NOT_FOUND', 'database'],
      [{ user: 'nobody' }, 'DBM_AUTH_FAILED', 'password'],
      [{ charset: 'klingon' }, 'DBM_INVALID_OPTION', 'charset'],
      [{ port: 1 }, 'DBM_CONNECT_FAILED', 'host'],
    ];
    for (const [over, code, option] of cases) {
      expect((await failure(ask({ ...shared(), ...over }, 'SELECT 1'), code)).option).toBe(option);
    }
  });

  it('names itself to the server, and to metrics by its type', async () => {
    for (const provider of [mysqlProvider, mariadbProvider]) {
      await using connection = await TestConnection.open(provider, { ...shared(), database: 'mysql' });
      const { host, port } = mariadb();
      const { type } = provider;
      expect(connection.engine.identity).toEqual({ system: type, namespace: 'mysql', address: host, port });
    }
  });

  it('adopts a pool of either API, finds a transaction that was left open in it, and stops statements there', async () => {
    const handle = mysql.createPool({ ...mariadb().connection(), database: 'mysql', connectionLimit: 1 });
    const left = await handle.promise().getConnection();
    await left.beginTransaction();
    left.release();
    for (const adopted of [handle, handle.promise()]) {
      const config = testConfig(mariadbProvider, {}, 'adopted');
      const engine = await mariadbProvider.adopt?.(adopted, config, testContext);
      if (engine === undefined) throw new Error('adopt gives an engine');
      await using connection = new TestConnection<MysqlConnection>(engine, config, testContext);
      expect(connection.lanes.counts.max).toBe(1);
      const session = engine.sql?.session(connection.lanes);
      expect((await session?.query({ sql: 'SELECT @@in_transaction AS open' }))?.rows).toEqual([{ open: 0 }]);
      await failure(
        session?.query({ sql: 'SELECT SLEEP(60)' }, { timeoutMs: 50 }) ?? Promise.resolve(),
        'DBM_QUERY_TIMEOUT',
      );
      expect((await session?.query({ sql: 'SELECT 1 AS one' }))?.rows).toEqual([{ one: 1 }]);
      session?.release();
    }
    expect((await handle.promise().query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }]);
    await handle.promise().end();
  });
});

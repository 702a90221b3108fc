import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { inspect } from 'node:util';
import { type DbManagerError, type ErrorCode, Secret, systemClock } from '@dbmanager/core';
import {
  CertificateFolder,
  describeWithMssql,
  FaultProxy,
  failure,
  MssqlStandIn,
  slowedClock,
  TestConnection,
  type TestOptions,
  testConfig,
  testContext,
} from '@dbmanager/testkit';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConnectionPool } from 'mssql';
import type { MssqlConnection } from './mssql-connection.js';
import { MssqlConnectionFactory } from './mssql-connection-factory.js';
import type { MssqlOptions } from './mssql-options.js';
import { mssqlProvider } from './mssql-provider.js';
import { resolveTarget } from './mssql-target.js';
import { loadTedious, type TediousConfig } from './tedious-driver.js';

describeWithMssql('connecting to SQL Server', (mssql) => {
  let certificates: CertificateFolder;
  /** Its certificate names localhost, but no address. */
  let secure: MssqlStandIn;
  let proxy: FaultProxy;
  const file = (name: string) => certificates.file(name);

  beforeAll(async () => {
    certificates = await CertificateFolder.create();
    secure = await MssqlStandIn.start({ tls: certificates.sign('localhost') });
    proxy = await FaultProxy.start(secure);
  }, 60_000);

  afterAll(async () => {
    proxy?.close();
    await secure?.close();
    await certificates?.remove();
  });

  async function ask(over: TestOptions<MssqlOptions>, sql = 'SELECT 1 AS one') {
    await using connection = await TestConnection.open(mssqlProvider, over, { name: 'primary' });
    const session = connection.engine.sql?.session(connection.lanes);
    const client = await connection.engine.factory.create({ signal: new AbortController().signal, lost() {} });
    await connection.engine.factory.destroy(client, new AbortController().signal);
    try {
      return (await session?.query({ sql }))?.rows[0];
    } finally {
      session?.release();
    }
  }

  const shared = () => {
    const { password, ...rest } = mssql().connection();
    return { ...rest, password: new Secret(password), sslmode: 'disable' as const };
  };
  const secured = (over: TestOptions<MssqlOptions>) => {
    const { port, user, password } = secure;
    return { host: '127.0.0.1', port, user, password: new Secret(password), ...over };
  };
  const refusal = (code: string) => expect.objectContaining({ code, connectionName: 'primary', option: 'sslmode' });
  const outcome = (over: TestOptions<MssqlOptions>) =>
    ask(secured(over)).then(
      () => true,
      (error: DbManagerError) => error,
    );

  it.each<[string, TestOptions<MssqlOptions>, unknown]>([
    ['is not asked for by disable', { sslmode: 'disable' }, true],
    ['is had by require, whatever the certificate', { sslmode: 'require' }, true],
    ['is refused by verify-ca without the authority', { sslmode: 'verify-ca' }, refusal('DBM_TLS_FAILED')],
    ['is refused by verify-full without the authority', { sslmode: 'verify-full' }, refusal('DBM_TLS_FAILED')],
    ['is refused by strict without the authority', { sslmode: 'strict' }, refusal('DBM_TLS_FAILED')],
  ])('TLS %s', async (_, over, expected) => {
    expect(await outcome(over)).toEqual(expected);
  });

  it('checks authority and name as far as it is told to', async () => {
    const ca = { sslrootcert: file('ca.pem') };
    const other = { sslrootcert: file('other.pem') };
    for (const sslmode of ['verify-full', 'strict'] as const) {
      expect(await outcome({ ...ca, sslmode, host: 'localhost' })).toBe(true);
      // The certificate names localhost: an address is another name, though it is the same machine.
      expect(await outcome({ ...ca, sslmode })).toEqual(refusal('DBM_TLS_FAILED'));
      expect(await outcome({ ...ca, sslmode, sslServerName: 'localhost' })).toBe(true);
      expect(await outcome({ ...other, sslmode, host: 'localhost' })).toEqual(refusal('DBM_TLS_FAILED'));
    }
    expect(await outcome({ ...ca, sslmode: 'verify-ca' })).toBe(true);
    expect(await outcome({ ...other, sslmode: 'verify-ca' })).toEqual(refusal('DBM_TLS_FAILED'));
    expect(await outcome({ sslrootcert: file('none.pem'), sslmode: 'verify-ca' })).toMatchObject({
      code: 'DBM_TLS_FAILED',
      option: 'sslrootcert',
    });
  });

  it('says so when the server insists on TLS, or has none', async () => {
    for (const [encryption, sslmode] of [
      ['required', 'disable'],
      ['unsupported', 'require'],
    ] as const) {
      const server = await MssqlStandIn.start({ encryption });
      const { host, port, user, password } = server;
      const place = { host, port, user, password: new Secret(password) };
      const error = await failure(ask({ ...place, sslmode }), 'DBM_TLS_FAILED');
      expect(error).toMatchObject({ option: 'sslmode', retryable: false });
      await server.close();
    }
  });

  it('sends no password to a server whose certificate it does not trust', async () => {
    const { user } = secure;
    const password = new Secret('a-password-of-the-caller');
    const place = { host: proxy.host, port: proxy.port, user, password, sslmode: 'verify-ca' as const };
    await failure(ask({ ...place, sslrootcert: file('other.pem') }), 'DBM_TLS_FAILED');
    // With it the login is refused, so it was sent.
    await failure(ask({ ...place, sslrootcert: file('ca.pem') }), 'DBM_AUTH_FAILED');
    await proxy.untilLive(0);
  });

  it('leaves no socket, at whatever moment a connect is called off', async () => {
    const { user, password } = secure;
    const place = { host: proxy.host, port: proxy.port, user, password: new Secret(password) };
    for (const ms of [0, 1, 2, 5, 10, 20, 40, 60]) {
      await using connection = await TestConnection.open(mssqlProvider, { ...place, sslmode: 'require' });
      proxy.toClient.sliceBytes = 50;
      proxy.toClient.latencyMs = 1;
      const abort = new AbortController();
      const create = connection.engine.factory.create({ signal: abort.signal, lost() {} });
      const over = create.then(
        (client) => connection.engine.factory.destroy(client, AbortSignal.abort()),
        (error) => expect(error).toMatchObject({ code: 'DBM_ABORTED' }),
      );
      const timer = setTimeout(() => abort.abort(), ms);
      await over;
      clearTimeout(timer);
      proxy.heal();
      await proxy.untilLive(0);
    }
  });

  it('asks SQL Server Browser for the port of a named instance', async () => {
    const browser = createSocket('udp4');
    browser.on('message', (_, { address, port }) => {
      const instances = `ServerName;HERE;InstanceName;SALES;IsClustered;No;Version;16.0.1000.6;tcp;${mssql().port};;`;
      browser.send(Buffer.concat([Buffer.from([5, instances.length, 0]), Buffer.from(instances)]), port, address);
    });
    browser.bind(1434, '127.0.0.1');
    await once(browser, 'listening');
    const place = { ...shared(), host: '127.0.0.1', port: 1 };
    expect(await ask({ ...place, instance: 'SALES' })).toEqual({ one: 1 });
    const error = await failure(ask({ ...place, instance: 'NONE' }), 'DBM_CONNECT_FAILED');
    expect(error.option).toBe('instance');
    browser.close();
  });

  it('connects to all addresses of a host at once when it is told to', async () => {
    expect(await ask({ ...shared(), host: 'localhost', multiSubnetFailover: true })).toEqual({ one: 1 });
  });

  it('names itself to the server, and to metrics', async () => {
    const sql = 'SELECT APP_NAME() AS app, DB_NAME() AS db';
    expect(await ask(shared(), sql)).toEqual({ app: 'dbmanager:primary', db: 'master' });
    expect(await ask({ ...shared(), applicationName: 'billing' }, sql)).toEqual({ app: 'billing', db: 'master' });
    const { host, port } = mssql();
    await using connection = await TestConnection.open(mssqlProvider, { ...shared(), database: 'orders' });
    const system = 'microsoft.sql_server';
    expect(connection.engine.identity).toEqual({ system, namespace: 'orders', address: host, port });
    await using named = await TestConnection.open(mssqlProvider, { ...shared(), instance: 'SALES' });
    expect(named.engine.identity).toEqual({ system, address: `${host}\\SALES` });
  });

  it('says which option is wrong', async () => {
    const cases: [TestOptions<MssqlOptions>, ErrorCode, string][] = [
      [{ database: 'nowhere' }, 'DBM_DATABASE_NOT_FOUND', 'database'],
      [{ user: 'nobody' }, 'DBM_AUTH_FAILED', 'password'],
      [{ port: 1 }, 'DBM_CONNECT_FAILED', 'host'],
    ];
    for (const [over, code, option] of cases) {
      expect((await failure(ask({ ...shared(), ...over }), code)).option).toBe(option);
    }
  });

  it('keeps no password on its connections', async () => {
    await using connection = await TestConnection.open(mssqlProvider, shared());
    const made = await connection.engine.factory.create({ signal: new AbortController().signal, lost() {} });
    expect(inspect(made, { depth: 12, showHidden: true })).not.toContain(mssql().password);
    await connection.engine.factory.destroy(made, new AbortController().signal);
  });

  it('adopts a pool, finds a transaction that was left open in it, and stops statements there', async () => {
    const { user, password, port, host } = mssql();
    const config = { server: host, port, user, password, options: { encrypt: false }, pool: { max: 1 } };
    const handle = await new ConnectionPool(config).connect();
    const lending = handle as unknown as {
      acquire(requester: object): Promise<{ beginTransaction(done: () => void): void }>;
      release(lent: object): void;
    };
    const left = await lending.acquire({});
    await new Promise<void>((resolve) => left.beginTransaction(resolve));
    lending.release(left);
    const adoptedConfig = testConfig(mssqlProvider, {}, 'adopted');
    const context = { ...testContext, clock: slowedClock(10) };
    const engine = await mssqlProvider.adopt?.(handle, adoptedConfig, context);
    if (engine === undefined) throw new Error('adopt gives an engine');
    const connection = new TestConnection<MssqlConnection>(engine, adoptedConfig, context);
    expect(connection.lanes.counts.max).toBe(1);
    const session = engine.sql?.session(connection.lanes);
    expect((await session?.query({ sql: 'SELECT @@TRANCOUNT AS open' }))?.rows).toEqual([{ open: 0 }]);
    const stopped = session?.query({ sql: "WAITFOR DELAY '00:01:00'" }, { timeoutMs: 50 });
    await failure(stopped ?? Promise.resolve(), 'DBM_QUERY_TIMEOUT');
    expect((await session?.query({ sql: 'SELECT 1 AS one' }))?.rows).toEqual([{ one: 1 }]);
    session?.release();
    const again = await connection.lanes.acquire();
    const { tedious } = again.connection;
    again.release();
    await connection.close();
    // Its owner has it as it was.
    expect(tedious.listenerCount('infoMessage') + tedious.listenerCount('rollbackTransaction')).toBe(0);
    expect((await handle.query('SELECT 1 AS one')).recordset).toEqual([{ one: 1 }]);
    expect(handle.size).toBe(1);
    await handle.close();
  });
});

describe('what tedious is told', () => {
  /** The configuration that a connection with these options is made with. */
  async function told(options: TestOptions<MssqlOptions>): Promise<TediousConfig> {
    let seen: TediousConfig | undefined;
    const stop = new Error('seen');
    const driver = {
      ...loadTedious('primary'),
      Connection: class {
        constructor(config: TediousConfig) {
          seen = config;
          throw stop;
        }
      },
    };
    const factory = new MssqlConnectionFactory({
      connectionName: 'primary',
      driver: driver as never,
      clock: systemClock,
      target: resolveTarget(testConfig(mssqlProvider, options, 'primary')),
      connectTimeoutMs: 10_000,
    });
    const create = factory.create({ signal: new AbortController().signal, lost() {} });
    await expect(create).rejects.toMatchObject({ cause: stop });
    return seen as unknown as TediousConfig;
  }

  const password = new Secret('p');
  it.each<[string, TestOptions<MssqlOptions>, object]>([
    ['a login', { user: 'u', password }, { type: 'default', options: { userName: 'u', password: 'p' } }],
    [
      'NTLM',
      { user: 'u', password, domain: 'CORP' },
      { type: 'ntlm', options: { userName: 'u', password: 'p', domain: 'CORP' } },
    ],
    [
      'a password of Microsoft Entra ID',
      {
        user: 'u',
        password,
        azureClientId: 'i',
        azureTenantId: 't',
        authentication: 'azure-active-directory-password',
      },
      {
        type: 'azure-active-directory-password',
        options: { userName: 'u', password: 'p', clientId: 'i', tenantId: 't' },
      },
    ],
    [
      'a token',
      { azureToken: new Secret('jwt'), authentication: 'azure-active-directory-access-token' },
      { type: 'azure-active-directory-access-token', options: { token: 'jwt' } },
    ],
    [
      'a managed identity',
      { azureClientId: 'i', authentication: 'azure-active-directory-msi-app-service' },
      { type: 'azure-active-directory-msi-app-service', options: { clientId: 'i' } },
    ],
    [
      'a service principal',
      {
        azureClientId: 'i',
        azureClientSecret: new Secret('s'),
        azureTenantId: 't',
        authentication: 'azure-active-directory-service-principal-secret',
      },
      {
        type: 'azure-active-directory-service-principal-secret',
        options: { clientId: 'i', clientSecret: 's', tenantId: 't' },
      },
    ],
  ])('to log in by %s', async (_, options, authentication) => {
    const { authentication: given, options: config } = await told(options);
    expect(JSON.parse(JSON.stringify(given))).toEqual(authentication);
    // tedious itself takes it.
    const { Connection } = loadTedious('primary');
    expect(
      () => new Connection({ server: 'h', authentication: given, options: config } as TediousConfig),
    ).not.toThrow();
  });

  it('of intent, instance and time zone', async () => {
    const { options } = await told({
      user: 'u',
      instance: 'SALES',
      database: 'd',
      applicationIntent: 'read-only',
      multiSubnetFailover: true,
      useUtc: false,
    });
    expect(options).toMatchObject({
      instanceName: 'SALES',
      database: 'd',
      readOnlyIntent: true,
      multiSubnetFailover: true,
      useUTC: false,
      connectTimeout: 10_000,
      requestTimeout: 0,
      maxRetriesOnTransientErrors: 0,
    });
    expect(options).not.toHaveProperty('port');
  });
});

import { once } from 'node:events';
import { type ConnectionFactory, type DbManagerError, Secret } from '@dbmanager/core';
import {
  describeWithPostgres,
  FaultProxy,
  PostgresServer,
  TestConnection,
  type TestOptions,
  testConfig,
  testContext,
} from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import type { PgClient } from './pg-driver.js';
import type { PostgresOptions } from './postgres-options.js';
import { postgresProvider } from './postgres-provider.js';

const REFUSING = '127.0.0.1:1';

describeWithPostgres('connecting to PostgreSQL', (postgres) => {
  /** Refuses writes by its settings. */
  let readOnly: PostgresServer;
  let standby: PostgresServer;
  let proxy: FaultProxy;
  const clients: [ConnectionFactory<PgClient>, PgClient][] = [];

  beforeAll(async () => {
    const { password } = postgres();
    readOnly = await PostgresServer.start({ password, settings: { default_transaction_read_only: 'on' } });
    standby = await PostgresServer.start({ password, standby: true });
    proxy = await FaultProxy.start(postgres());
  }, 60_000);

  afterEach(async () => {
    proxy.heal();
    await proxy.accept();
    for (const [factory, client] of clients.splice(0)) await factory.destroy(client, new AbortController().signal);
    await proxy.untilLive(0);
  });

  afterAll(async () => {
    proxy?.close();
    await readOnly?.close();
    await standby?.close();
  });

  async function connect(over: TestOptions<PostgresOptions>, signal = new AbortController().signal): Promise<PgClient> {
    const { password, ...rest } = postgres().connection();
    const options = { ...rest, password: new Secret(password), sslmode: 'disable' as const, ...over };
    const { engine } = await TestConnection.open(postgresProvider, options, { name: 'primary' });
    const client = await engine.factory.create({ signal, lost() {} });
    clients.push([engine.factory, client]);
    return client;
  }

  const place = ({ host, port }: { host: string; port: number }) => `${host}:${port}`;

  it('sets schema, application name and statement timeout on the server', async () => {
    const client = await connect({ schema: 'My App,public', queryTimeoutMs: 1234, applicationName: 'web' });
    const { rows } = await client.query(
      `SELECT current_setting('search_path') AS path, current_setting('statement_timeout') AS timeout,
              current_setting('application_name') AS app`,
    );
    expect(rows).toEqual([{ path: '"My App","public"', timeout: '1234ms', app: 'web' }]);
  });

  it('names itself after the connection unless told, and leaves the timeout to the server at 0', async () => {
    const client = await connect({ queryTimeoutMs: 0 });
    const { rows } = await client.query(
      `SELECT current_setting('statement_timeout') AS timeout, current_setting('application_name') AS app`,
    );
    expect(rows).toEqual([{ timeout: '0', app: 'dbmanager:primary' }]);
  });

  it('takes nothing from the environment', async () => {
    process.env.PGPASSWORD = postgres().password;
    process.env.PGSSLNEGOTIATION = 'direct';
    try {
      await expect(connect({ password: undefined })).rejects.toMatchObject({
        code: 'DBM_AUTH_FAILED',
        option: 'password',
        retryable: false,
      });
    } finally {
      delete process.env.PGPASSWORD;
      delete process.env.PGSSLNEGOTIATION;
    }
  });

  it('connects by DSN, as a URL and as words', async () => {
    const { host, port, user, password } = postgres();
    for (const dsn of [
      postgres().url(),
      `host=${host} port=${port} user=${user} password='${password}' dbname=postgres`,
    ]) {
      await connect({ dsn: new Secret(dsn), host: 'nowhere.invalid', password: undefined });
    }
  });

  it.each<[string, TestOptions<PostgresOptions>, object]>([
    ['an unknown host', { host: 'nowhere.invalid' }, { code: 'DBM_CONNECT_FAILED', option: 'host', retryable: true }],
    ['a closed port', { host: REFUSING }, { code: 'DBM_CONNECT_FAILED', option: 'host', retryable: true }],
    ['a missing socket', { host: '/nowhere' }, { code: 'DBM_CONNECT_FAILED', option: 'host', retryable: true }],
    ['an unknown user', { user: 'nobody' }, { code: 'DBM_AUTH_FAILED', option: 'password', retryable: false }],
    [
      'an unknown database',
      { database: 'nowhere' },
      { code: 'DBM_DATABASE_NOT_FOUND', option: 'database', retryable: false },
    ],
    [
      'options the server refuses',
      { dsn: new Secret('options=-c\\ no.such=1\\ -c\\ nosuch=1') },
      { code: 'DBM_CONNECT_FAILED', retryable: false },
    ],
  ])('says what is wrong with %s', async (_, options, expected) => {
    const error = await connect(options).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ ...expected, connectionName: 'primary' });
    expect((error as DbManagerError).cause).toBeDefined();
  });

  it('goes on to the next host when one is not there', async () => {
    const client = await connect({ host: `${REFUSING},${place(postgres())}` });
    expect(client.port).toBe(postgres().port);
  });

  it('gives a silent host its share of the time only', async () => {
    proxy.silent = true;
    // With all of it there would be none left for the next.
    const client = await connect({ host: `${place(proxy)},${place(postgres())}`, connectTimeoutMs: 6_000 });
    expect(client.port).toBe(postgres().port);
  });

  it('does not try the next host when one refuses the password', async () => {
    await expect(connect({ host: `${place(proxy)},${REFUSING}`, password: new Secret('wrong') })).rejects.toMatchObject(
      {
        code: 'DBM_AUTH_FAILED',
      },
    );
  });

  it('says of every host why it was no use', async () => {
    const failure = connect({ host: `${REFUSING},127.0.0.1:2` });
    await expect(failure).rejects.toMatchObject({
      code: 'DBM_CONNECT_FAILED',
      retryable: true,
      message: expect.stringMatching(/^connection "primary": no host could be used: .*:1: .*ECONNREFUSED.*; .*:2: /),
      cause: { errors: [{ code: 'DBM_CONNECT_FAILED' }, { code: 'DBM_CONNECT_FAILED' }] },
    });
  });

  it.each<[PostgresOptions['targetSessionAttrs'], 'standby' | 'readOnly' | 'primary']>([
    ['any', 'standby'],
    ['read-write', 'primary'],
    ['read-only', 'standby'],
    ['primary', 'readOnly'],
    ['standby', 'standby'],
    ['prefer-standby', 'standby'],
  ])('looks for a server that is %s', async (targetSessionAttrs, expected) => {
    const servers = { standby, readOnly, primary: postgres() };
    const client = await connect({ host: [standby, readOnly, postgres()].map(place).join(), targetSessionAttrs });
    expect(client.port).toBe(servers[expected].port);
  });

  it('takes a primary for prefer-standby when there is no standby, and says so when nothing fits', async () => {
    const host = place(postgres());
    await connect({ host, targetSessionAttrs: 'prefer-standby' });
    await expect(connect({ host, targetSessionAttrs: 'standby' })).rejects.toMatchObject({
      code: 'DBM_CONNECT_FAILED',
      option: 'target_session_attrs',
      retryable: true,
    });
  });

  it('frees the socket when it is aborted while the server is answering', async () => {
    proxy.toClient.latencyMs = 60_000;
    const abort = new AbortController();
    const accepted = once(proxy, 'connection');
    const failure = connect({ host: place(proxy) }, abort.signal);
    await accepted;
    abort.abort(new Error('enough'));
    await expect(failure).rejects.toMatchObject({ code: 'DBM_ABORTED', cause: { message: 'enough' } });
    await proxy.untilLive(0);
  });

  it('frees the socket when it is aborted while target_session_attrs is asked', async () => {
    const abort = new AbortController();
    const original = pg.Client.prototype.query as (...args: unknown[]) => unknown;
    const query = jest.spyOn(pg.Client.prototype, 'query').mockImplementation(function (this: pg.Client, ...args) {
      // The question goes out and is never answered.
      proxy.blackHole();
      setImmediate(() => abort.abort());
      return original.apply(this, args) as never;
    });
    try {
      const failure = connect({ host: place(proxy), targetSessionAttrs: 'primary' }, abort.signal);
      await expect(failure).rejects.toMatchObject({ code: 'DBM_ABORTED' });
    } finally {
      query.mockRestore();
    }
    await proxy.untilLive(0);
  });

  it('adopts a pool, and finds a transaction that was left open in it', async () => {
    const { password, host, port, user } = postgres();
    const handle = new pg.Pool({ host, port, user, password, database: 'postgres', max: 1 });
    const left = await handle.connect();
    await left.query('BEGIN');
    left.release();
    const config = testConfig(postgresProvider, {}, 'adopted');
    const engine = await postgresProvider.adopt?.(handle, config, testContext);
    if (engine === undefined) throw new Error('adopt gives an engine');
    const connection = new TestConnection<PgClient>(engine, config, testContext);
    const lease = await connection.lanes.acquire();
    expect(lease.connection.getTransactionStatus()).toBe('I');
    lease.release();
    await connection.close();
    expect((await handle.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await handle.end();
  });
});

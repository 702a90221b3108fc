import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type DbManagerError, Secret } from '@dbmanager/core';
import {
  CertificateFolder,
  describeWithPostgres,
  PostgresEndpoint,
  PostgresServer,
  TestConnection,
} from '@dbmanager/testkit';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { PostgresOptions } from './postgres-options.js';
import { postgresProvider } from './postgres-provider.js';

describeWithPostgres('TLS', () => {
  let certificates: CertificateFolder;
  /** Its certificate names localhost; plain connections are let in only as `plain`, only TLS ones as `tls`. */
  let server: PostgresServer;
  /** Its certificate names another host. */
  let misnamed: PostgresServer;
  const file = (name: string) => certificates.file(name);

  beforeAll(async () => {
    certificates = await CertificateFolder.create();
    const clientAuthorities = certificates.authority.certificate;
    server = await PostgresServer.start({
      tls: { ...certificates.sign('localhost', '127.0.0.1'), clientAuthorities },
      hba: [
        'hostssl all certified 127.0.0.1/32 cert',
        'hostssl all tls 127.0.0.1/32 scram-sha-256',
        'hostnossl all plain 127.0.0.1/32 scram-sha-256',
        'host all postgres 127.0.0.1/32 scram-sha-256',
      ],
    });
    misnamed = await PostgresServer.start({ tls: certificates.sign('elsewhere.example') });
    const admin = new PostgresEndpoint(server.url());
    for (const role of ['certified', 'tls', 'plain']) {
      await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD '${server.password}'`);
    }
  }, 60_000);

  afterAll(async () => {
    await server?.close();
    await misnamed?.close();
    await certificates?.remove();
  });

  /** Whether the connection that these options make is encrypted; or the error. */
  async function encrypted(over: Partial<PostgresOptions>, on = server): Promise<boolean | DbManagerError> {
    const { port, user, password } = on;
    await using connection = await TestConnection.open(postgresProvider, {
      host: 'localhost',
      port,
      user,
      password: new Secret(password),
      database: 'postgres',
      ...over,
    });
    const { factory } = connection.engine;
    const { signal } = new AbortController();
    try {
      const client = await factory.create({ signal, lost() {} });
      const { rows } = await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
      // A cancel request takes the same way as the connection.
      await connection.engine.sql?.cancel?.(client);
      await factory.destroy(client, signal);
      return rows[0].ssl;
    } catch (error) {
      return error as DbManagerError;
    }
  }

  it.each<[string, Partial<PostgresOptions>, boolean]>([
    ['disable: no TLS', { sslmode: 'disable' }, false],
    ['allow: none where the server does not insist', { sslmode: 'allow' }, false],
    ['allow: TLS where it does', { sslmode: 'allow', user: 'tls' }, true],
    ['prefer: TLS where there is', { sslmode: 'prefer' }, true],
    ['prefer: none where the server wants none', { sslmode: 'prefer', user: 'plain' }, false],
    ['require: TLS, whoever signed the certificate', { sslmode: 'require' }, true],
  ])('%s', async (_, options, expected) => {
    expect(await encrypted(options)).toBe(expected);
  });

  it('verify-ca: takes a certificate of a known authority, whatever host it names, and no other', async () => {
    expect(await encrypted({ sslmode: 'verify-ca', sslrootcert: file('ca.pem') }, misnamed)).toBe(true);
    for (const sslrootcert of [undefined, file('other.pem')]) {
      expect(await encrypted({ sslmode: 'verify-ca', sslrootcert })).toMatchObject({
        code: 'DBM_TLS_FAILED',
        retryable: false,
        option: 'sslmode',
      });
    }
  });

  it('verify-full: wants the certificate to name the host, by name or by address', async () => {
    const options = { sslmode: 'verify-full', sslrootcert: file('ca.pem') } as const;
    expect(await encrypted(options)).toBe(true);
    expect(await encrypted({ ...options, host: '127.0.0.1' })).toBe(true);
    expect(await encrypted(options, misnamed)).toMatchObject({ code: 'DBM_TLS_FAILED', retryable: false });
  });

  it('require checks the authority when there is one', async () => {
    expect(await encrypted({ sslmode: 'require', sslrootcert: file('ca.pem') }, misnamed)).toBe(true);
    expect(await encrypted({ sslmode: 'require', sslrootcert: file('other.pem') })).toMatchObject({
      code: 'DBM_TLS_FAILED',
    });
  });

  it('logs in with a client certificate', async () => {
    const options = { user: 'certified', sslmode: 'verify-full', sslrootcert: file('ca.pem') } as const;
    expect(await encrypted({ ...options, sslcert: file('client.pem'), sslkey: file('client.key') })).toBe(true);
    expect(await encrypted(options)).toMatchObject({ code: 'DBM_AUTH_FAILED' });
  });

  it('frees the socket when it is aborted in the middle of the handshake', async () => {
    // Agrees to TLS, and says nothing more.
    const silent = createServer((socket) => socket.once('data', () => socket.write('S')));
    silent.listen(0, '127.0.0.1');
    const [socket] = await Promise.all([
      once(silent, 'connection').then(([accepted]) => accepted as Socket),
      once(silent, 'listening').then(async () => {
        const { port } = silent.address() as AddressInfo;
        const options = { host: '127.0.0.1', port, user: 'any', sslmode: 'require' as const };
        await using connection = await TestConnection.open(postgresProvider, options);
        const abort = new AbortController();
        silent.once('connection', (accepted: Socket) => {
          // The client's hello: it is in the handshake.
          accepted.once('data', () => accepted.once('data', () => abort.abort()));
        });
        const create = connection.engine.factory.create({ signal: abort.signal, lost() {} });
        await expect(create).rejects.toMatchObject({ code: 'DBM_ABORTED' });
      }),
    ]);
    if (!socket.closed) await once(socket, 'close');
    silent.close();
  });

  it('says which file cannot be read', async () => {
    expect(await encrypted({ sslmode: 'verify-ca', sslrootcert: file('missing.pem') })).toMatchObject({
      code: 'DBM_TLS_FAILED',
      option: 'sslrootcert',
      message: expect.stringContaining('missing.pem'),
    });
  });
});

describeWithPostgres('TLS on a server that has none', (postgres) => {
  const open = (over: Partial<PostgresOptions>) => {
    const { password, ...rest } = postgres().connection();
    return TestConnection.open(postgresProvider, { ...rest, password: new Secret(password), ...over });
  };

  it('is done without by prefer', async () => {
    await using connection = await open({ sslmode: 'prefer' });
    await connection.lanes.probe(new AbortController().signal);
  });

  it('is an error for require', async () => {
    await using connection = await open({ sslmode: 'require' });
    await expect(connection.lanes.probe(new AbortController().signal)).rejects.toMatchObject({
      code: 'DBM_TLS_FAILED',
      retryable: false,
    });
  });
});

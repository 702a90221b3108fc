import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { selfSignedCertificate } from '../certificate.js';
import { MssqlEndpoint } from '../mssql-endpoint.js';
import { MssqlStandIn } from '../mssql-stand-in.js';
import { TediousClient } from './tedious-client.js';

describe('logging in to a SQL Server stand-in', () => {
  const tls = selfSignedCertificate('localhost');
  let server: MssqlStandIn;
  let endpoint: MssqlEndpoint;

  beforeAll(async () => {
    server = await MssqlStandIn.start({ tls });
    endpoint = new MssqlEndpoint(server.url(), 'stand-in');
  });
  afterAll(async () => {
    expect(server.log).toBe('');
    await server.close();
  });

  const failure = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );

  it.each([
    ['without encryption', false],
    ['with encryption', true],
    ['with TLS first, as TDS 8.0 has it', 'strict'],
  ] as const)('works %s', async (_how, encrypt) => {
    const trusted = { serverName: 'localhost', cryptoCredentialsDetails: { ca: tls.certificate } };
    const options = { encrypt, appName: 'test of login', trustServerCertificate: false, ...trusted };
    const client = await TediousClient.connect(endpoint.tedious('master', options));
    const { rows } = await client.batch(
      'SELECT APP_NAME() AS app, DB_NAME() AS db, SUSER_SNAME() AS me, @@SPID AS spid',
    );
    expect(rows).toEqual([{ app: 'test of login', db: 'master', me: 'sa', spid: expect.any(Number) }]);
    const { rows: sent } = await client.batch(`SELECT REPLICATE(N'ü', 20000) AS long`);
    expect(sent).toEqual([{ long: 'ü'.repeat(20_000) }]);
    await client.close();
  });

  it('shows a certificate that nobody trusts when it has been given none', async () => {
    const own = await MssqlStandIn.start();
    const options = { encrypt: true, trustServerCertificate: false };
    const login = TediousClient.connect(new MssqlEndpoint(own.url()).tedious('master', options));
    expect(await failure(login)).toMatchObject({ code: 'ESOCKET', message: expect.stringMatching(/self-signed/) });
    await own.close();
  });

  it('refuses a wrong password with 18456 and an unknown database with 4060', async () => {
    const wrong = new MssqlEndpoint(`mssql://sa:wrong@127.0.0.1:${server.port}`);
    const numbers: unknown[] = [];
    for (const configuration of [wrong.tedious(), endpoint.tedious('nowhere')]) {
      const client = new TediousClient(configuration);
      client.connection.on('errorMessage', ({ number }) => numbers.push(number));
      await new Promise<void>((resolve) => {
        client.connection.connect((error) => {
          expect(error).toMatchObject({ code: 'ELOGIN', message: `Login failed for user 'sa'.` });
          resolve();
        });
      });
      await client.closed;
    }
    expect(numbers).toEqual([18_456, 4060, 18_456]);
  });

  it.each([`p@ss w/'"`, 'a:b@c/d?e#f%20&g=h', ']]; DROP', ' leading and trailing ', 'ünï©ödé'])(
    'takes the password %j',
    async (password) => {
      await endpoint.query(
        `CREATE LOGIN [hostile] WITH PASSWORD = N'${password.replaceAll("'", "''")}', CHECK_POLICY = OFF`,
      );
      const url = new URL(server.url());
      url.username = 'hostile';
      url.password = encodeURIComponent(password);
      const client = await TediousClient.connect(new MssqlEndpoint(url.href).tedious());
      expect((await client.batch('SELECT SYSTEM_USER AS me')).rows).toEqual([{ me: 'hostile' }]);
      await client.close();
      await endpoint.query('DROP LOGIN [hostile]');
    },
  );

  it('can insist on encryption, and do without', async () => {
    const required = await MssqlStandIn.start({ encryption: 'required', tls });
    const plain = TediousClient.connect(new MssqlEndpoint(required.url()).tedious('master', { encrypt: false }));
    expect(await failure(plain)).toMatchObject({ code: 'EENCRYPT' });
    for (const encrypt of [true, 'strict'] as const) {
      const options = { encrypt, serverName: 'localhost', cryptoCredentialsDetails: { ca: tls.certificate } };
      const client = await TediousClient.connect(new MssqlEndpoint(required.url()).tedious('master', options));
      expect((await client.batch('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
      await client.close();
    }
    expect(required.log).toBe('');
    await required.close();
    const unsupported = await MssqlStandIn.start({ encryption: 'unsupported' });
    const encrypted = TediousClient.connect(new MssqlEndpoint(unsupported.url()).tedious('master', { encrypt: true }));
    expect(await failure(encrypted)).toMatchObject({ code: 'EENCRYPT' });
    await unsupported.close();
  });

  it('tells whoever asks something that it does not outlive', async () => {
    const own = await MssqlStandIn.start();
    const asker = new MssqlEndpoint(own.url());
    const database = await asker.createDatabase();
    const asked = failure(asker.query("WAITFOR DELAY '00:01:00'", database));
    while ((await asker.sessions(database)).every(({ status }) => status !== 'running'));
    await own.stop('immediate');
    expect(await asked).toBeDefined();
    await own.close();
  });
});

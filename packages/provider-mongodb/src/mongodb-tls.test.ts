import { Secret } from '@dbmanager/core';
import { CertificateFolder, describeWithFerretdb, FerretdbServer } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { MongodbBench } from '../test/mongodb-bench.js';
import type { MongodbOptions } from './mongodb-options.js';

const bench = new MongodbBench();
afterEach(() => bench.close());

describeWithFerretdb('TLS', () => {
  let certificates: CertificateFolder;
  /** Its certificate names localhost, and it asks for one of its clients. */
  let server: FerretdbServer;
  const file = (name: string) => certificates.file(name);

  beforeAll(async () => {
    certificates = await CertificateFolder.create();
    const clientAuthorities = certificates.authority.certificate;
    server = await FerretdbServer.start({ tls: { ...certificates.sign('localhost'), clientAuthorities } });
  });
  afterAll(async () => {
    await server.close();
    await certificates?.remove();
  });

  const probe = async (over: Partial<MongodbOptions>) => {
    const { port, user, password } = server;
    const connection = await bench.open({
      ...{ host: 'localhost', port, user, password: new Secret(password), database: 'app', connectTimeoutMs: 2_000 },
      ...{ sslcert: file('client.pem'), sslkey: file('client.key') },
      ...over,
    });
    await connection.lanes.renew({ signal: new AbortController().signal });
  };
  const ca = () => file('ca.pem');

  it.each([
    ['require, whatever the certificate', () => ({ host: '127.0.0.1', sslmode: 'require' }) as const],
    ['verify-ca, whatever its name', () => ({ host: '127.0.0.1', sslmode: 'verify-ca', sslrootcert: ca() }) as const],
    ['verify-full', () => ({ sslmode: 'verify-full', sslrootcert: ca() }) as const],
  ])('connects with sslmode %s', async (_, options) => {
    await probe(options());
  });

  it.each([
    [
      'a name that the certificate has not',
      () => ({ host: '127.0.0.1', sslmode: 'verify-full', sslrootcert: ca() }) as const,
    ],
    ['an authority that is not trusted', () => ({ sslmode: 'verify-ca', sslrootcert: file('other.pem') }) as const],
    ['authorities that Node trusts alone', () => ({ sslmode: 'verify-full' }) as const],
  ])('refuses %s, and does not try again', async (_, options) => {
    await expect(probe(options())).rejects.toMatchObject({ code: 'DBM_TLS_FAILED', retryable: false });
  });

  it('fails without TLS where the server wants it', async () => {
    await expect(probe({ sslmode: 'disable' })).rejects.toMatchObject({ code: expect.stringMatching(/^DBM_CONNECT_/) });
  });
});

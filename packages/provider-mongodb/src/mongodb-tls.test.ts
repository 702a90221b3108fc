import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '@dbmanager/core';
import { describeWithFerretdb, FerretdbServer } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { generate } from 'selfsigned';
import { MongodbBench } from '../test/mongodb-bench.js';
import type { MongodbOptions } from './mongodb-options.js';

const bench = new MongodbBench();
afterEach(() => bench.close());

/** A key and certificate for `commonName`, signed by `ca` or by itself. */
async function certificate(commonName: string, ca?: { key: string; cert: string }) {
  const { private: key, cert } = await generate([{ name: 'commonName', value: commonName }], {
    algorithm: 'sha256',
    keyType: 'ec',
    extensions: [
      { name: 'basicConstraints', cA: ca === undefined },
      { name: 'subjectAltName', altNames: [{ type: 2, value: commonName }] },
    ],
    ...(ca && { ca }),
  });
  return { key, cert };
}

describeWithFerretdb('TLS', () => {
  let folder: string;
  /** Its certificate names localhost, and it asks for one of its clients. */
  let server: FerretdbServer;
  const file = (name: string) => join(folder, name);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dbmanager-mongodb-tls-'));
    const ca = await certificate('test authority');
    const other = await certificate('another authority');
    const own = await certificate('localhost', ca);
    const client = await certificate('client', ca);
    await writeFile(file('ca.pem'), ca.cert);
    await writeFile(file('other.pem'), other.cert);
    await writeFile(file('client.pem'), client.cert);
    await writeFile(file('client.key'), client.key);
    server = await FerretdbServer.start({ tls: { key: own.key, certificate: own.cert, clientAuthorities: ca.cert } });
  });
  afterAll(async () => {
    await server.close();
    await rm(folder, { recursive: true });
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

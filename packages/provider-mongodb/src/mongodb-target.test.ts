import { type ConnectionConfig, Secret } from '@dbmanager/core';
import { testConfig } from '@dbmanager/testkit';
import { describe, expect, it } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { clientSetup } from './client-options.js';
import { parseMongodbDsn } from './mongodb-dsn.js';
import type { MongodbOptions } from './mongodb-options.js';
import { mongodbProvider } from './mongodb-provider.js';
import { checkTarget, resolveTarget } from './mongodb-target.js';

type Options = Parameters<typeof testConfig<unknown, MongodbOptions>>[1];

const config = (options: Options): ConnectionConfig<MongodbOptions> => testConfig(mongodbProvider, options, 'docs');
const dsn = (text: string) => ({ dsn: new Secret(text) });

/** What the driver makes of it. */
async function understood(options: Options) {
  const { url, options: passed } = await clientSetup(resolveTarget(config(options)), config(options));
  const client = new MongoClient(url, passed);
  try {
    return client.options;
  } finally {
    await client.close();
  }
}

describe('a connection string', () => {
  it.each([
    ['mongodb://db', { srv: false, hosts: ['db'], parameters: [] }],
    ['mongodb://a:1,b:2,[::1]:3/app', { hosts: ['a:1', 'b:2', '[::1]:3'], database: 'app' }],
    [
      'mongodb://u:p%40%2F%3A@db/?replicaSet=rs0&tls=true',
      {
        user: 'u',
        password: 'p@/:',
        parameters: [
          ['replicaSet', 'rs0'],
          ['tls', 'true'],
        ],
      },
    ],
    ['mongodb://u@db', { user: 'u' }],
    [
      'mongodb+srv://u:p@cluster.example/app?retryWrites=false',
      { srv: true, hosts: ['cluster.example'], database: 'app' },
    ],
    ['mongodb://%2Ftmp%2Fmongodb.sock/app', { hosts: ['/tmp/mongodb.sock'] }],
  ])('%s is read', (text, expected) => {
    expect(parseMongodbDsn(text)).toMatchObject(expected);
  });

  it.each([
    'postgres://u:s3cret@db/app',
    'mongodb://u:s3cret@/app',
    'mongodb://u:s3cret%@db/app',
    'mongodb://u:s3cret/@db/app?x',
    'mongodb+srv://u:s3cret@a,b/app',
    'mongodb+srv://u:s3cret@a:27017/app',
  ])('%s is refused without showing anything of it', (text) => {
    const [problem] = checkTarget(config(dsn(text)));
    expect(problem?.path).toEqual(['dsn']);
    expect(problem?.message).not.toContain('s3cret');
  });
});

describe('the options', () => {
  it('become those of the driver', async () => {
    const options = await understood({
      host: 'a.example,b.example:27018',
      port: 27_019,
      user: 'app',
      password: new Secret(`p@ss w/'"`),
      database: 'orders',
      replicaSet: 'rs0',
      readPreference: 'secondaryPreferred',
      maxOpenConns: 7,
      maxConnecting: 3,
      connMaxIdleTimeMs: 1_000,
      acquireTimeoutMs: 2_000,
      connectTimeoutMs: 3_000,
      queryTimeoutMs: 4_000,
    });
    expect(options.hosts.map(String)).toEqual(['a.example:27019', 'b.example:27018']);
    expect(options.readPreference.mode).toBe('secondaryPreferred');
    expect(options.credentials).toMatchObject({ username: 'app', password: `p@ss w/'"`, source: 'admin' });
    expect(options).toMatchObject({
      appName: 'dbmanager:docs',
      dbName: 'orders',
      replicaSet: 'rs0',
      maxPoolSize: 7,
      minPoolSize: 0,
      maxConnecting: 3,
      maxIdleTimeMS: 1_000,
      waitQueueTimeoutMS: 2_000,
      serverSelectionTimeoutMS: 2_000,
      connectTimeoutMS: 3_000,
      socketTimeoutMS: 4_000,
    });
  });

  it('give way to what a connection string says, except for pool and timeouts', async () => {
    const options = await understood({
      ...dsn('mongodb://u:p@db/app?readPreference=nearest&replicaSet=rs1&authSource=people&maxPoolSize=90&tls=true'),
      host: 'elsewhere',
      user: 'somebody',
      database: 'other',
      replicaSet: 'rs0',
      authSource: 'admin',
      sslmode: 'disable',
      maxOpenConns: 7,
    });
    expect(options.hosts.map(String)).toEqual(['db:27017']);
    expect(options.credentials).toMatchObject({ username: 'u', password: 'p', source: 'people' });
    expect(options.readPreference.mode).toBe('nearest');
    expect(options).toMatchObject({ dbName: 'app', replicaSet: 'rs1', maxPoolSize: 7, tls: true });
  });

  it.each([
    ['of the parts in admin', { database: 'app', user: 'u', password: new Secret('p') }, 'admin'],
    ['of a connection string in the database that it names', dsn('mongodb://u:p@db/app'), 'app'],
    ['where auth_source says', { ...dsn('mongodb://u:p@db/app'), authSource: 'people' }, 'people'],
  ])('look for the user %s', async (_, options, source) => {
    expect((await understood(options)).credentials).toMatchObject({ source });
  });

  it('log nobody in without a user', async () => {
    expect((await understood({ database: 'app' })).credentials).toBeUndefined();
  });

  it.each([
    ['disable', { tls: false }],
    ['require', { tls: true, rejectUnauthorized: false }],
    ['verify-ca', { tls: true, checkServerIdentity: expect.any(Function) }],
    ['verify-full', { tls: true }],
  ] as const)('sslmode %s', async (sslmode, expected) => {
    const options = await understood({ database: 'app', sslmode });
    expect(options).toMatchObject(expected);
    if (sslmode === 'verify-full') {
      expect(options.rejectUnauthorized).not.toBe(false);
      expect(options.checkServerIdentity).toBeUndefined();
    }
  });

  it.each([
    [{}, 'database', 'missing'],
    [dsn('mongodb://db'), 'dsn', 'missing'],
    [{ database: 'app', host: 'a b' }, 'host', 'invalid-host'],
    [{ database: 'app', host: 'a:99999' }, 'host', 'out-of-range'],
    [{ database: 'app', sslcert: '/client.pem' }, 'sslcert', 'incomplete'],
  ] as const)('%j are refused', (options, key, rule) => {
    expect(checkTarget(config(options))).toMatchObject([{ path: [key], rule }]);
  });

  it('that the driver refuses are named before anything connects', async () => {
    const open = mongodbProvider.open(config(dsn('mongodb://u:s3cret@db/app?noSuchOption=1')), {} as never);
    await expect(open).rejects.toMatchObject({ code: 'DBM_INVALID_OPTION', option: 'dsn', connectionName: 'docs' });
    await expect(open).rejects.toThrow(/nosuchoption/);
  });

  it('with a certificate that cannot be read are refused', async () => {
    const options = { database: 'app', sslmode: 'verify-full', sslrootcert: '/no/such/ca.pem' } as const;
    await expect(understood(options)).rejects.toMatchObject({ code: 'DBM_TLS_FAILED', option: 'sslrootcert' });
  });
});

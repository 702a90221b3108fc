import { loadPeer, Secret } from '@dbmanager/core';
import { describeWithMongodb, FaultProxy, runProviderSuite } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { createMongodbProvider, mongodbProvider } from './mongodb-provider.js';

describeWithMongodb('MongoDB', (mongodb) => {
  const proxies: FaultProxy[] = [];
  /** Every connection of the suite runs through it: what is left open is seen there. */
  let through: FaultProxy;

  const options = (over: object = {}) => {
    const { password, ...rest } = mongodb().connection('suite');
    return { ...rest, password: new Secret(password), ...over };
  };
  /** To that place alone: a member of a replica set would name others. */
  const dsn = ({ host, port }: { host: string; port: number }) => {
    const { user, password } = mongodb();
    const login = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
    return { dsn: new Secret(`mongodb://${login}@${host}:${port}/suite?authSource=admin&directConnection=true`) };
  };

  beforeAll(async () => {
    through = await FaultProxy.start(mongodb());
  });
  afterAll(async () => {
    through.close();
    await mongodb().dropUser('hostile', 'suite');
    await mongodb().dropDatabase('suite');
  });
  afterEach(() => {
    for (const made of proxies.splice(0)) made.close();
  });

  runProviderSuite({
    name: 'mongodb',
    provider: mongodbProvider,
    connection: () => dsn(through),
    capabilities: { sql: false, native: true },
    hooks: {
      withoutDriver: createMongodbProvider({
        loadDriver: (connectionName) =>
          loadPeer('mongodb-of-another-planet', import.meta.url, { by: 'type mongodb', connectionName }),
      }),
      unreachable: () => options({ host: '127.0.0.1', port: 1 }),
      async silent() {
        const silent = await FaultProxy.start(mongodb());
        proxies.push(silent);
        silent.silent = true;
        // The driver cannot be kept from waiting for a handshake that has begun.
        return { ...dsn(silent), connectTimeoutMs: 500 };
      },
      wrongPassword: () => ({
        options: options({ password: new Secret('not-the-password') }),
        password: 'not-the-password',
      }),
      async withPassword(password) {
        await mongodb().setUser('hostile', password, 'suite');
        return options({ user: 'hostile', password: new Secret(password), authSource: 'suite' });
      },
      openConnections: async () => through.live,
      async assertSettled() {
        await Promise.all([through, ...proxies].map((proxy) => proxy.untilLive(0)));
      },
      async useNative(handle) {
        const client = handle as MongoClient;
        await client.db().collection('native').insertOne({ used: true });
        await client.close();
        expect(() => client.db()).toThrow(expect.objectContaining({ code: 'DBM_CLOSED' }));
      },
      async adoptable() {
        const handle = new MongoClient(mongodb().url('suite'), { maxPoolSize: 3 });
        return {
          handle,
          check: async () => void (await handle.db().command({ ping: 1 })),
          dispose: () => handle.close(),
        };
      },
    },
  });
});

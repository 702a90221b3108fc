import { isDeepStrictEqual } from 'node:util';
import { Secret } from '@dbmanager/core';
import {
  describeWithFerretdb,
  describeWithMongodb,
  FaultProxy,
  FerretdbServer,
  type MongodbEndpoint,
} from '@dbmanager/testkit';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { clientOf, directly, MongodbBench, until } from '../test/mongodb-bench.js';
import { mongoClient } from './mongodb-provider.js';

/** How often a server comes and goes. */
const FLAPS = 8;

const bench = new MongodbBench();
afterEach(() => bench.close());

describeWithMongodb('faults of the network', (mongodb) => {
  let proxy: FaultProxy;

  beforeEach(async () => {
    proxy = bench.keep(await FaultProxy.start(mongodb()));
  });
  afterAll(async () => {
    await mongodb().dropDatabase('bench');
  });

  const through = (over: Parameters<typeof directly>[1] = {}) => directly(placeOf(proxy, mongodb()), over);

  it('1: a port that is closed at the start is told at once, by name, and nothing stays open', async () => {
    proxy.refuse();
    const mgr = bench.manage({ docs: through({ retryAttempts: 1 }) });
    const failure = mgr.connect();
    await expect(failure).rejects.toMatchObject({ code: 'DBM_STARTUP_FAILED', connectionName: 'docs' });
    await expect(failure).rejects.toMatchObject({ cause: { code: 'DBM_CONNECT_FAILED', retryable: true } });
    expect(mgr.get('docs').stats().pool).toMatchObject({ open: 0, created: 0 });
    await proxy.untilLive(0);
  });

  it('2: an optional connection heals by itself', async () => {
    proxy.refuse();
    const mgr = bench.manage({ docs: through({ startup: 'optional' }) });
    await mgr.connect();
    const connection = mgr.get('docs');
    await until(() => connection.health().error !== undefined);
    await proxy.accept();
    await until(() => connection.state === 'ready');
    expect(connection.health().status).toBe('healthy');
  });

  it('3: a server that takes connections and says nothing fails a connect in time', async () => {
    proxy.silent = true;
    const connection = await bench.open(through({ connectTimeoutMs: 300 }));
    await expect(connection.lanes.renew({ signal: new AbortController().signal })).rejects.toMatchObject({
      code: 'DBM_CONNECT_TIMEOUT',
    });
    expect(connection.lanes.stats()).toMatchObject({ open: 0, inUse: 0, pending: 0 });
    await connection.close();
    await proxy.untilLive(0);
  });

  it('4: no query fails when all idle connections are ended', async () => {
    const connection = await bench.open(through());
    const documents = clientOf(connection).db().collection('documents');
    await Promise.all(Array.from({ length: 5 }, () => documents.findOne()));
    proxy.cut();
    // Reads are repeated once; a write meets none of them once their end has been noticed.
    await Promise.all(Array.from({ length: 5 }, () => documents.findOne()));
    await Promise.all(Array.from({ length: 5 }, () => documents.insertOne({})));
  });

  it('5: a connection that is cut in mid-query rejects it; the pool refills', async () => {
    const connection = await bench.open(through());
    const documents = clientOf(connection).db().collection('documents');
    await documents.findOne();
    proxy.toClient.cutAfterBytes = 0;
    proxy.toClient.cutBy = 'reset';
    // A write is not repeated on a single server.
    await expect(documents.insertOne({})).rejects.toMatchObject({ name: 'MongoNetworkError' });
    await documents.findOne();
    expect(connection.lanes.stats().closedBy.error).toBeGreaterThan(0);
  });

  it('6, 7: of idle connections that were black-holed one query notices, within its timeout', async () => {
    const connection = await bench.open(through({ queryTimeoutMs: 1_000, maxIdleConns: 5, maxConnecting: 5 }));
    const documents = clientOf(connection).db().collection('documents');
    const insertFive = () => Promise.allSettled(Array.from({ length: 5 }, () => documents.insertOne({})));
    proxy.toServer.latencyMs = 20;
    await until(() => insertFive().then(() => connection.lanes.counts.idle === 5));
    proxy.heal();
    const before = connection.lanes.stats().closedBy;
    proxy.blackHole();
    const outcomes: PromiseSettledResult<unknown>[] = [];
    for (let n = 0; n < 6; n++) outcomes.push(...(await Promise.allSettled([documents.insertOne({})])));
    // One timeout: the others are closed before anybody meets them.
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    const after = connection.lanes.stats().closedBy;
    expect([after.error - before.error, after.flush - before.flush]).toEqual([1, 4]);
  });

  it('8: an answer that is cut in the middle rejects; in pieces of one byte it arrives', async () => {
    const connection = await bench.open(through());
    const documents = clientOf(connection).db().collection<{ _id: string; text: string }>('long');
    await documents.replaceOne({ _id: 'x' }, { text: 'x'.repeat(2_000) }, { upsert: true });
    proxy.toClient.sliceBytes = 1;
    expect(await documents.findOne({ _id: 'x' })).toMatchObject({ text: 'x'.repeat(2_000) });
    proxy.heal();
    proxy.toClient.cutAfterBytes = 500;
    await expect(
      documents.insertMany([{ _id: 'y', text: '' }]).then(() => documents.find().batchSize(1).toArray()),
    ).resolves.toHaveLength(2);
    await documents.deleteMany({});
  });

  it('13: probes of other databases stay in time while one hangs', async () => {
    const silent = bench.keep(await FaultProxy.start(mongodb()));
    silent.silent = true;
    const hanging = directly(placeOf(silent, mongodb()), {
      startup: 'lazy',
      connectTimeoutMs: 60_000,
      healthCheckTimeoutMs: 60_000,
    });
    const mgr = bench.manage({ hanging, well: through(), better: through() });
    await mgr.connect();
    let over = false;
    const check = mgr
      .get('hanging')
      .healthCheck()
      .finally(() => {
        over = true;
      });
    const outcome = expect(check).rejects.toMatchObject({ code: 'DBM_CLOSED' });
    for (let n = 0; n < 5; n++) await Promise.all(['well', 'better'].map((name) => mgr.get(name).healthCheck()));
    expect(mgr.stats()).toMatchObject({ totalConnections: 3, healthyCount: 2 });
    expect(over).toBe(false);
    await mgr.close();
    await outcome;
  });
});

describeWithMongodb('a password', (mongodb) => {
  it('18: that is wrong is tried again without end; corrected on the server, the connection heals by itself', async () => {
    await mongodb().setUser('rotated', 'old', 'bench');
    const login = { ...mongodb().connection('bench'), user: 'rotated', password: 'new' };
    const { host, port, user } = login;
    const mgr = bench.manage({
      docs: {
        ...{ host, port, user, database: 'bench', authSource: 'bench', password: new Secret(login.password) },
        ...{ startup: 'optional', retryDelayMs: 50, retryMaxDelayMs: 100 },
      },
    });
    await mgr.connect();
    const connection = mgr.get('docs');
    await until(() => connection.stats().reconnects.failure > 1);
    expect(connection.health().error).toMatchObject({ code: 'DBM_AUTH_FAILED' });
    await mongodb().setUser('rotated', 'new', 'bench');
    await until(() => connection.state === 'ready');
    await mongodb().dropUser('rotated', 'bench');
  });
});

describeWithFerretdb('faults of the server', () => {
  it('9: stopped under load, it is told by typed errors, and all is well when it is back', async () => {
    const server = bench.keep(await FerretdbServer.start());
    const mgr = bench.manage({ docs: directly(server, { maxOpenConns: 8, acquireTimeoutMs: 1_000 }) });
    await mgr.connect();
    const connection = mgr.get('docs');
    const documents = mongoClient(connection).db().collection('documents');
    const reconnects: string[] = [];
    const delays: number[] = [];
    mgr.events.on('reconnect', ({ result, nextDelayMs }) => {
      reconnects.push(result);
      if (nextDelayMs !== undefined) delays.push(nextDelayMs);
    });
    let running = true;
    let mostConnecting = 0;
    const errors = new Set<string>();
    const workers = Array.from({ length: 64 }, async () => {
      while (running) {
        await documents.insertOne({}).catch((error: Error) => errors.add(error.name));
        mostConnecting = Math.max(mostConnecting, connection.stats().pool.connecting);
      }
    });
    await until(() => connection.stats().pool.acquired > 100);
    await server.stop('immediate');
    await until(() => connection.state === 'degraded' && reconnects.includes('failure'));
    expect(connection.stats()).toMatchObject({ pool: { down: true }, health: { status: 'unhealthy' } });
    await server.start();
    const failures = delays.length;
    await until(() => connection.state === 'ready');
    // At most an attempt that was under way is lost, and between two are never more than `retry_max_delay`.
    expect(delays.length).toBeLessThanOrEqual(failures + 1);
    expect(Math.max(...delays)).toBeLessThanOrEqual(200);
    const { acquired } = connection.stats().pool;
    await until(() => connection.stats().pool.acquired > acquired + 100);
    running = false;
    await Promise.all(workers);
    expect(reconnects.at(-1)).toBe('success');
    expect(mostConnecting).toBeLessThanOrEqual(2);
    for (const name of errors) expect(name).toMatch(/^Mongo|^Pool/);
    await mgr.close();
    const { created, destroyed } = connection.stats().pool;
    expect(created).toBe(destroyed);
  }, 60_000);

  it('12: going and coming again and again leaves nothing behind, and each time it is found out and healed', async () => {
    const server = bench.keep(await FerretdbServer.start());
    const proxy = bench.keep(await FaultProxy.start(server));
    const mgr = bench.manage({ docs: directly(placeOf(proxy, server), { maxOpenConns: 4, retryDelayMs: 20 }) });
    await mgr.connect();
    const connection = mgr.get('docs');
    const client = mongoClient(connection);
    const documents = client.db().collection('documents');
    const states: string[] = [];
    mgr.events.on('state', ({ to }) => states.push(to));
    const held = () => {
      const { open, connecting, inUse, pending } = connection.stats().pool;
      const listeners = client.eventNames().reduce((sum, name) => sum + client.listenerCount(name as never), 0);
      // Two monitors beside the pool, and a connection of one of them that is being replaced.
      return { inUse, pending, within: open + connecting <= 4, sockets: proxy.live <= 4 + 3, listeners };
    };
    const before = { inUse: 0, pending: 0, within: true, sockets: true, listeners: held().listeners };
    const isAsBefore = () => isDeepStrictEqual(held(), before);
    const work = () => Promise.all(Array.from({ length: 8 }, () => documents.insertOne({})));
    for (let round = 0; round < FLAPS; round++) {
      proxy.refuse();
      proxy.cut('reset');
      await until(() => connection.state === 'degraded');
      await proxy.accept();
      await until(() => connection.state === 'ready');
      await until(() =>
        work()
          .then(() => true)
          .catch(() => false),
      );
      await until(isAsBefore);
    }
    expect(states.length).toBeGreaterThanOrEqual(2 * FLAPS);
    await mgr.close();
    await proxy.untilLive(0);
    const { created, destroyed } = connection.stats().pool;
    expect(created).toBe(destroyed);
  });

  it('the death of one connection is no fault of the database', async () => {
    const server = bench.keep(await FerretdbServer.start());
    const proxy = bench.keep(await FaultProxy.start(server));
    const mgr = bench.manage({ docs: directly(placeOf(proxy, server)) });
    await mgr.connect();
    const states: string[] = [];
    mgr.events.on('state', ({ to }) => states.push(to));
    const documents = mongoClient(mgr.get('docs')).db().collection('documents');
    proxy.toClient.cutAfterBytes = 0;
    await expect(documents.insertOne({})).rejects.toMatchObject({ name: 'MongoNetworkError' });
    proxy.heal();
    await mgr.get('docs').healthCheck();
    expect(states).toEqual([]);
  });
});

describe('a server that refuses a ping', () => {
  it('is found out by the check, and well again when it answers, on the connection that there is', async () => {
    const server = await bench.standIn();
    const mgr = bench.manage({ docs: directly(server) });
    await mgr.connect();
    const connection = mgr.get('docs');
    server.failNext('ping', { code: 1, errmsg: 'internal error' });
    const states: string[] = [];
    mgr.events.on('state', ({ to }) => states.push(to));
    await expect(connection.healthCheck()).rejects.toMatchObject({ cause: { code: 'DBM_CONNECT_FAILED' } });
    await until(() => states.length === 2);
    expect(states).toEqual(['degraded', 'ready']);
    expect(connection.stats().reconnects).toEqual({ success: 1, failure: 0 });
  });
});

describe('a replica set', () => {
  it('without a primary says so', async () => {
    const secondary = await bench.standIn('secondary');
    const connection = await bench.open({
      host: secondary.address,
      database: 'bench',
      replicaSet: 'rs0',
      connectTimeoutMs: 250,
    });
    await expect(connection.lanes.renew({ signal: new AbortController().signal })).rejects.toMatchObject({
      code: 'DBM_CONNECT_TIMEOUT',
      message: expect.stringContaining('no server that the read preference primary allows'),
    });
  });

  it('11: only the first write meets a primary that has become a secondary, and the driver repeats it', async () => {
    const [first, second] = [await bench.standIn('primary'), await bench.standIn('secondary')];
    const elect = (primary: typeof first, secondary: typeof first) => {
      for (const member of [first, second]) {
        member.members = [first.address, second.address];
        member.primary = primary.address;
      }
      [primary.role, secondary.role] = ['primary', 'secondary'];
    };
    elect(first, second);
    const connection = await bench.open({
      host: `${first.address},${second.address}`,
      database: 'bench',
      replicaSet: 'rs0',
    });
    const documents = clientOf(connection).db().collection('documents');
    await documents.insertOne({});
    elect(second, first);
    first.answer(({ name }) =>
      name === 'insert'
        ? {
            ok: 0,
            code: 10_107,
            codeName: 'NotWritablePrimary',
            errmsg: 'not primary',
            errorLabels: ['RetryableWriteError'],
          }
        : undefined,
    );
    for (let n = 0; n < 3; n++) await documents.insertOne({});
    expect(first.names.filter((name) => name === 'insert')).toHaveLength(2);
    expect(second.names.filter((name) => name === 'insert')).toHaveLength(3);
  });
});

function placeOf({ host, port }: FaultProxy, { user, password }: Pick<MongodbEndpoint, 'user' | 'password'>) {
  return { host, port, user, password };
}

import { inspect } from 'node:util';
import { Secret } from '@dbmanager/core';
import type { MongodbStandIn } from '@dbmanager/testkit';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { clientOf, directly, MongodbBench, until } from '../test/mongodb-bench.js';

const bench = new MongodbBench();
let server: MongodbStandIn;

beforeEach(async () => {
  server = await bench.standIn();
});
afterEach(() => bench.close());

describe('the native handle', () => {
  it('is a MongoClient', async () => {
    const client = clientOf(await bench.open(directly(server)));
    expect(client).toBeInstanceOf(MongoClient);
    expect(client.constructor.name).toBe('MongoClient');
    expect(client.options.maxPoolSize).toBe(25);
    let opened = 0;
    expect(client.once('open', () => opened++)).toBe(client);
    expect(await client.connect()).toBe(client);
    expect(opened).toBe(1);
    await client.withSession((session) => client.db().collection('a').insertOne({}, { session }));
    await client.db('other').command({ ping: 1 });
    expect(server.commands.at(-1)?.document).toMatchObject({ ping: 1, $db: 'other' });
  });

  it('is detached by its close alone, and attached again by a connect', async () => {
    const connection = await bench.open(directly(server));
    const [one, other] = [clientOf(connection), clientOf(connection)];
    const taken = one.db().collection('a');
    await one.close();
    for (const begin of [() => one.db(), () => one.startSession(), () => one.watch()]) {
      expect(begin).toThrow(expect.objectContaining({ code: 'DBM_CLOSED' }));
    }
    await other.db().collection('a').insertOne({});
    await taken.insertOne({});
    await one.connect();
    await one.db().collection('a').insertOne({});
    {
      await using disposed = clientOf(connection);
      await disposed.db().collection('a').insertOne({});
    }
    expect(connection.lanes.stats().closedBy.close).toBe(0);
  });

  it('does not let what is reached by it end the client of all', async () => {
    const connection = await bench.open(directly(server));
    const client = clientOf(connection);
    await client.db().collection('a').insertOne({});
    const session = client.startSession();
    // Left out of the driver's types.
    await (session as unknown as { client: MongoClient }).client.close();
    await session.endSession();
    await client.db().client.close();
    await client.db().collection('a').insertOne({});
    expect(connection.lanes.stats().closedBy.close).toBe(0);
  });

  it('shows neither user nor password', async () => {
    const connection = await bench.open({
      database: 'app',
      user: 'somebody',
      password: new Secret('s3cret'),
    });
    const shown = inspect(clientOf(connection), { depth: 10, showHidden: true });
    expect(shown).toBe("MongoClient { connection: 'test' }");
  });

  it('tries again after a connect that failed', async () => {
    const { port } = server;
    await server.close();
    const connection = await bench.open(directly({ host: '127.0.0.1', port }, { acquireTimeoutMs: 250 }));
    const documents = clientOf(connection).db().collection('documents');
    await expect(documents.findOne()).rejects.toMatchObject({ name: 'MongoServerSelectionError' });
    const again = documents.findOne();
    await expect(again).rejects.toMatchObject({ name: 'MongoServerSelectionError' });
  });

  it('fails operations when too many wait already', async () => {
    const connection = await bench.open(directly(server, { maxOpenConns: 1, maxPending: 2 }));
    const { promise, resolve } = Promise.withResolvers<object>();
    server.answer(({ name }) => (name === 'insert' ? (promise as Promise<Record<string, unknown>>) : undefined));
    const documents = clientOf(connection).db().collection('documents');
    const first = documents.insertOne({});
    await until(() => connection.lanes.counts.inUse === 1);
    const inserts = [first, documents.insertOne({}), documents.insertOne({})];
    await until(() => connection.lanes.counts.pending === 2);
    await expect(documents.insertOne({})).rejects.toMatchObject({ code: 'DBM_QUEUE_FULL', option: 'max_pending' });
    resolve({ ok: 1, n: 1 });
    await Promise.all(inserts);
  });
});

describe('an adopted client', () => {
  it('is counted and watched, trimmed by nobody, and works on', async () => {
    const handle = bench.keep(
      new MongoClient(`mongodb://${server.address}/app?directConnection=true`, { maxPoolSize: 4 }),
    );
    await handle.db().collection('a').insertOne({});
    const mgr = bench.manage({});
    const connection = await mgr.register('mine', { type: 'mongodb', handle, max_idle_conns: 0 });
    await connection.healthCheck();
    const documents = handle.db().collection('documents');
    await Promise.all(Array.from({ length: 3 }, () => documents.insertOne({})));
    expect(connection.stats()).toMatchObject({
      pool: { max: 4, inUse: 0, closedBy: { idle: 0 } },
      identity: { system: 'mongodb', namespace: 'app', address: '127.0.0.1', port: server.port },
    });
    expect(connection.stats().pool.open).toBeGreaterThan(0);
    const native = connection.native() as MongoClient;
    await native.close();
    await mgr.close();
    await documents.insertOne({});
    expect(handle.listenerCount('connectionCheckedOut')).toBe(0);
  });

  it('lends nothing any more once closing has begun, and waits for what was lent before', async () => {
    const handle = bench.keep(new MongoClient(`mongodb://${server.address}/app?directConnection=true`));
    const mgr = bench.manage({});
    const connection = await mgr.register('mine', { type: 'mongodb', handle });
    const lease = await connection.acquire();
    const closing = mgr.close({ drainTimeoutMs: 60_000 });
    await until(() => connection.state === 'closing');
    await expect(connection.acquire()).rejects.toMatchObject({ code: 'DBM_CLOSED' });
    lease.release();
    expect(await closing).toMatchObject({ drained: true });
  });
});

import { NotMongoDatabaseError } from '@dbmanager/core';
import { describeWithFerretdb, FerretdbServer, type MongodbStandIn } from '@dbmanager/testkit';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { directly, MongodbBench } from '../test/mongodb-bench.js';
import { mongoClient } from './mongodb-provider.js';
import { mongodbTransaction } from './mongodb-transaction.js';

const bench = new MongodbBench();
afterEach(() => bench.close());

describe('a transaction', () => {
  let server: MongodbStandIn;

  beforeEach(async () => {
    server = await bench.standIn();
  });

  async function connect() {
    const mgr = bench.manage({ docs: directly(server) });
    await mgr.connect();
    server.commands.length = 0;
    return mgr.get('docs');
  }

  it('is committed when its work resolves', async () => {
    const connection = await connect();
    const result = await mongodbTransaction(connection, async (session, client) => {
      await client.db().collection('orders').insertOne({ n: 1 }, { session });
      return 'done';
    });
    expect(result).toBe('done');
    expect(server.names).toEqual(['insert', 'commitTransaction']);
    expect(server.commands[0]?.document).toMatchObject({ startTransaction: true, autocommit: false });
    expect(connection.stats().transactions.outcomes).toMatchObject({ committed: 1, rolled_back: 0 });
    expect(connection.stats().transactions.duration.count).toBe(1);
  });

  it('takes in operations of other handles of the connection', async () => {
    const connection = await connect();
    const orders = mongoClient(connection).db().collection('orders');
    await mongodbTransaction(connection, async (session) => {
      await orders.insertOne({ n: 1 }, { session });
    });
    expect(server.names).toEqual(['insert', 'commitTransaction']);
  });

  it('is rolled back when its work throws, with that very error', async () => {
    const connection = await connect();
    const failure = new Error('of the caller');
    const run = mongodbTransaction(connection, async (session, client) => {
      await client.db().collection('orders').insertOne({}, { session });
      throw failure;
    });
    await expect(run).rejects.toBe(failure);
    expect(server.names).toEqual(['insert', 'abortTransaction']);
    expect(connection.stats().transactions.outcomes).toMatchObject({ committed: 0, rolled_back: 1 });
  });

  it('is run again after it has lost to another', async () => {
    const connection = await connect();
    server.failNext('insert', { code: 112, errmsg: 'WriteConflict', errorLabels: ['TransientTransactionError'] });
    await mongodbTransaction(connection, async (session, client) => {
      await client.db().collection('orders').insertOne({}, { session });
    });
    expect(server.names).toEqual(['insert', 'abortTransaction', 'insert', 'commitTransaction']);
    expect(connection.stats().transactions).toMatchObject({
      outcomes: { committed: 1, rolled_back: 1 },
      retries: { serialization_failure: 1 },
    });
  });

  it('is not run again when its signal was aborted', async () => {
    const connection = await connect();
    const abort = new AbortController();
    server.failNext('insert', { code: 112, errmsg: 'WriteConflict', errorLabels: ['TransientTransactionError'] });
    const run = mongodbTransaction(
      connection,
      async (session, client) => {
        abort.abort();
        await client.db().collection('orders').insertOne({}, { session });
      },
      { signal: abort.signal },
    );
    await expect(run).rejects.toMatchObject({ code: 'DBM_ABORTED' });
    expect(server.names.filter((name) => name === 'insert')).toHaveLength(1);
  });

  it('says so when it is not known whether it was committed', async () => {
    const connection = await connect();
    server.answer(({ name }) => {
      if (name !== 'commitTransaction') return undefined;
      return { ok: 0, code: 50, codeName: 'MaxTimeMSExpired', errmsg: 'operation exceeded time limit' };
    });
    const run = mongodbTransaction(connection, async (session, client) => {
      await client.db().collection('orders').insertOne({}, { session });
    });
    await expect(run).rejects.toMatchObject({ code: 'DBM_COMMIT_UNKNOWN', connectionName: 'docs' });
    expect(connection.stats().transactions.outcomes).toMatchObject({ unknown: 1, committed: 0 });
  });

  it('gives its session back, whatever comes of it', async () => {
    const connection = await connect();
    const sessions: { hasEnded: boolean }[] = [];
    await mongodbTransaction(connection, async (session) => void sessions.push(session));
    await mongodbTransaction(connection, async (session) => {
      sessions.push(session);
      throw new Error('of the caller');
    }).catch(() => undefined);
    expect(sessions.map(({ hasEnded }) => hasEnded)).toEqual([true, true]);
  });

  it('is refused on a single server that is no replica set, before anything is sent', async () => {
    server.role = 'standalone';
    const connection = await connect();
    const insert = mongodbTransaction(connection, async (session, client) => {
      await client.db().collection('orders').insertOne({}, { session });
    });
    await expect(insert).rejects.toMatchObject({ code: 'DBM_UNSUPPORTED', connectionName: 'docs' });
    const session = mongoClient(connection).startSession();
    expect(() => session.startTransaction()).toThrow(expect.objectContaining({ code: 'DBM_UNSUPPORTED' }));
    await session.endSession();
    expect(server.names).toEqual([]);
  });

  it('is refused on a connection of another type', async () => {
    const connection = { name: 'primary', type: 'postgres', acquire: () => Promise.reject(new Error('not reached')) };
    await expect(mongodbTransaction(connection, async () => {})).rejects.toBeInstanceOf(NotMongoDatabaseError);
    expect(() => mongoClient({ ...connection, native: () => undefined })).toThrow(NotMongoDatabaseError);
  });
});

describeWithFerretdb('FerretDB that says it is a replica set', () => {
  it('is told apart by its answer, and nothing is written', async () => {
    const server = bench.keep(await FerretdbServer.start({ replicaSet: 'rs0' }));
    const mgr = bench.manage({ docs: directly(server) });
    await mgr.connect();
    const orders = mongoClient(mgr.get('docs')).db().collection('orders');
    const insert = mongodbTransaction(mgr.get('docs'), async (session) => {
      await orders.insertOne({}, { session });
    });
    await expect(insert).rejects.toMatchObject({ code: 'DBM_UNSUPPORTED', cause: { code: 9 } });
    expect(await orders.countDocuments()).toBe(0);
  });
});

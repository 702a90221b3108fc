import { FakeClock, type MongodbStandIn } from '@dbmanager/testkit';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { clientOf, directly, MongodbBench, next, until } from '../test/mongodb-bench.js';

const bench = new MongodbBench();
let server: MongodbStandIn;

beforeEach(async () => {
  server = await bench.standIn();
});
afterEach(() => bench.close());

const live = () => new AbortController().signal;

/** Holds the answer to each `find` back until it is called. */
function holdFinds(): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.answer(({ name }) =>
    name === 'find' ? promise.then(() => ({ ok: 1, cursor: { id: 0n, ns: 'bench.slow', firstBatch: [] } })) : undefined,
  );
  return resolve;
}

describe('the statistics', () => {
  it('count what the driver’s pool does, as those of our own pool do', async () => {
    const connection = await bench.open(directly(server, { maxOpenConns: 1 }));
    const slow = clientOf(connection).db().collection('slow');
    const goOn = holdFinds();
    const finds = [slow.findOne()];
    await until(() => connection.lanes.counts.inUse === 1);
    finds.push(slow.findOne(), slow.findOne());
    await until(() => connection.lanes.counts.pending === 2);
    expect(connection.lanes.stats()).toMatchObject({
      max: 1,
      open: 1,
      inUse: 1,
      idle: 0,
      saturated: true,
      down: false,
    });
    expect(connection.lanes.stats().oldestBorrowMs).toBeGreaterThan(0);
    goOn();
    await Promise.all(finds);
    const stats = connection.lanes.stats();
    expect(stats).toMatchObject({ open: 1, inUse: 0, idle: 1, pending: 0, saturated: false });
    // The first waited for the connect, the others for it.
    expect(stats).toMatchObject({ acquired: 3, waitCount: 3, created: 1 });
    expect(stats.waitDurationMs).toBeGreaterThan(0);
    expect(stats.waitTime.count).toBe(stats.acquired);
    expect(stats.useTime.count).toBe(3);
    expect(stats.createTime.count).toBe(1);
  });

  it('tell when nobody got a connection in time', async () => {
    const connection = await bench.open(directly(server, { maxOpenConns: 1, acquireTimeoutMs: 1_000 }));
    const slow = clientOf(connection).db().collection('slow');
    const goOn = holdFinds();
    const first = slow.findOne();
    await until(() => connection.lanes.counts.inUse === 1);
    const timeout = next(connection, 'acquireTimeout');
    await expect(slow.findOne()).rejects.toMatchObject({ name: 'MongoWaitQueueTimeoutError' });
    expect((await timeout).waitedMs).toBeGreaterThanOrEqual(999);
    expect(connection.lanes.stats()).toMatchObject({ acquireTimeouts: 1, pending: 0 });
    goOn();
    await first;
  });

  it('15: forget a thousand who gave up waiting', async () => {
    const connection = await bench.open(directly(server, { maxOpenConns: 1 }));
    const slow = clientOf(connection).db().collection('slow');
    const goOn = holdFinds();
    const first = slow.findOne();
    await until(() => connection.lanes.counts.inUse === 1);
    const abort = new AbortController();
    const given = Array.from({ length: 1_000 }, () => slow.findOne({}, { signal: abort.signal }));
    await until(() => connection.lanes.counts.pending === 1_000);
    abort.abort();
    await expect(Promise.allSettled(given)).resolves.toHaveLength(1_000);
    const last = slow.findOne();
    goOn();
    await Promise.all([first, last]);
    expect(connection.lanes.stats()).toMatchObject({ pending: 0, inUse: 0, idle: 1 });
  });

  it('add up the pools of all servers', async () => {
    const second = await bench.standIn('secondary');
    for (const member of [server, second]) {
      member.members = [server.address, second.address];
      member.primary = server.address;
    }
    const connection = await bench.open({
      host: `${server.address},${second.address}`,
      database: 'bench',
      replicaSet: 'rs0',
      readPreference: 'secondary',
      maxOpenConns: 4,
    });
    const documents = clientOf(connection).db().collection('documents');
    await documents.findOne();
    await documents.insertOne({});
    expect(server.names).toContain('insert');
    expect(second.names).toContain('find');
    expect(connection.lanes.stats()).toMatchObject({ max: 8, open: 2, created: 2 });
  });
});

describe('connections', () => {
  it('beyond max_idle_conns are closed when they come back', async () => {
    const connection = await bench.open(directly(server, { maxOpenConns: 6, maxIdleConns: 2 }));
    const slow = clientOf(connection).db().collection('slow');
    const goOn = holdFinds();
    const finds = Array.from({ length: 6 }, () => slow.findOne());
    await until(() => connection.lanes.counts.inUse === 6);
    goOn();
    await Promise.all(finds);
    await until(() => connection.lanes.counts.idle === 2);
    expect(connection.lanes.stats().closedBy).toMatchObject({ idle: 4, flush: 0, lifetime: 0 });
  });

  it('are closed when conn_max_lifetime is over, idle or as they come back', async () => {
    const clock = new FakeClock();
    const options = directly(server, { connMaxLifetimeMs: 60_000, maxOpenConns: 2 });
    const connection = await bench.open(options, { clock });
    const slow = clientOf(connection).db().collection('slow');
    const goOn = holdFinds();
    const finds = [slow.findOne(), slow.findOne()];
    await until(() => connection.lanes.counts.inUse === 2);
    await clock.advance(60_000);
    goOn();
    await Promise.all(finds);
    await until(() => connection.lanes.counts.open === 0);
    await slow.findOne();
    await clock.advance(58_000);
    expect(connection.lanes.counts.open).toBe(1);
    await clock.advance(2_000);
    await until(() => connection.lanes.counts.open === 0);
    expect(connection.lanes.stats().closedBy).toMatchObject({ lifetime: 3, idle: 0 });
  });

  it('are closed by the driver when they were idle for conn_max_idle_time', async () => {
    const connection = await bench.open(directly(server, { connMaxIdleTimeMs: 50 }));
    await clientOf(connection).db().collection('documents').findOne();
    await until(() => connection.lanes.counts.open === 0);
    expect(connection.lanes.stats().closedBy.idle).toBe(1);
  });

  it('are closed by a flush', async () => {
    const connection = await bench.open(directly(server));
    await clientOf(connection).db().collection('documents').findOne();
    connection.lanes.write.flush('reload');
    await until(() => connection.lanes.counts.open === 0);
    expect(connection.lanes.stats().closedBy.flush).toBe(1);
  });

  it('are given up for lost when the server ends them, and a query after that is served', async () => {
    const connection = await bench.open(directly(server));
    const documents = clientOf(connection).db().collection('documents');
    let ended = false;
    server.answer(({ name }) => {
      if (name !== 'find' || ended) return undefined;
      ended = true;
      server.cut();
      return { ok: 1 };
    });
    const lost = next(connection, 'lost');
    // Reads are repeated once by the driver.
    await documents.findOne();
    expect((await lost).error).toBeInstanceOf(Error);
    expect(connection.lanes.stats().closedBy.error).toBe(1);
  });
});

describe('a probe', () => {
  it('asks a server that the read preference allows', async () => {
    const second = await bench.standIn('secondary');
    for (const member of [server, second]) {
      member.members = [server.address, second.address];
      member.primary = server.address;
    }
    const hosts = { host: `${server.address},${second.address}`, database: 'bench', replicaSet: 'rs0' };
    const connection = await bench.open({ ...hosts, readPreference: 'secondary' });
    await connection.lanes.probe(live());
    expect(second.names).toEqual(['ping']);
    expect(server.names).toEqual([]);
  });

  it('14: does not wait for a full pool', async () => {
    const connection = await bench.open(directly(server, { maxOpenConns: 1 }));
    const goOn = holdFinds();
    const find = clientOf(connection).db().collection('slow').findOne();
    await until(() => connection.lanes.counts.inUse === 1);
    await connection.lanes.probe(live());
    expect(server.names).not.toContain('ping');
    goOn();
    await find;
  });

  it('is ended by its signal', async () => {
    const connection = await bench.open(directly(server));
    server.answer(({ name }) => (name === 'ping' ? new Promise(() => {}) : undefined));
    const abort = new AbortController();
    const probe = connection.lanes.probe(abort.signal);
    await until(() => server.names.includes('ping'));
    abort.abort();
    await expect(probe).rejects.toMatchObject({ code: 'DBM_ABORTED' });
  });
});

describe('leases', () => {
  it('17: lend a session, and end a transaction that was left open', async () => {
    const connection = await bench.open(directly(server));
    const lease = await connection.lanes.acquire();
    const { session, client } = lease.connection;
    session.startTransaction();
    await client.db().collection('documents').insertOne({}, { session });
    const dirty = next(connection, 'dirtyRelease');
    lease.release();
    expect(await dirty).toMatchObject({ cleaned: true });
    await until(() => session.hasEnded);
    expect(server.names).toEqual(['insert', 'abortTransaction']);
    expect(connection.lanes.stats().dirtyReleases).toBe(1);
    expect(() => lease.connection).toThrow(expect.objectContaining({ code: 'DBM_LEASE_RELEASED' }));
    lease.release();
    lease.discard();
  });

  it('wait while suspended, and no longer than they want to', async () => {
    const connection = await bench.open(directly(server, { maxPending: 2 }));
    connection.lanes.suspend();
    expect(connection.lanes.stats().suspended).toBe(true);
    const abort = new AbortController();
    const [first, second] = [connection.lanes.acquire(), connection.lanes.acquire({ signal: abort.signal })];
    await expect(connection.lanes.acquire()).rejects.toMatchObject({ code: 'DBM_QUEUE_FULL' });
    abort.abort();
    await expect(second).rejects.toMatchObject({ code: 'DBM_ABORTED' });
    connection.lanes.resume();
    (await first).release();
    connection.lanes.suspend();
    const late = connection.lanes.acquire();
    await connection.close();
    await expect(late).rejects.toMatchObject({ code: 'DBM_CLOSED' });
  });
});

describe('work that goes on for too long', () => {
  it('is reported once, with who began it, and again when it is over', async () => {
    const clock = new FakeClock();
    const connection = await bench.open(directly(server, { leakDetectionMs: 2_000 }), { clock });
    const slow = clientOf(connection).db().collection('slow');
    const goOn = holdFinds();
    const [leak, back] = [next(connection, 'leak'), next(connection, 'leakReturned')];
    await connection.lanes.probe(live());
    const find = slow.findOne();
    await until(() => connection.lanes.counts.inUse === 1);
    await clock.advance(2_000);
    expect((await leak).stack).toContain('mongodb-pool.test');
    await clock.advance(10_000);
    expect(connection.lanes.stats().leaks).toBe(1);
    goOn();
    await find;
    expect((await back).heldMs).toBe(12_000);
  });
});

describe('a close', () => {
  it('waits for operations, cursors and transactions under way, and refuses new ones', async () => {
    const connection = await bench.open(directly(server));
    const client = clientOf(connection);
    const slow = client.db().collection('slow');
    const goOn = holdFinds();
    const find = slow.findOne();
    await using session = client.startSession();
    session.startTransaction();
    await until(() => connection.lanes.counts.inUse === 1);
    const closing = connection.lanes.close({ drainTimeoutMs: 10_000 });
    await expect(slow.insertOne({})).rejects.toMatchObject({ code: 'DBM_CLOSED' });
    expect(() => client.db()).toThrow(expect.objectContaining({ code: 'DBM_CLOSED' }));
    await slow.insertOne({}, { session });
    goOn();
    await find;
    await session.commitTransaction();
    expect(await closing).toEqual({ drained: true, held: [] });
    await until(() => server.live === 0);
    expect(server.names).toEqual(['find', 'insert', 'commitTransaction', 'endSessions']);
  });

  it('16: takes what is left when its time is over, and says who held it', async () => {
    const connection = await bench.open(directly(server));
    holdFinds();
    const find = clientOf(connection).db().collection('slow').findOne();
    const outcome = expect(find).rejects.toThrow();
    await until(() => connection.lanes.counts.inUse === 1);
    const lost: unknown[] = [];
    connection.lanes.on('lost', (event) => lost.push(event));
    const report = await connection.lanes.close({ drainTimeoutMs: 20 });
    expect(report).toMatchObject({ drained: false, held: [{ leaseId: 1 }] });
    await outcome;
    await until(() => server.live === 0);
    const { open, created, destroyed, closedBy } = connection.lanes.stats();
    expect([open, created]).toEqual([0, destroyed]);
    // It was closed, and has not died.
    expect([closedBy.leak, lost]).toEqual([1, []]);
  });
});

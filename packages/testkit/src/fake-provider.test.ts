import { describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from './fake-clock.js';
import { FakeDatabase } from './fake-database.js';
import { type FakeNative, type FakeOptions, FakeProvider } from './fake-provider.js';
import { runProviderSuite } from './provider-suite.js';
import { TestConnection } from './test-connection.js';

for (const readers of [false, true]) {
  const provider = new FakeProvider({ readers });
  const server = provider.database('server');
  const options = (): Partial<FakeOptions> => ({ database: 'server' });
  describe('seeds 3: Mock', () =>
    runProviderSuite({
      name: readers ? 'fake with a read lane' : 'fake',
      provider,
      connection: options,
      capabilities: { sql: true, cancel: true, savepoints: true, native: true },
      values: [{ statement: { sql: 'SELECT ? AS value', params: [42] }, value: 42 }],
      hooks: {
        withoutDriver: new FakeProvider({ driverInstalled: false }),
        unreachable() {
          provider.database('down').goDown();
          return { database: 'down' };
        },
        async silent() {
          provider.database('silent').connects.latencyMs = Number.POSITIVE_INFINITY;
          return { database: 'silent' };
        },
        kill: async (connection) => connection.die(),
        openConnections: async () => server.live.length,
        async endless(work) {
          server.statements.latencyMs = Number.POSITIVE_INFINITY;
          await work({ sql: 'SELECT 1 AS one' });
          server.statements.latencyMs = 0;
        },
        dieInNextCommit: () => server.dieInNextCommit(),
        async useNative(handle) {
          const native = handle as FakeNative;
          await native.use(async (connection) => connection.execute({ sql: 'SELECT 1 AS one' }));
          await native.end();
          await expect(native.use(() => undefined)).rejects.toMatchObject({ code: 'DBM_CLOSED' });
        },
        async adoptable() {
          const handle = new FakeDatabase();
          return { handle, check: async () => handle.assertSettled(), dispose: async () => undefined };
        },
        assertSettled: () => provider.assertSettled(),
      },
    }));
}

describe('FakeDatabase', () => {
  const live = () => new AbortController().signal;
  const context = () => ({ signal: live(), lost() {} });

  it('takes as long to connect as it is told, on the clock of the test', async () => {
    const clock = new FakeClock();
    const database = new FakeDatabase(clock);
    database.connects.latencyMs = 150;
    let made = false;
    const create = database
      .factory()
      .create(context())
      .then(() => {
        made = true;
      });
    await clock.advance(149);
    expect(made).toBe(false);
    await clock.advance(1);
    await create;
    expect(database.created).toEqual([1]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('fails as many connects as it is told', async () => {
    const database = new FakeDatabase();
    database.failNextConnects(2);
    const { create } = database.factory();
    await expect(create(context())).rejects.toMatchObject({ code: 'DBM_CONNECT_FAILED', retryable: true });
    await expect(create(context())).rejects.toMatchObject({ code: 'DBM_CONNECT_FAILED' });
    await expect(create(context())).resolves.toMatchObject({ id: 1 });
    expect(database.attempts).toBe(3);
  });

  it('refuses a wrong password', async () => {
    const database = new FakeDatabase();
    database.password = 'right';
    await expect(database.factory({ password: 'wrong' }).create(context())).rejects.toMatchObject({
      code: 'DBM_AUTH_FAILED',
    });
    await expect(database.factory({ password: 'right' }).create(context())).resolves.toBeDefined();
  });

  it('complains of a second destroy, of use after destroy, and of a destroy under a running statement', async () => {
    const database = new FakeDatabase();
    const factory = database.factory();
    const connection = await factory.create(context());
    database.statements.latencyMs = Number.POSITIVE_INFINITY;
    const abort = new AbortController();
    const statement = connection.execute({ sql: 'SELECT 1 AS one' }, abort.signal);
    await settle();
    await factory.destroy(connection, live());
    abort.abort();
    await expect(statement).rejects.toMatchObject({ code: 'DBM_ABORTED' });
    await expect(factory.destroy(connection, live())).rejects.toThrow('destroyed twice');
    await expect(factory.validate?.(connection, live())).rejects.toThrow('after it had been destroyed');
    expect(database.complaints).toHaveLength(3);
    expect(() => database.assertSettled()).toThrow('destroyed twice');
  });

  it('says which connections were left open', async () => {
    const database = new FakeDatabase();
    await database.factory().create(context());
    expect(() => database.assertSettled()).toThrow('left open: 1');
  });

  it('kills idle connections only, when told so', async () => {
    const database = new FakeDatabase();
    const { create } = database.factory();
    const [busy, idle] = [await create(context()), await create(context())];
    busy.soil();
    database.kill('idle');
    expect([busy.death, idle.death]).toEqual([undefined, expect.any(Error)]);
  });

  it('delivers a connect that was aborted, when told to ignore that', async () => {
    const database = new FakeDatabase();
    database.ignoresAbort = true;
    await expect(database.factory().create({ ...context(), signal: AbortSignal.abort() })).resolves.toBeDefined();
  });

  it('keeps the databases of a provider apart', async () => {
    const provider = new FakeProvider();
    provider.database('primary').goDown();
    await using other = await TestConnection.open(provider, {}, { name: 'other' });
    await other.lanes.probe(live());
    expect(provider.database('primary').attempts).toBe(0);
    expect(provider.database('other').attempts).toBe(1);
  });
});

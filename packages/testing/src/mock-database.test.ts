import { FakeDatabase, type FakeNative, FakeProvider, runProviderSuite } from '@dbmanager/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ConnectionManager } from 'dbmanager';
import { interceptedProvider } from './intercepted-provider.js';
import { MockDatabase, type MockDatabaseOptions } from './mock-database.js';

const server = new MockDatabase({ unexpected: 'ask' });
const SERVER = { database: 'server' };
describe('seeds 3: Mock', () =>
  runProviderSuite({
    name: 'mock',
    provider: server.provider,
    connection: () => SERVER,
    capabilities: { sql: true, cancel: true, savepoints: true, native: true },
    values: [{ statement: { sql: 'SELECT ? AS value', params: [42] }, value: 42 }],
    hooks: {
      withoutDriver: interceptedProvider(new FakeProvider({ driverInstalled: false }), {}),
      unreachable() {
        server.database('down').goDown();
        return { database: 'down' };
      },
      async silent() {
        server.database('silent').connects.latencyMs = Number.POSITIVE_INFINITY;
        return { database: 'silent' };
      },
      kill: async (connection) => connection.die(),
      openConnections: async () => server.database('server').live.length,
      async endless(work) {
        server.on('SELECT 1 AS one').delays(Number.POSITIVE_INFINITY);
        await work({ sql: 'SELECT 1 AS one' });
        server.assertDone();
      },
      dieInNextCommit: () => server.faults.failCommit(),
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
      assertSettled: () => server.database('server').assertSettled(),
    },
  }));

describe('MockDatabase', () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  /** A mock in the place of the application's database. */
  async function open({ type = 'postgres', ...options }: MockDatabaseOptions = {}, keys: object = {}) {
    const mock = new MockDatabase({ type, ...options });
    const place = type === 'postgres' ? { host: 'db.example', user: 'app', database: 'app' } : {};
    const mgr = ConnectionManager.from(
      { connections: { primary: { type, ...place, max_open_conns: 2, ...keys } } },
      { providers: [mock.provider] },
    );
    await mgr.connect();
    closing.push(async () => {
      const connection = mgr.get('primary');
      await mgr.close();
      const { created, destroyed } = connection.stats().pool;
      expect(destroyed).toBe(created);
      for (const name of ['app', 'primary']) mock.database(name).assertSettled();
    });
    return { mock, db: mgr.get('primary').database(), connection: mgr.get('primary') };
  }

  it('answers with rows, with what a write has changed, and with errors', async () => {
    const { mock, db } = await open();
    mock.on(/select .* from users/i).rows([{ id: 1, name: 'Ada' }]);
    mock.on(/^update/).affects(3);
    mock.on(/^insert/).fails('DBM_UNIQUE_VIOLATION');
    const own = new Error('of the test');
    mock.on(/^delete/).fails(own);
    expect(await db.query('SELECT id, name\n  FROM users')).toEqual([{ id: 1, name: 'Ada' }]);
    expect(await db.execute('update users set active = ?', [1])).toMatchObject({ rowsAffected: 3 });
    await expect(db.execute('insert into users values (1)')).rejects.toMatchObject({
      code: 'DBM_UNIQUE_VIOLATION',
      connectionName: 'primary',
    });
    await expect(db.execute('delete from users')).rejects.toBe(own);
    mock.assertDone();
  });

  it('is asked in the placeholders of the type that it stands for', async () => {
    const { mock, db } = await open();
    mock
      .on('select * from users where id = $1 and name = $2')
      .with(7, 'Ada')
      .rows([{ id: 7 }]);
    expect(await db.query('select * from users where id = ? and name = ?', [7, 'Ada'])).toEqual([{ id: 7 }]);
    expect(mock.calls).toEqual([{ sql: 'select * from users where id = $1 and name = $2', params: [7, 'Ada'] }]);
  });

  it('tells other values from those that were expected', async () => {
    const { mock, db } = await open();
    mock
      .on(/users/)
      .with(7)
      .rows([{ id: 7 }]);
    await expect(db.query('select * from users where id = ?', [8])).rejects.toThrow('the mock did not expect');
    expect(() => mock.assertDone()).toThrow(/not sent: \/users\/.*not expected: select \* from users where id = \$1/);
  });

  it('fails what it was not told of, and says so again at the end', async () => {
    const { mock, db } = await open();
    await expect(db.query('select 1')).rejects.toMatchObject({ code: 'DBM_QUERY_FAILED' });
    expect(() => mock.assertDone()).toThrow('mock: not expected: select 1');
    mock.reset();
    mock.assertDone();
  });

  it('says what was expected and not sent', async () => {
    const { mock, db } = await open();
    mock.on(/users/).times(2);
    mock.on(/orders/).always();
    await db.query('select * from users');
    expect(() => mock.assertDone()).toThrow('mock: not sent: /users/, 1 of 2 times');
    await db.query('select * from users');
    mock.assertDone();
  });

  it('keeps to the order of its script where it is asked to', async () => {
    const { mock, db } = await open({ ordered: true });
    mock.on(/now\(\)/).always();
    mock.on(/first/);
    mock.on(/second/);
    await expect(db.query('select second')).rejects.toThrow('it expects /first/');
    await db.query('select now()');
    await db.query('select first');
    await db.query('select second');
    expect(() => mock.assertDone()).toThrow('not expected: select second');
  });

  it('answers in transactions, whose BEGIN and COMMIT need no script', async () => {
    const { mock, db, connection } = await open();
    mock.on(/insert/).affects(1);
    mock.on(/select/).rows([{ n: 1 }]);
    const n = await db.transaction(async (tx) => {
      await tx.execute('insert into users values (1)');
      return tx.queryOne('select count(*) as n from users');
    });
    expect(n).toEqual({ n: 1 });
    expect(connection.stats().transactions.outcomes.committed).toBe(1);
    mock.assertDone();
  });

  it('refuses ORMs and native handles, which need a driver', async () => {
    const { connection } = await open();
    const refused = { code: 'DBM_UNSUPPORTED', message: expect.stringContaining('testManager') };
    expect(() => connection.native()).toThrow(expect.objectContaining(refused));
    await expect(Promise.resolve().then(() => connection.knex()('users'))).rejects.toMatchObject(refused);
    const work = connection.transaction(async (tx) => tx.native().query('select 1'));
    await expect(work).rejects.toMatchObject(refused);
  });

  it('answers as it was told, in whatever order, and whatever callers do to an answer', async () => {
    const { mock, db } = await open();
    mock
      .on(/^update/)
      .affects(3)
      .rows([{ n: 1 }])
      .always();
    expect(await db.execute('update users set n = 1')).toMatchObject({ rowsAffected: 3 });
    const [row] = await db.query<{ n: number }>('update users set n = 1 returning n');
    Object.assign(row ?? {}, { n: 2 });
    expect(await db.query('update users set n = 1 returning n')).toEqual([{ n: 1 }]);
  });

  it('streams the rows it was told', async () => {
    const { mock, db } = await open();
    mock.on(/series/).rows([{ n: 1 }, { n: 2 }]);
    const rows: unknown[] = [];
    for await (const row of db.stream('select n from series')) rows.push(row);
    expect(rows).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('answers late, and then its callers give up as with a slow database', async () => {
    const { mock, db } = await open();
    mock.on(/slow/).delays(Number.POSITIVE_INFINITY).always();
    await expect(db.query('select slow', [], { timeout: 20 })).rejects.toMatchObject({ code: 'DBM_QUERY_TIMEOUT' });
    const abort = new AbortController();
    const query = db.query('select slow', [], { signal: abort.signal });
    abort.abort();
    await expect(query).rejects.toMatchObject({ code: 'DBM_ABORTED' });
  });

  it('commits with an unknown outcome, and loses the connection', async () => {
    const { mock, db, connection } = await open();
    mock.on(/insert/).affects(1);
    mock.faults.failCommit();
    const work = db.transaction((tx) => tx.execute('insert into users values (1)'));
    await expect(work).rejects.toMatchObject({ code: 'DBM_COMMIT_UNKNOWN' });
    expect(connection.stats().transactions.outcomes.unknown).toBe(1);
  });

  it('loses the connection that a statement crashes', async () => {
    const { mock, db, connection } = await open();
    mock
      .on(/insert/)
      .affects(1)
      .always();
    mock.faults.crashAt(2);
    const work = db.transaction(async (tx) => {
      await tx.execute('insert into users values (1)');
      await tx.execute('insert into users values (2)');
    });
    await expect(work).rejects.toMatchObject({ code: 'DBM_CONNECTION_LOST' });
    expect(connection.stats().transactions.outcomes.failed).toBe(1);
    mock.faults.crashAt(/^commit/i);
    const committed = db.transaction((tx) => tx.execute('insert into users values (1)'));
    await expect(committed).rejects.toMatchObject({ code: 'DBM_COMMIT_UNKNOWN' });
    await db.transaction((tx) => tx.execute('insert into users values (1)'));
  });

  it('stands for a type by its other names, too', async () => {
    const { provider } = new MockDatabase({ type: 'postgresql' });
    expect(provider.type).toBe('postgres');
  });

  it('has the keys of the type that it stands for, and no others', () => {
    const { provider } = new MockDatabase({ type: 'mariadb' });
    const configured = (keys: object) => () =>
      ConnectionManager.from({ connections: { primary: { type: 'mariadb', ...keys } } }, { providers: [provider] });
    expect(configured({ host: 'db.example', database: 'app', user: 'app' })).not.toThrow();
    expect(configured({ host: 'db.example', database: 'app', user: 'app', hots: 1 })).toThrow(/hots/);
  });
});

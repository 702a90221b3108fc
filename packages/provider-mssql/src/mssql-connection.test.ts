import type { EventEmitter } from 'node:events';
import { Secret, type SqlSession } from '@dbmanager/core';
import { describeWithMssql, failure, slowedClock, TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Request } from 'tedious';
import type { LeasedConnection } from './leased-connection.js';
import type { MssqlConnection } from './mssql-connection.js';
import { mssqlProvider } from './mssql-provider.js';

describeWithMssql('a pooled connection of SQL Server', (mssql) => {
  let database: string;
  let connection: TestConnection<MssqlConnection>;

  beforeAll(async () => {
    database = await mssql().createDatabase();
    await mssql().query('CREATE TABLE members (id int PRIMARY KEY, mail nvarchar(50), team int)', database);
    await mssql().query('CREATE UNIQUE INDEX members_mail ON members (mail)', database);
    await mssql().query("INSERT INTO members VALUES (1, N'one', 1)", database);
  });
  afterAll(() => mssql().dropDatabase(database));
  beforeEach(async () => {
    const { password, ...rest } = mssql().connection(database);
    const login = { ...rest, password: new Secret(password), sslmode: 'disable' as const };
    // A stopped statement's connection is given up after a second, which is little on a busy machine.
    const clock = slowedClock(10);
    connection = await TestConnection.open(mssqlProvider, { ...login, maxOpenConns: 1 }, { clock });
  });
  afterEach(() => connection.close());

  const sessionOf = ({ engine, lanes }: TestConnection<MssqlConnection>) => engine.sql?.session(lanes) as SqlSession;

  /** Uses the connection as a borrower of our own does, and as one of a driver's. */
  async function borrow(): Promise<void> {
    const own = sessionOf(connection);
    await own.query({ sql: 'SELECT @p1 AS one', params: [1] });
    await failure(own.query({ sql: 'SELEKT 1' }), 'DBM_SYNTAX');
    await failure(own.query({ sql: "WAITFOR DELAY '00:01:00'" }, { timeoutMs: 5 }), 'DBM_QUERY_TIMEOUT');
    for await (const row of own.stream({ sql: 'SELECT 1 AS n UNION ALL SELECT 2' })) {
      expect(row).toEqual({ n: 1 });
      break;
    }
    await own.begin();
    await own.savepoint('one');
    await own.rollback();
    own.release();
    const pool = connection.engine.native?.(connection.lanes) as { acquire(asker: object): Promise<LeasedConnection> };
    const lent = await pool.acquire({});
    lent.on('infoMessage', () => {});
    await new Promise((resolve) => lent.execSql(new Request('SELECT 1 AS one', resolve)));
    lent.release();
  }

  it('has its listeners attached once, however often it is lent, fails, is stopped and streams', async () => {
    const lease = await connection.lanes.acquire();
    const { tedious } = lease.connection;
    lease.release();
    const { socket } = tedious as unknown as { readonly socket: EventEmitter };
    const listeners = () =>
      [tedious, socket].map((emitter) => emitter.eventNames().map((name) => emitter.listenerCount(name as string)));
    await borrow();
    const before = listeners();
    for (let round = 0; round < 5; round++) await borrow();
    expect(listeners()).toEqual(before);
    expect(connection.lanes.stats()).toMatchObject({ created: 1, dirtyReleases: 0 });
  });

  it('tells a unique index from a unique constraint by what the server names', async () => {
    const own = sessionOf(connection);
    const error = await failure(
      own.query({ sql: 'INSERT INTO members VALUES (2, @p1, 1)', params: ['one'] }),
      'DBM_UNIQUE_VIOLATION',
    );
    expect(error).toMatchObject({ constraint: 'members_mail', table: 'members', cause: { number: 2601 } });
    const ofKey = failure(own.query({ sql: "INSERT INTO members VALUES (1, N'two', 1)" }), 'DBM_UNIQUE_VIOLATION');
    expect(await ofKey).toMatchObject({ table: 'members', cause: { number: 2627 } });
    own.release();
  });

  it.each([
    ['sees what was committed before, where the database keeps versions', true],
    ['waits for the writer, where it keeps none', false],
  ])('a reader outside of a transaction %s', async (_, readCommittedSnapshot) => {
    const name = await mssql().createDatabase(undefined, { readCommittedSnapshot });
    await mssql().query('CREATE TABLE written (n int)', name);
    const { password, ...rest } = mssql().connection(name);
    const login = { ...rest, password: new Secret(password), sslmode: 'disable' as const };
    const other = await TestConnection.open(mssqlProvider, { ...login, maxOpenConns: 2 });
    const [writer, reader] = [sessionOf(other), sessionOf(other)];
    await writer.begin();
    await writer.query({ sql: 'INSERT INTO written VALUES (1)' });
    const impatient = reader.query({ sql: 'SET LOCK_TIMEOUT 20; SELECT n FROM written' });
    if (readCommittedSnapshot) expect((await impatient).rows).toEqual([]);
    else expect(await failure(impatient)).toMatchObject({ retryable: true, cause: { number: 1222 } });
    const patient = reader.query({ sql: 'SET LOCK_TIMEOUT -1; SELECT n FROM written' });
    if (readCommittedSnapshot) expect((await patient).rows).toEqual([]);
    await writer.commit();
    if (!readCommittedSnapshot) expect((await patient).rows).toEqual([{ n: 1 }]);
    for (const session of [writer, reader]) session.release();
    await other.close();
    await mssql().dropDatabase(name);
  });
});

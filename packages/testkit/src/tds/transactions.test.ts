import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ISOLATION_LEVEL, TYPES } from 'tedious';
import { MSSQL_DEADLOCK, MssqlEndpoint } from '../mssql-endpoint.js';
import { MssqlStandIn } from '../mssql-stand-in.js';
import { TediousClient } from './tedious-client.js';

describe('transactions on a SQL Server stand-in', () => {
  let server: MssqlStandIn;
  let endpoint: MssqlEndpoint;
  let database: string;
  let client: TediousClient;
  const clients: TediousClient[] = [];

  const connect = async () => {
    const made = await TediousClient.connect(endpoint.tedious(database));
    clients.push(made);
    return made;
  };

  beforeAll(async () => {
    server = await MssqlStandIn.start();
    endpoint = new MssqlEndpoint(server.url(), 'stand-in');
  });
  afterAll(async () => {
    expect(server.log).toBe('');
    await server.close();
  });
  beforeEach(async () => {
    database = await endpoint.createDatabase();
    client = await connect();
    await client.batch('CREATE TABLE t (k int PRIMARY KEY)');
  });
  afterEach(async () => {
    for (const made of clients.splice(0)) await made.close();
    await endpoint.dropDatabase(database);
  });

  const keys = async () => (await endpoint.query('SELECT k FROM t ORDER BY k', database)).map(({ k }) => k);
  const depth = async () => (await client.batch('SELECT @@TRANCOUNT AS n')).rows[0]?.n;
  const untilBlocked = async () => {
    while ((await endpoint.sessions(database)).every(({ status }) => status !== 'running'));
  };

  it('commits and rolls back, by requests and by text', async () => {
    await client.begin();
    await client.batch('INSERT INTO t VALUES (1)');
    expect(await depth()).toBe(1);
    expect(await keys()).toEqual([]);
    await client.commit();
    expect(await keys()).toEqual([1]);
    await client.batch('BEGIN TRAN; INSERT INTO t VALUES (2)');
    expect(await depth()).toBe(1);
    await client.rollback();
    await client.batch('BEGIN TRANSACTION; INSERT INTO t VALUES (3); COMMIT');
    expect(await keys()).toEqual([1, 3]);
    expect(await depth()).toBe(0);
  });

  it('counts nested transactions; a rollback ends them all', async () => {
    await client.batch('BEGIN TRAN; BEGIN TRAN; INSERT INTO t VALUES (1); COMMIT');
    expect(await depth()).toBe(1);
    await client.batch('BEGIN TRAN; ROLLBACK');
    expect(await depth()).toBe(0);
    expect(client.rollbacks).toBe(1);
    expect(await keys()).toEqual([]);
  });

  it('goes back to savepoints, the latest of a name first', async () => {
    await client.begin();
    await client.save('one');
    await client.batch('INSERT INTO t VALUES (1)');
    await client.batch(
      'SAVE TRANSACTION two; INSERT INTO t VALUES (2); SAVE TRAN [two]; INSERT INTO t VALUES (3); ROLLBACK TRAN two',
    );
    await client.commit();
    expect(await keys()).toEqual([1, 2]);
    await client.begin();
    await client.batch('INSERT INTO t VALUES (4)');
    await client.rollback('unknown');
    expect(await depth()).toBe(0);
    await expect(client.batch('SAVE TRAN x')).rejects.toMatchObject({ number: 628 });
    await client.begin();
    await expect(client.batch(`SAVE TRAN ${'x'.repeat(33)}`)).rejects.toMatchObject({ number: 103 });
    await client.rollback();
  });

  it('rolls back by itself after an error under XACT_ABORT, and says so', async () => {
    await client.batch('SET XACT_ABORT ON; INSERT INTO t VALUES (1)');
    await client.begin();
    await client.batch('INSERT INTO t VALUES (2)');
    await expect(client.batch('INSERT INTO t VALUES (1); INSERT INTO t VALUES (3)')).rejects.toMatchObject({
      number: 2627,
    });
    expect(client.rollbacks).toBe(1);
    expect(await depth()).toBe(0);
    expect(await keys()).toEqual([1]);
    await expect(client.commit()).rejects.toMatchObject({ number: 3902 });
  });

  it('goes on after an error without XACT_ABORT', async () => {
    await client.begin();
    await client.batch('INSERT INTO t VALUES (1)');
    await expect(client.batch('INSERT INTO t VALUES (1)')).rejects.toMatchObject({ number: 2627 });
    await client.commit();
    expect(await keys()).toEqual([1]);
  });

  it('makes one the victim of a deadlock, with its transaction', async () => {
    await client.begin();
    await client.batch('INSERT INTO t VALUES (1)');
    await expect(client.batch(MSSQL_DEADLOCK)).rejects.toMatchObject({ number: 1205, class: 13 });
    expect(client.rollbacks).toBe(1);
    expect(await depth()).toBe(0);
    expect(await keys()).toEqual([]);
  });

  it('refuses to let a serializable transaction write over what changed since it read', async () => {
    await client.batch('INSERT INTO t VALUES (1)');
    const other = await connect();
    for (const [level, number] of [
      [ISOLATION_LEVEL.SERIALIZABLE, 1205],
      [ISOLATION_LEVEL.SNAPSHOT, 3960],
    ] as const) {
      await client.begin(level);
      await client.batch('SELECT * FROM t');
      await other.batch('UPDATE t SET k = k + 1');
      await expect(client.batch('UPDATE t SET k = k + 1')).rejects.toMatchObject({ number });
      expect(await depth()).toBe(0);
    }
    expect(await keys()).toEqual([3]);
  });

  it('has a writer wait for another until that one ends, its patience, or a cancellation', async () => {
    const other = await connect();
    await other.begin();
    await other.batch('INSERT INTO t VALUES (1)');
    const waiting = client.batch('INSERT INTO t VALUES (2)');
    await untilBlocked();
    await other.commit();
    await waiting;
    await other.begin();
    await other.batch('INSERT INTO t VALUES (3)');
    await expect(client.batch('SET LOCK_TIMEOUT 20; INSERT INTO t VALUES (4)')).rejects.toMatchObject({ number: 1222 });
    const { request, result } = client.start('execSqlBatch', 'SET LOCK_TIMEOUT -1; INSERT INTO t VALUES (4)');
    await untilBlocked();
    request.cancel();
    await expect(result).rejects.toMatchObject({ code: 'ECANCEL' });
    await other.rollback();
    expect(await keys()).toEqual([1, 2]);
  });

  it('has readers wait for writers where the database does not keep versions', async () => {
    const plain = await endpoint.createDatabase(undefined, { readCommittedSnapshot: false });
    const [writer, reader] = [
      await TediousClient.connect(endpoint.tedious(plain)),
      await TediousClient.connect(endpoint.tedious(plain)),
    ];
    await writer.batch('CREATE TABLE t (k int)');
    await writer.begin();
    await writer.batch('INSERT INTO t VALUES (1)');
    await expect(reader.batch('SET LOCK_TIMEOUT 20; SELECT k FROM t')).rejects.toMatchObject({ number: 1222 });
    const read = reader.batch('SET LOCK_TIMEOUT -1; SELECT k FROM t');
    await writer.commit();
    expect((await read).rows).toEqual([{ k: 1 }]);
    await expect(
      reader.batch('SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRAN; SELECT k FROM t'),
    ).rejects.toMatchObject({ number: 3952 });
    await writer.close();
    await reader.close();
    await endpoint.dropDatabase(plain);
  });

  it('refuses writes to a database that is read-only', async () => {
    await client.close();
    await endpoint.setReadOnly(database, true);
    client = await connect();
    await expect(client.batch('INSERT INTO t VALUES (1)')).rejects.toMatchObject({ number: 3906 });
    expect((await client.batch('SELECT k FROM t')).rows).toEqual([]);
    await client.close();
    await endpoint.setReadOnly(database, false);
    client = await connect();
    await client.batch('INSERT INTO t VALUES (1)');
  });

  it('complains when a procedure leaves another number of transactions than it found', async () => {
    await expect(client.query('BEGIN TRAN')).rejects.toMatchObject({ number: 266 });
    expect(await depth()).toBe(1);
    await expect(client.query('ROLLBACK')).rejects.toMatchObject({ number: 266 });
    expect(await depth()).toBe(0);
  });

  it('resets a connection with the request that has the reset bit', async () => {
    await client.batch(
      `SET XACT_ABORT ON; CREATE TABLE #own (a int); EXEC sp_set_session_context N'who', N'me'; USE master`,
    );
    await client.batch(`USE [${database}]; BEGIN TRAN; INSERT INTO t VALUES (1)`);
    client.resetNext();
    const { rows } = await client.batch(
      `SELECT @@TRANCOUNT AS depth, @@OPTIONS & 16384 AS abort, SESSION_CONTEXT(N'who') AS who, DB_NAME() AS db`,
    );
    expect(rows).toEqual([{ depth: 0, abort: 0, who: null, db: database }]);
    await expect(client.batch('SELECT * FROM #own')).rejects.toMatchObject({ number: 208 });
    expect(await keys()).toEqual([]);
  });

  it('drops temporary tables by a reset, in whatever database they were made; they do not follow USE', async () => {
    await client.batch('CREATE TABLE #own (id int IDENTITY, a int); INSERT INTO #own (a) VALUES (1)');
    await client.batch('USE master; CREATE TABLE #other (a int)');
    for (const sql of ['SELECT * FROM #own', 'CREATE TABLE #own (a int)', 'INSERT INTO #own (a) VALUES (2)']) {
      await expect(client.batch(sql)).rejects.toMatchObject({ number: 50_001, message: expect.stringMatching(/USE/) });
    }
    client.resetNext();
    await client.batch('SELECT 1 AS one');
    for (const use of ['', 'USE master; ']) {
      for (const table of ['#own', '#other']) {
        await expect(client.batch(`${use}SELECT * FROM ${table}`)).rejects.toMatchObject({ number: 208 });
        await expect(client.batch(`${use}DROP TABLE ${table}`)).rejects.toMatchObject({ number: 3701 });
        await client.batch(`${use}DROP TABLE IF EXISTS ${table}`);
      }
    }
    await client.batch('CREATE TABLE #own (id int IDENTITY, a int); INSERT INTO #own (a) VALUES (3)');
    expect((await client.batch('SELECT * FROM #own')).rows).toEqual([{ id: 1, a: 3 }]);
  });

  it('lets a batch declare a table variable again that a batch of a transaction had, which was rolled back', async () => {
    const batch =
      'DECLARE @made TABLE (k int); INSERT INTO t OUTPUT inserted.k INTO @made VALUES (1); SELECT k FROM @made';
    for (const end of ['rollback', 'commit'] as const) {
      await client.begin();
      expect((await client.batch(batch)).rows).toEqual([{ k: 1 }]);
      await client[end]();
    }
    expect(await keys()).toEqual([1]);
  });

  it('rolls back what a lost connection leaves open', async () => {
    const other = await connect();
    await other.begin();
    await other.batch('INSERT INTO t VALUES (1)');
    other.connection.close();
    await client.batch('INSERT INTO t VALUES (2)');
    expect(await keys()).toEqual([2]);
  });

  it('dooms a transaction by an error in TRY, and rolls it back at the end of the batch at the latest', async () => {
    await client.batch('INSERT INTO t VALUES (1)');
    const batch = `SET XACT_ABORT ON; BEGIN TRAN; BEGIN TRY INSERT INTO t VALUES (1); END TRY
      BEGIN CATCH SELECT ERROR_NUMBER() AS number, XACT_STATE() AS state; %s END CATCH`;
    const handled = await client.batch(batch.replace('%s', 'IF @@TRANCOUNT > 0 ROLLBACK'));
    expect(handled.rows).toEqual([{ number: 2627, state: -1 }]);
    await expect(client.batch(batch.replace('%s', ''))).rejects.toMatchObject({ number: 3998 });
    expect(client.rollbacks).toBe(2);
    expect(await depth()).toBe(0);
  });

  it('rethrows in CATCH', async () => {
    await expect(
      client.batch(`BEGIN TRY THROW 50001, 'first', 1 END TRY BEGIN CATCH THROW END CATCH`),
    ).rejects.toMatchObject({ number: 50_001, message: 'first' });
  });

  it('gives named locks to one session at a time', async () => {
    const other = await connect();
    const lock = (timeout: number) => [
      { name: 'Resource', type: TYPES.NVarChar, value: 'migration' },
      { name: 'LockMode', type: TYPES.NVarChar, value: 'Exclusive' },
      { name: 'LockOwner', type: TYPES.NVarChar, value: 'Session' },
      { name: 'LockTimeout', type: TYPES.Int, value: timeout },
    ];
    expect((await client.call('sp_getapplock', ...lock(0))).outputs.status).toBe(0);
    expect((await other.call('sp_getapplock', ...lock(0))).outputs.status).toBe(-1);
    const waiting = other.call('sp_getapplock', ...lock(60_000));
    await untilBlocked();
    await client.batch(`EXEC sp_releaseapplock @Resource = 'migration', @LockOwner = 'Session'`);
    expect((await waiting).outputs.status).toBe(1);
  });
});

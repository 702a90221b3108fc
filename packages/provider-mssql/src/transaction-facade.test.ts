import { ConnectionManager, ManagedConnection, type Provider, Secret } from '@dbmanager/core';
import { Transaction, TransactionRunner } from '@dbmanager/database';
import { describeWithMssql, MSSQL_DEADLOCK, testConfig } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import sql from 'mssql';
import { Request } from 'tedious';
import { mssqlProvider } from './mssql-provider.js';
import type { TransactionConnection } from './transaction-connection.js';

/** node-mssql's transaction, with the connection that its types leave out. */
type BoundTransaction = sql.Transaction & { readonly _acquiredConnection: TransactionConnection };

describeWithMssql("node-mssql's transaction in one of dbmanager", (mssql) => {
  let database: string;
  let manager: ConnectionManager<ManagedConnection>;

  beforeAll(async () => {
    database = await mssql().createDatabase();
    await mssql().query('CREATE TABLE written (k int PRIMARY KEY)', database);
  });
  afterAll(() => mssql().dropDatabase(database));
  beforeEach(async () => {
    await mssql().query('DELETE FROM written', database);
    const { password, ...rest } = mssql().connection(database);
    const options = { ...rest, password: new Secret(password), sslmode: 'disable' as const, maxOpenConns: 1 };
    manager = new ConnectionManager(
      { defaultConnection: undefined, connections: [testConfig(mssqlProvider, options)] },
      { providers: [mssqlProvider as Provider], createConnection: (setup) => new ManagedConnection(setup) },
    );
    await manager.connect();
  });
  afterEach(async () => {
    await manager.close();
    const { created, destroyed, dirtyReleases } = manager.stats().connections.test?.pool ?? {};
    expect([created, dirtyReleases]).toEqual([destroyed, 0]);
  });

  const transact = <T>(work: (tx: Transaction, native: BoundTransaction) => Promise<T>, options: object = {}) =>
    new TransactionRunner({ target: manager.get('test'), Handle: Transaction }).run(options, (tx) =>
      work(tx, tx.native() as BoundTransaction),
    );
  const keys = async () => (await mssql().query('SELECT k FROM written ORDER BY k', database)).map(({ k }) => k);
  const told = (work: (callback: (error?: Error | null) => void) => void) =>
    new Promise<void>((resolve, reject) => work((error) => (error ? reject(error) : resolve())));
  const batch = (view: TransactionConnection, text: string) =>
    told((callback) => view.execSqlBatch(new Request(text, callback)));

  it('runs in the transaction, with the Database API beside it', async () => {
    await transact(async (tx, native) => {
      expect(native).toBeInstanceOf(sql.Transaction);
      expect(tx.native()).toBe(native);
      await native.request().input('k', sql.Int, 1).query('INSERT INTO written VALUES (@k)');
      await new sql.Request(native).query('INSERT INTO written VALUES (2)');
      await batch(native._acquiredConnection, 'INSERT INTO written VALUES (3)');
      expect(await tx.query('SELECT COUNT(*) AS n FROM written WHERE k > ?', [0])).toEqual([{ n: 3 }]);
      expect(await keys()).toEqual([]);
    });
    expect(await keys()).toEqual([1, 2, 3]);
  });

  it('undoes all of it when the callback throws', async () => {
    const error = new Error('of the caller');
    const work = transact(async (_, native) => {
      await native.request().query('INSERT INTO written VALUES (1)');
      throw error;
    });
    await expect(work).rejects.toBe(error);
    expect(await keys()).toEqual([]);
  });

  it('gives each of several requests at once its own errors and notices', async () => {
    await transact(async (_, native) => {
      const infos: string[] = [];
      const bad = native.request().query('SELECT * FROM missing');
      const noticing = native.request();
      noticing.on('info', ({ message }) => infos.push(message));
      const outcomes = await Promise.allSettled([
        bad,
        native.request().query('INSERT INTO written VALUES (1)'),
        native.request().query("PRINT 'of another'"),
        noticing.query("PRINT 'own'"),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled', 'fulfilled']);
      expect(infos).toEqual(['own']);
    });
    expect(await keys()).toEqual([1]);
  });

  it('stops only its own request by cancel()', async () => {
    const { host: server, port, user, password } = mssql();
    const other = await sql.connect({ server, port, user, password, database, options: { encrypt: false } });
    const holder = other.transaction();
    await holder.begin();
    await holder.request().query('INSERT INTO written VALUES (1)');
    await transact(async (tx, native) => {
      const running = tx.execute('INSERT INTO written VALUES (1)');
      const waiting = batch(native._acquiredConnection, 'SELECT 1');
      while ((await mssql().sessions(database)).every(({ status }) => status !== 'running'));
      expect(native._acquiredConnection.cancel()).toBe(false);
      await holder.rollback();
      await running;
      await waiting;
    });
    await other.close();
    expect(await keys()).toEqual([1]);
  });

  it.each<[string, (native: BoundTransaction) => Promise<unknown>]>([
    ['commit()', (native) => native.commit()],
    ['rollback()', (native) => native.rollback()],
    ['begin()', (native) => native.begin()],
    ['a COMMIT of its connection', ({ _acquiredConnection: view }) => told((done) => view.commitTransaction(done))],
    ['a ROLLBACK of its connection', ({ _acquiredConnection: view }) => told((done) => view.rollbackTransaction(done))],
    ['a BEGIN of its connection', ({ _acquiredConnection: view }) => told((done) => view.beginTransaction(done))],
    ['COMMIT in a text', (native) => native.request().query('IF 1 = 1 BEGIN COMMIT END')],
    ['ROLLBACK in a text', (native) => native.request().query('SELECT 1 ROLLBACK TRAN')],
    ['BEGIN TRAN in a text', (native) => native.request().batch('BEGIN /* x */ TRAN')],
  ])('refuses %s', async (_, work) => {
    await transact(async (_tx, native) => {
      await native.request().query('INSERT INTO written VALUES (1)');
      await expect(work(native)).rejects.toMatchObject({ code: 'DBM_UNSUPPORTED' });
    });
    expect(await keys()).toEqual([1]);
  });

  it('allows blocks, TRY and savepoints', async () => {
    await transact(async (tx, native) => {
      const view = native._acquiredConnection;
      await batch(view, 'IF 1 = 1 BEGIN INSERT INTO written VALUES (1) END');
      await batch(view, 'BEGIN TRY SELECT 1 / 0 END TRY BEGIN CATCH SELECT 2 END CATCH');
      await told((done) => view.saveTransaction(done, 'trx1'));
      await tx.transaction(async (nested) => {
        await nested.execute('INSERT INTO written VALUES (2)');
      });
      await told((done) => view.rollbackTransaction(done, 'trx1'));
      await batch(view, 'SAVE TRAN own INSERT INTO written VALUES (3) ROLLBACK TRAN own');
      await told((done) => native._acquiredConnection.execSql(new Request('INSERT INTO written VALUES (4)', done)));
    });
    expect(await keys()).toEqual([1, 4]);
  });

  it('runs nothing after the server has rolled the transaction back, whoever swallowed that', async () => {
    const work = transact(async (tx, native) => {
      await native.request().query('INSERT INTO written VALUES (1)');
      await native
        .request()
        .query(MSSQL_DEADLOCK)
        .catch((error) => expect(error).toMatchObject({ number: 1205 }));
      for (const late of [
        native.request().query('INSERT INTO written VALUES (2)'),
        batch(native._acquiredConnection, 'INSERT INTO written VALUES (3)'),
        tx.execute('INSERT INTO written VALUES (4)'),
      ]) {
        await expect(late).rejects.toMatchObject({ code: 'DBM_TRANSACTION_ABORTED' });
      }
    });
    await expect(work).rejects.toMatchObject({ code: 'DBM_TRANSACTION_ABORTED' });
    expect(await keys()).toEqual([]);
  });

  it('is repeated as a whole when it was the victim of a deadlock', async () => {
    let attempts = 0;
    await transact(
      async (_, native) => {
        await native.request().query('INSERT INTO written VALUES (1)');
        if (++attempts === 1) await native.request().query(MSSQL_DEADLOCK);
      },
      { retry: 1 },
    );
    expect([attempts, await keys()]).toEqual([2, [1]]);
  });

  it('refuses writes of whatever handle in a read-only transaction', async () => {
    await transact(
      async (_, native) => {
        const write = native.request().query('INSERT INTO written VALUES (1)');
        await expect(write).rejects.toMatchObject({ code: 'DBM_READ_ONLY' });
        await native.request().query('SELECT k FROM written');
      },
      { readOnly: true },
    );
    await transact(async (_, native) => void (await native.request().query('INSERT INTO written VALUES (2)')));
    expect(await keys()).toEqual([2]);
  });

  it('stops what an ORM has running when it is called off', async () => {
    const work = transact((_, native) => native.request().query("WAITFOR DELAY '00:01:00'"), { timeout: 100 });
    await expect(work).rejects.toMatchObject({ code: 'DBM_TRANSACTION_TIMEOUT' });
  });

  it('is dead after the end', async () => {
    const native = await transact(async (_, bound) => bound);
    await expect(native.request().query('SELECT 1')).rejects.toMatchObject({ code: 'DBM_LEASE_RELEASED' });
    await expect(batch(native._acquiredConnection, 'SELECT 1')).rejects.toMatchObject({ code: 'DBM_LEASE_RELEASED' });
    expect(native._acquiredConnection.closed).toBe(true);
    expect(native._acquiredConnection.inTransaction).toBe(false);
  });
});

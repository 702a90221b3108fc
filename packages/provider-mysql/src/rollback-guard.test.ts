import { Secret } from '@dbmanager/core';
import { describeWithMariadb, MariadbEndpoint, MariadbServer, TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Pool, PoolConnection } from 'mysql2/promise';
import type { MysqlConnection, MysqlPool } from './mysql-driver.js';
import { mariadbProvider } from './mysql-provider.js';

const ABORTED = { code: 'DBM_TRANSACTION_ABORTED' };
const DEADLOCK = "BEGIN NOT ATOMIC SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213; END";
const LOCKED = 'UPDATE accounts SET n = n + 1 WHERE id = 1';
const write = (id: number) => `INSERT INTO accounts VALUES (${id}, 0)`;

/** Ways to send a statement on a connection of mysql2. */
const WAYS: Readonly<Record<string, (on: PoolConnection, sql: string) => Promise<unknown>>> = {
  'a text': (on, sql) => on.query(sql),
  'a prepared statement': (on, sql) => on.execute(sql),
  'a stream': async (on, sql) => {
    const rows = (on.connection as unknown as MysqlConnection).query(sql).stream();
    return await rows.toArray();
  },
};

describeWithMariadb('After an error in a transaction', () => {
  describe.each([
    ['whole', 'ON'],
    ['statement', 'OFF'],
  ])('where a lock timeout undoes the %s', (_, rollbackOnTimeout) => {
    let server: MariadbServer;
    let admin: MariadbEndpoint;
    let database: string;
    let connection: TestConnection<MysqlConnection>;
    let pool: Pool;
    let holder: PoolConnection;
    let lent: PoolConnection;

    beforeAll(async () => {
      const settings = { innodb_rollback_on_timeout: rollbackOnTimeout, innodb_lock_wait_timeout: 0 };
      server = await MariadbServer.start({ settings });
      admin = new MariadbEndpoint(server.url());
      database = await admin.createDatabase();
      await admin.query('CREATE TABLE accounts (id INT PRIMARY KEY, n INT NOT NULL)', [], database);
    }, 30_000);
    afterAll(() => server.close());

    beforeEach(async () => {
      await admin.query('INSERT INTO accounts VALUES (1, 0)', [], database);
      const { host, port, user, password } = server;
      const place = { host, port, user, password: new Secret(password), database };
      connection = await TestConnection.open(mariadbProvider, { ...place, maxOpenConns: 2, maxIdleConns: 2 });
      const shared = connection.engine.native?.(connection.lanes) as MysqlPool;
      pool = shared.promise();
      [holder, lent] = [await pool.getConnection(), await pool.getConnection()];
      await holder.beginTransaction();
      await holder.query(LOCKED);
      await lent.beginTransaction();
      await lent.query(write(2));
    });
    afterEach(async () => {
      holder.release();
      lent.release();
      while (connection.lanes.counts.inUse > 0) await new Promise((resolve) => setImmediate(resolve));
      await connection.close();
      await admin.query('TRUNCATE accounts', [], database);
      const { created, destroyed } = connection.lanes.stats();
      expect(created).toBe(destroyed);
    });

    const written = async () => {
      const rows = await admin.query('SELECT id FROM accounts WHERE id > 1 ORDER BY id', [], database);
      return rows.map(({ id }) => id);
    };
    const waitInVain = () => expect(lent.query(LOCKED)).rejects.toMatchObject({ errno: 1205 });
    /** The pings of all clients since the server started. */
    const pings = async () => {
      const [row] = await admin.query("SHOW GLOBAL STATUS LIKE 'Com_admin_commands'");
      return Number(row?.Value);
    };

    if (rollbackOnTimeout === 'ON') {
      it.each(Object.entries(WAYS))('refuses %s until ROLLBACK, and runs none of it', async (_way, send) => {
        await waitInVain();
        await expect(send(lent, write(3))).rejects.toMatchObject(ABORTED);
        await expect(send(lent, write(4))).rejects.toMatchObject(ABORTED);
        await expect(lent.commit()).rejects.toMatchObject(ABORTED);
        await lent.rollback();
        await send(lent, write(5));
        expect(await written()).toEqual([5]);
      });

      it('refuses what was queued behind the statement that failed', async () => {
        const inVain = waitInVain();
        const queued = Object.values(WAYS).map((send, index) => send(lent, write(3 + index)));
        const outcomes = await Promise.allSettled(queued);
        await inVain;
        expect(outcomes).toEqual(queued.map(() => ({ status: 'rejected', reason: expect.objectContaining(ABORTED) })));
        expect(await written()).toEqual([]);
      });

      it('names the error that the server rolled back after', async () => {
        await waitInVain();
        await expect(lent.query('SELECT 1')).rejects.toThrow(/after error 1205; end it by ROLLBACK/);
      });

      it('lends the connection to the next as if nothing had been', async () => {
        await waitInVain();
        await expect(lent.query('SELECT 1')).rejects.toMatchObject(ABORTED);
        const id = lent.threadId;
        lent.release();
        lent = await pool.getConnection();
        expect(lent.threadId).toBe(id);
        await lent.query(write(3));
        expect(await written()).toEqual([3]);
      });
    } else {
      it.each(Object.entries(WAYS))('goes on in the transaction by %s, and commits it', async (_way, send) => {
        await waitInVain();
        await send(lent, write(3));
        expect(await written()).toEqual([]);
        await lent.commit();
        expect(await written()).toEqual([2, 3]);
      });

      it('runs what was queued behind the statement that failed in the transaction', async () => {
        const inVain = waitInVain();
        await Promise.all(Object.values(WAYS).map((send, index) => send(lent, write(3 + index))));
        await inVain;
        await lent.rollback();
        expect(await written()).toEqual([]);
      });
    }

    it('asks the server once before the next statement, and not before a ROLLBACK', async () => {
      await lent.query('SAVEPOINT inner_one');
      const before = await pings();
      await waitInVain();
      await lent
        .query('ROLLBACK TO SAVEPOINT inner_one')
        .catch((error) => expect(error).toMatchObject({ errno: 1305 }));
      await lent.rollback();
      expect(await pings()).toBe(before);
      await lent.beginTransaction();
      await waitInVain();
      await lent.query('SELECT 1').catch((error) => expect(error).toMatchObject(ABORTED));
      await lent.query('SELECT 1').catch((error) => expect(error).toMatchObject(ABORTED));
      expect(await pings()).toBe(before + 1);
    });

    it('leaves a session alone that has the connection next: it knows by itself', async () => {
      await waitInVain();
      await lent.query('SELECT 1').catch((error) => expect(error).toMatchObject(ABORTED));
      lent.release();
      const session = connection.engine.sql?.session(connection.lanes);
      await session?.begin();
      // With a limit of its own, that the server is told of before and after.
      const lost = session?.query({ sql: DEADLOCK }, { timeoutMs: 60_000 });
      await expect(lost).rejects.toMatchObject({ code: 'DBM_DEADLOCK' });
      await session?.rollback();
      await session?.query({ sql: write(3) });
      session?.release();
      lent = await pool.getConnection();
      expect(connection.lanes.stats()).toMatchObject({ created: 2, destroyed: 0 });
      expect(await written()).toEqual([3]);
    });

    it('refuses what was queued behind a statement that lost a deadlock', async () => {
      const lost = expect(lent.query(DEADLOCK)).rejects.toMatchObject({ errno: 1213 });
      const queued = Object.values(WAYS).map((send, index) => send(lent, write(3 + index)));
      const outcomes = await Promise.allSettled(queued);
      await lost;
      expect(outcomes).toEqual(queued.map(() => ({ status: 'rejected', reason: expect.objectContaining(ABORTED) })));
      await lent.rollback();
      expect(await written()).toEqual([]);
    });
  });
});

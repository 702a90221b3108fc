import type { BridgeTarget } from '@dbmanager/core';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  bridgeTarget,
  COCKROACHDB,
  PGBOUNCER,
  rejection,
  SQL_ENGINES,
  type SqlDatabase,
  until,
} from '../../../test/support/sql-engines.js';
import { createDatabase, type Database } from './database.js';

for (const engine of [...SQL_ENGINES, COCKROACHDB, PGBOUNCER]) {
  engine.describe('Database', () => {
    let files: SqlDatabase;
    let connection: TestConnection<unknown>;
    let target: BridgeTarget;
    let db: Database;

    async function open(options: object = {}): Promise<void> {
      connection = await files.open({ maxOpenConns: 4, acquireTimeoutMs: 5_000, ...options });
      target = bridgeTarget(connection);
      db = createDatabase(target);
    }

    async function amounts(): Promise<number[]> {
      const rows = await db.query<{ amount: number }>('select amount from accounts order by id');
      return rows.map(({ amount }) => amount);
    }

    beforeAll(async () => {
      files = await engine.create();
      await open();
      await db.execute('create table accounts (id integer primary key, amount integer not null check (amount >= 0))');
      await connection.close();
    }, 60_000);

    afterAll(async () => {
      await files?.drop();
    });

    beforeEach(async () => {
      await open();
      await db.execute('delete from accounts');
      await db.execute('insert into accounts (id, amount) values (?, ?), (?, ?)', [1, 100, 2, 0]);
    });

    afterEach(async () => {
      await until(() => target.counts.inUse === 0 && target.counts.pending === 0);
      await connection.close();
    });

    describe('statements', () => {
      it('seeds 0: ? placeholders: take question marks, but not those in literals and comments', async () => {
        const row = await db.queryOne("select '?' as mark, amount from accounts where id = ? -- really?", [1]);
        expect(row).toEqual({ mark: '?', amount: 100 });
      });

      it('seeds 0: query/queryRow/exec: report the rows they changed', async () => {
        const result = await db.execute('update accounts set amount = amount + ?', [1]);
        expect(result.rowsAffected).toBe(2);
        expect(result.durationMs).toBeGreaterThan(0);
        await expect(amounts()).resolves.toEqual([101, 1]);
      });

      it('reject with our error and the one of the driver as its cause', async () => {
        const error = await rejection(db.execute('insert into accounts (id, amount) values (1, 0)'));
        expect(error).toMatchObject({ code: 'DBM_UNIQUE_VIOLATION', connectionName: 'test' });
        expect(error.cause).toMatchObject({ code: expect.stringMatching(/^(SQLITE_CONSTRAINT_PRIMARYKEY|23505)$/) });
        await expect(amounts()).resolves.toEqual([100, 0]);
      });

      it('stop waiting when their signal aborts', async () => {
        await connection.close();
        await open({ maxOpenConns: 1 });
        const blocker = await target.acquire();
        const controller = new AbortController();
        const waiting = rejection(db.query('select 1', [], { signal: controller.signal }));
        await until(() => target.counts.pending === 1);
        controller.abort();
        await expect(waiting).resolves.toMatchObject({ code: 'DBM_ABORTED' });
        blocker.release();
      });
    });

    describe('seeds 1: withTransaction: transactions', () => {
      const transfer = (from: number, to: number, amount: number) =>
        db.transaction(async (tx) => {
          await tx.execute('update accounts set amount = amount - ? where id = ?', [amount, from]);
          await tx.execute('update accounts set amount = amount + ? where id = ?', [amount, to]);
        });

      it('commit both statements or none', async () => {
        await transfer(1, 2, 30);
        await expect(amounts()).resolves.toEqual([70, 30]);
        await expect(rejection(transfer(1, 2, 500))).resolves.toMatchObject({ code: 'DBM_CHECK_VIOLATION' });
        await expect(amounts()).resolves.toEqual([70, 30]);
      });

      it('keep every transfer when twenty run at once', async () => {
        await Promise.all(Array.from({ length: 20 }, () => transfer(1, 2, 5)));
        await expect(amounts()).resolves.toEqual([0, 100]);
      });

      it('roll a savepoint back alone', async () => {
        await db.transaction(async (tx) => {
          await tx.execute('update accounts set amount = 50 where id = 1');
          const inner = tx.transaction(async (nested) => {
            await nested.execute('update accounts set amount = 60 where id = 1');
            await nested.execute('update accounts set amount = -1 where id = 2');
          });
          await expect(rejection(inner)).resolves.toMatchObject({ code: 'DBM_CHECK_VIOLATION' });
        });
        await expect(amounts()).resolves.toEqual([50, 0]);
      });

      it('end at their time limit, with nothing done', async () => {
        const stuck = db.transaction({ timeout: 50 }, async (tx) => {
          await tx.execute('update accounts set amount = 1 where id = 1');
          await new Promise(() => {});
        });
        await expect(rejection(stuck)).resolves.toMatchObject({ code: 'DBM_TRANSACTION_TIMEOUT' });
        await expect(amounts()).resolves.toEqual([100, 0]);
        expect(connection.lanes.stats().dirtyReleases).toBe(0);
      });

      it('seeds 0: begin/beginTx: that are read-only refuse to write', async () => {
        const writing = db.transaction({ readOnly: true }, (tx) => tx.execute('delete from accounts'));
        await expect(rejection(writing)).resolves.toMatchObject({ code: 'DBM_READ_ONLY' });
        await expect(amounts()).resolves.toEqual([100, 0]);
      });

      it('are called off at whatever moment, of a stream too, and keep nothing locked', async () => {
        for (let moment = 0; moment < 60; moment++) {
          const controller = new AbortController();
          const work = db.transaction({ signal: controller.signal }, async (tx) => {
            await tx.execute('update accounts set amount = 1 where id = 1');
            for await (const _row of tx.stream('select id from accounts'));
            throw new Error('the end');
          });
          const ended = rejection(work);
          for (let turn = 0; turn < moment; turn++) await undefined;
          controller.abort();
          await expect(ended).resolves.toBeInstanceOf(Error);
          // It would wait for a lock.
          await db.execute('update accounts set amount = 100 where id = 1');
        }
      });

      it('that a close cuts off in the middle of a stream keep nothing locked', async () => {
        const tx = await db.begin();
        await tx.execute('update accounts set amount = 1 where id = 1');
        await tx.stream('select id from accounts').columns();
        await expect(connection.lanes.close({ drainTimeoutMs: 0 })).resolves.toMatchObject({ drained: false });
        await open();
        // It would wait for a lock.
        await db.execute('update accounts set amount = 50 where id = 1');
        await expect(rejection(tx.commit())).resolves.toBeInstanceOf(Error);
        await expect(amounts()).resolves.toEqual([50, 0]);
      });

      it('tell at once of a statement on the database that would wait for them', async () => {
        await connection.close();
        await open({ maxOpenConns: 1 });
        const waiting = db.transaction(async (tx) => {
          await tx.query('select 1');
          await db.query('select 1');
        });
        await expect(rejection(waiting)).resolves.toMatchObject({ code: 'DBM_POOL_DEADLOCK' });
      });

      it('that wait for a connection give up when their signal aborts', async () => {
        await connection.close();
        await open({ maxOpenConns: 1 });
        const blocker = await target.acquire();
        const controller = new AbortController();
        const waiting = rejection(db.transaction({ signal: controller.signal }, async () => {}));
        await until(() => target.counts.pending === 1);
        controller.abort();
        await expect(waiting).resolves.toMatchObject({ code: 'DBM_ABORTED' });
        expect(target.counts.pending).toBe(0);
        blocker.release();
      });
    });
  });
}

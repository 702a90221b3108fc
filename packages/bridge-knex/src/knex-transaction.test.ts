import { type BridgeTarget, isDbManagerError } from '@dbmanager/core';
import { createDatabase, type Database, type Transaction } from '@dbmanager/database';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Knex } from 'knex';
import {
  bridgeTarget,
  MARIADB,
  MSSQL,
  rejection,
  SQL_ENGINES,
  type SqlDatabase,
  until,
} from '../../../test/support/sql-engines.js';
import { knexBridge } from './knex-bridge.js';

const SAVEPOINT = /\b(?:savepoint|save transaction) \[?(\w+)/i;

/** Further texts that would leave a transaction, by engine. */
const OTHER_TEXTS: Readonly<Record<string, readonly string[]>> = {
  postgres: ['end', 'start transaction'],
  sqlite: ['end'],
  mariadb: ['start transaction'],
  mssql: ['rollback work', 'begin distributed tran'],
};

for (const engine of [...SQL_ENGINES, MARIADB, MSSQL]) {
  engine.describe('Knex in a transaction', () => {
    let files: SqlDatabase;
    let connection: TestConnection<unknown>;
    let target: BridgeTarget;
    let db: Database;

    const knexOf = (tx: Transaction): Knex => tx.use(knexBridge);
    const ids = async () => (await db.query<{ id: number }>('select id from items order by id')).map(({ id }) => id);

    beforeAll(async () => {
      files = await engine.create();
      connection = await files.open({});
      db = createDatabase(bridgeTarget(connection));
      await db.execute('create table items (id integer primary key, name varchar(50))');
      await connection.close();
    }, 60_000);

    afterAll(async () => {
      await files?.drop();
    });

    beforeEach(async () => {
      connection = await files.open({ maxOpenConns: 4, acquireTimeoutMs: 5_000 });
      target = bridgeTarget(connection);
      db = createDatabase(target);
      await db.execute('delete from items');
    });

    afterEach(async () => {
      await until(() => target.counts.inUse === 0 && target.counts.pending === 0);
      expect(connection.lanes.stats().dirtyReleases).toBe(0);
      await connection.close();
    });

    it('writes with the others in one commit', async () => {
      await db.transaction(async (tx) => {
        await knexOf(tx)('items').insert({ id: 1, name: 'knex' });
        await tx.execute('insert into items values (2, ?)', ['own']);
        await expect(knexOf(tx)('items').orderBy('id').pluck('id')).resolves.toEqual([1, 2]);
        await expect(tx.query('select id from items')).resolves.toHaveLength(2);
        if (engine.name === 'postgres') await expect(ids()).resolves.toEqual([]);
      });
      await expect(ids()).resolves.toEqual([1, 2]);
    });

    it('leaves nothing when the callback throws', async () => {
      const failure = new Error('of the application');
      const failing = db.transaction(async (tx) => {
        await knexOf(tx)('items').insert({ id: 1 });
        throw failure;
      });
      await expect(rejection(failing)).resolves.toBe(failure);
      await expect(ids()).resolves.toEqual([]);
    });

    it('gives the same handle each time, and another one to a nested transaction', async () => {
      await db.transaction(async (tx) => {
        expect(knexOf(tx)).toBe(knexOf(tx));
        await tx.transaction(async (inner) => expect(knexOf(inner)).not.toBe(knexOf(tx)));
      });
    });

    describe('has nested transactions that', () => {
      it('are kept, or undone alone', async () => {
        await db.transaction(async (tx) => {
          const knex = knexOf(tx);
          await knex('items').insert({ id: 1 });
          await knex.transaction(async (trx) => {
            await trx('items').insert({ id: 2 });
          });
          const undone = knex.transaction(async (trx) => {
            await trx('items').insert({ id: 3 });
            await trx.transaction(async (deeper) => {
              await deeper('items').insert({ id: 4 });
            });
            throw new Error('inner');
          });
          await expect(rejection(undone)).resolves.toMatchObject({ message: 'inner' });
          await knex('items').insert({ id: 5 });
        });
        await expect(ids()).resolves.toEqual([1, 2, 5]);
      });

      it('wait for those of others, and others for them', async () => {
        await db.transaction(async (tx) => {
          const knex = knexOf(tx);
          const outcomes = await Promise.allSettled([
            knex.transaction(async (trx) => {
              await trx('items').insert({ id: 1 });
              await trx('items').insert({ id: 2 });
            }),
            tx.transaction(async (inner) => {
              await inner.execute('insert into items values (3, null)');
              await knexOf(inner)('items').insert({ id: 4 });
              throw new Error('undone');
            }),
            knex('items').insert({ id: 5 }),
            knex.transaction(async (trx) => {
              await trx('items').insert({ id: 6 });
              throw new Error('undone');
            }),
            tx.execute('insert into items values (7, null)'),
          ]);
          expect(outcomes.map(({ status }) => status)).toEqual([
            'fulfilled',
            'rejected',
            'fulfilled',
            'rejected',
            'fulfilled',
          ]);
        });
        await expect(ids()).resolves.toEqual([1, 2, 5, 7]);
      });

      it('hold what others do inside them', async () => {
        await db.transaction(async (tx) => {
          const undone = knexOf(tx).transaction(async (trx) => {
            await trx('items').insert({ id: 1 });
            await tx.execute('insert into items values (2, null)');
            throw new Error('undone');
          });
          await rejection(undone);
        });
        await expect(ids()).resolves.toEqual([]);
      });

      it('may be ended by hand, and bar the outer handles until then', async () => {
        await db.transaction(async (tx) => {
          const knex = knexOf(tx);
          const trx = await knex.transaction();
          await trx('items').insert({ id: 1 });
          const deeper = await trx.transaction();
          await deeper('items').insert({ id: 2 });
          await deeper.rollback();
          await expect(rejection(tx.query('select 1'))).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
          await trx.commit();
          await knex('items').insert({ id: 3 });
        });
        await expect(ids()).resolves.toEqual([1, 3]);
      });

      it('are refused to be left open', async () => {
        const left = db.transaction(async (tx) => {
          const trx = await knexOf(tx).transaction();
          await trx('items').insert({ id: 1 });
        });
        await expect(rejection(left)).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
        await expect(ids()).resolves.toEqual([]);
      });

      it('have savepoint names that no other ORM uses', async () => {
        const names: string[] = [];
        await db.transaction(async (tx) => {
          const knex = knexOf(tx);
          knex.on('query', ({ sql }: { sql: string }) => names.push(...(SAVEPOINT.exec(sql)?.slice(1) ?? [])));
          await knex.transaction(async (trx) => {
            await trx.raw('select 1');
          });
        });
        expect(new Set(names)).toEqual(new Set(['knex_1']));
      });
    });

    describe('refuses', () => {
      let kept = 0;
      const refused = (work: (knex: Knex, tx: Transaction) => PromiseLike<unknown>) =>
        db.transaction(async (tx) => {
          await knexOf(tx)('items').insert({ id: ++kept });
          await expect(rejection(work(knexOf(tx), tx))).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
        });

      it.each([
        'commit',
        '/* why */ COMMIT',
        'select 1; rollback',
        `-- x\n${engine.begin}`,
        ...(OTHER_TEXTS[engine.name] ?? []),
      ])('the text %j, which would leave the transaction', async (sql) => {
        await refused((knex) => knex.raw(sql));
        await refused((knex) => knex.transaction((trx) => trx.raw(sql)));
        await expect(ids()).resolves.toHaveLength(2);
      });

      it('a transaction on another connection', async () => {
        await refused(async (knex) => knex.transaction(async () => {}, { connection: {} } as never));
      });

      it('use after the end, by whichever handle', async () => {
        let knex: Knex | undefined;
        let trx: Knex.Transaction | undefined;
        await db.transaction(async (tx) => {
          knex = knexOf(tx);
          await knex.transaction(async (nested) => {
            trx = nested;
          });
        });
        for (const late of [knex, trx]) {
          const error = await rejection(late?.('items').insert({ id: 9 }) as PromiseLike<unknown>);
          expect(isDbManagerError(error, 'DBM_LEASE_RELEASED') || /already complete/.test(error.message)).toBe(true);
        }
        await expect(ids()).resolves.toEqual([]);
      });

      it('statements while a stream is read', async () => {
        await db.transaction(async (tx) => {
          const stream = knexOf(tx).raw(engine.series(1000)).stream();
          for await (const _ of stream) {
            await expect(rejection(tx.query('select 1'))).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
            break;
          }
          await tx.query('select 1');
        });
      });
    });

    it('streams, to the end and not, and goes on after it', async () => {
      await db.transaction(async (tx) => {
        const knex = knexOf(tx);
        let rows = 0;
        for await (const _ of knex.raw(engine.series(1000)).stream()) rows++;
        expect(rows).toBe(1000);
        await knex('items').insert({ id: 1 });
      });
      await expect(ids()).resolves.toEqual([1]);
    });

    it('never reports what the database has aborted as committed', async () => {
      const swallowing = db.transaction(async (tx) => {
        const knex = knexOf(tx);
        await knex('items').insert({ id: 1 });
        await rejection(knex('items').insert({ id: 1 }));
      });
      if (engine.name === 'postgres') {
        const error = await rejection(swallowing);
        expect(error).toMatchObject({
          code: 'DBM_TRANSACTION_ABORTED',
          cause: { code: expect.stringMatching(engine.uniqueViolation) },
        });
        await expect(ids()).resolves.toEqual([]);
      } else {
        // The others undo the failed statement alone.
        await swallowing;
        await expect(ids()).resolves.toEqual([1]);
      }
    });

    it('destroys its handle alone', async () => {
      await db.transaction(async (tx) => {
        const knex = knexOf(tx);
        await knex('items').insert({ id: 1 });
        await knex.destroy();
        await expect(rejection(knex('items').insert({ id: 2 }))).resolves.toMatchObject({ code: 'DBM_CLOSED' });
        await tx.execute('insert into items values (3, null)');
      });
      await expect(ids()).resolves.toEqual([1, 3]);
    });

    it('makes tables, and undoes them with the rest', async () => {
      const failing = db.transaction(async (tx) => {
        await knexOf(tx).schema.createTable('further', (table) => table.increments('id'));
        await knexOf(tx)('further').insert({});
        throw new Error('undone');
      });
      await rejection(failing);
      await expect(rejection(db.query('select * from further'))).resolves.toMatchObject({ code: 'DBM_SYNTAX' });
    });
  });
}

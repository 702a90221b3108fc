import { isDbManagerError } from '@dbmanager/core';
import type { Propagation } from '@dbmanager/database';
import { FakeClock } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  COCKROACHDB,
  PGBOUNCER,
  rejection,
  SQL_ENGINES,
  type SqlDatabase,
  until,
} from '../../../test/support/sql-engines.js';
import type { Connection } from './connection.js';
import { ConnectionManager, type ConnectionManagerOptions } from './connection-manager.js';
import type { ConnectionTransaction } from './transaction.js';

for (const engine of [...SQL_ENGINES, COCKROACHDB, PGBOUNCER]) {
  engine.describe('A transaction of a connection', () => {
    let files: SqlDatabase;
    let manager: ConnectionManager;
    let connection: Connection;

    const open = async (options: object = {}, settings: ConnectionManagerOptions = {}) => {
      const config = files.config({ maxOpenConns: 4, ...options });
      manager = new ConnectionManager({ defaultConnection: 'test', connections: [config] }, settings);
      await manager.connect();
      connection = manager.get('test');
    };
    const reopen = async (options?: object, settings?: ConnectionManagerOptions) => {
      await manager.close();
      await open(options, settings);
    };
    const ids = async () => {
      const rows = await connection.database().query<{ id: number }>('select id from items order by id');
      return rows.map(({ id }) => id);
    };
    const insert = (tx: ConnectionTransaction, id: number) => tx.execute('insert into items (id) values (?)', [id]);
    const outcomes = () => connection.stats().transactions.outcomes;

    beforeAll(async () => {
      files = await engine.create();
      await open();
      await connection.database().execute('create table items (id integer primary key, name text)');
      await manager.close();
    }, 60_000);

    afterAll(async () => {
      await files?.drop();
    });

    beforeEach(async () => {
      await open();
      await connection.database().execute('delete from items');
    });

    afterEach(async () => {
      await until(() => connection.counts.inUse === 0 && connection.counts.pending === 0);
      await manager.close();
      const { created, destroyed } = connection.stats().pool;
      expect(created).toBe(destroyed);
    });

    it('takes its limit as in the configuration, and refuses options that mean nothing', async () => {
      const empty = async () => {};
      await connection.transaction({ timeout: '5s', retry: 3 }, empty);
      for (const options of [
        { timeout: 'soon' },
        { timeout: -1 },
        { retry: -1 },
        { retry: 1.5 },
        { timeout: Number.NaN },
      ]) {
        await expect(rejection(connection.transaction(options, empty))).resolves.toMatchObject({
          code: 'DBM_INVALID_OPTION',
          option: Object.keys(options)[0],
        });
      }
      await expect(rejection(connection.transaction({ propagation: 'required' }, empty))).resolves.toMatchObject({
        code: 'DBM_INVALID_OPTION',
      });
    });

    it('is counted by how it ended, with its savepoints', async () => {
      await connection.transaction(async (tx) => {
        await tx.transaction((inner) => insert(inner, 1));
      });
      await rejection(
        connection.transaction(async () => {
          throw new Error('undone');
        }),
      );
      expect(connection.stats().transactions).toMatchObject({
        outcomes: { committed: 1, rolled_back: 1, failed: 0, unknown: 0 },
        duration: { count: 2 },
        savepoints: 1,
      });
    });

    it('is rolled back at its limit, although it awaits something else', async () => {
      const stuck = connection.transaction({ timeout: 50 }, async (tx) => {
        await insert(tx, 1);
        await new Promise(() => {});
      });
      await expect(rejection(stuck)).resolves.toMatchObject({ code: 'DBM_TRANSACTION_TIMEOUT', option: 'timeout' });
      await expect(ids()).resolves.toEqual([]);
      expect(outcomes()).toMatchObject({ rolled_back: 1 });
    });

    it('is rolled back when its signal aborts', async () => {
      const controller = new AbortController();
      const aborted = connection.transaction({ signal: controller.signal }, async (tx) => {
        await insert(tx, 1);
        controller.abort();
        await new Promise(() => {});
      });
      await expect(rejection(aborted)).resolves.toMatchObject({ code: 'DBM_ABORTED' });
      await expect(ids()).resolves.toEqual([]);
    });

    it('that only reads costs no connection when an ORM tries to write', async () => {
      const writing = connection.transaction({ readOnly: true }, (tx) => tx.knex()('items').insert({ id: 1 }));
      await rejection(writing);
      await expect(ids()).resolves.toEqual([]);
      expect(connection.stats().pool.destroyed).toBe(0);
    });

    it('tells at once of a query outside of it that would wait for it', async () => {
      await reopen({ maxOpenConns: 1 });
      for (const unbound of [
        () => connection.knex()('items').insert({ id: 1 }),
        () => connection.database().execute('insert into items (id) values (1)'),
        () => connection.transaction((other) => insert(other, 1)),
      ]) {
        const waiting = connection.transaction(async (tx) => {
          await insert(tx, 2);
          await unbound();
        });
        await expect(rejection(waiting)).resolves.toMatchObject({ code: 'DBM_POOL_DEADLOCK' });
      }
      await expect(ids()).resolves.toEqual([]);
    });

    it('undoes what an ORM has hidden with the savepoint of another name', async () => {
      await connection.transaction(async (tx) => {
        const undone = tx.transaction(async (inner) => {
          await insert(inner, 1);
          await inner.knex().transaction((trx) => trx('items').insert({ id: 2 }));
          throw new Error('undone');
        });
        await rejection(undone);
        await insert(tx, 3);
      });
      await expect(ids()).resolves.toEqual([3]);
    });

    it('does not commit while an unawaited statement runs, nor lose it', async () => {
      await connection.transaction(async (tx) => {
        void tx.knex()('items').insert({ id: 1 }).then();
        void insert(tx, 2);
      });
      await expect(ids()).resolves.toEqual([1, 2]);
    });

    describe('seeds 2: Retries: repeated', () => {
      /** A callback that loses to another transaction so often, by the driver's own error inside Knex's. */
      const losing = (times: number) => {
        let attempt = 0;
        return {
          get attempts() {
            return attempt;
          },
          work: async (tx: ConnectionTransaction) => {
            await insert(tx, ++attempt);
            if (attempt > times) return attempt;
            const code = engine.name === 'sqlite' ? 'SQLITE_BUSY_SNAPSHOT' : '40001';
            throw new Error('of an ORM', {
              cause: Object.assign(new Error('lost'), { code, severity: 'ERROR' }),
            });
          },
        };
      };

      it('runs as a whole again, at growing random delays', async () => {
        const delays: number[] = [];
        class RecordingClock extends FakeClock {
          override setTimer(delayMs: number, callback: () => void) {
            delays.push(delayMs);
            return super.setTimer(delayMs, callback);
          }
        }
        const clock = new RecordingClock();
        await reopen({}, { clock, random: () => 0.9 });
        const lost = losing(3);
        const result = connection.transaction({ retry: { attempts: 3, baseMs: 100, maxMs: 300 } }, lost.work);
        let settled = false;
        result.finally(() => {
          settled = true;
        });
        delays.length = 0;
        await until(() => {
          // Between two attempts alone: limits of what waits for the database are not to pass.
          if (connection.counts.inUse === 0 && connection.counts.pending === 0) void clock.advance(1);
          return settled;
        });
        await expect(result).resolves.toBe(4);
        expect(delays.filter((ms) => ms > 50 && ms < 1_000)).toEqual([90, 180, 270]);
        await expect(ids()).resolves.toEqual([4]);
        expect(connection.stats().transactions).toMatchObject({
          outcomes: { committed: 1, rolled_back: 3 },
          retries: { serialization_failure: 3, deadlock: 0 },
        });
      });

      it('ends with the last error when it always loses', async () => {
        const lost = losing(9);
        await expect(rejection(connection.transaction({ retry: 1 }, lost.work))).resolves.toMatchObject({
          message: 'of an ORM',
        });
        expect(lost.attempts).toBe(2);
        await expect(ids()).resolves.toEqual([]);
      });

      it('ends with its limit, not with the attempts', async () => {
        const lost = losing(9);
        const options = { timeout: 100, retry: { attempts: 1_000, baseMs: 60, maxMs: 60 } };
        await rejection(connection.transaction(options, lost.work));
        expect(lost.attempts).toBeLessThan(5);
      });

      it('is not without being asked, nor for other errors', async () => {
        const lost = losing(9);
        await rejection(connection.transaction(lost.work));
        expect(lost.attempts).toBe(1);
        let attempts = 0;
        const failing = connection.transaction({ retry: 5 }, async () => {
          attempts++;
          throw new Error('of the application');
        });
        await expect(rejection(failing)).resolves.toMatchObject({ message: 'of the application' });
        expect(attempts).toBe(1);
      });
    });

    describe('begun by hand', () => {
      it('seeds 0: begin/beginTx: is committed when asked, and a rollback after that does nothing', async () => {
        await using tx = await connection.begin();
        await insert(tx, 1);
        await tx.knex()('items').insert({ id: 2 });
        await tx.transaction((inner) => insert(inner, 3));
        await tx.commit();
        expect(tx.ended).toBe(true);
        await tx.rollback();
        await expect(ids()).resolves.toEqual([1, 2, 3]);
        await expect(rejection(tx.commit())).resolves.toMatchObject({ code: 'DBM_LEASE_RELEASED' });
      });

      it('is rolled back when its block is left', async () => {
        {
          await using tx = await connection.begin();
          await insert(tx, 1);
        }
        await expect(ids()).resolves.toEqual([]);
        expect(outcomes()).toMatchObject({ rolled_back: 1, committed: 0 });
      });

      it('is rolled back when asked, once', async () => {
        await using tx = await connection.begin();
        await insert(tx, 1);
        await tx.rollback();
        await tx.rollback();
        await expect(rejection(insert(tx, 2))).resolves.toMatchObject({ code: 'DBM_LEASE_RELEASED' });
        await expect(ids()).resolves.toEqual([]);
      });

      it('is rolled back at its limit, there and then', async () => {
        await using tx = await connection.begin({ timeout: 30 });
        await insert(tx, 1);
        await until(() => connection.counts.inUse === 0);
        await expect(rejection(tx.commit())).resolves.toMatchObject({ code: 'DBM_TRANSACTION_TIMEOUT' });
        await expect(ids()).resolves.toEqual([]);
      });

      it('cannot be repeated, and one with a callback cannot be ended', async () => {
        await expect(rejection(connection.begin({ retry: 1 }))).resolves.toMatchObject({ code: 'DBM_INVALID_OPTION' });
        await connection.transaction(async (tx) => {
          await expect(rejection(tx.commit())).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
          await expect(rejection(tx.rollback())).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
          await insert(tx, 1);
        });
        await expect(ids()).resolves.toEqual([1]);
      });
    });

    describe('that is ambient', () => {
      beforeEach(() => reopen({}, { ambientTransactions: true }));

      it('is what handles are of that are asked for inside it', async () => {
        const failing = manager.get('test').transaction(async (tx) => {
          expect(connection.ambientTransaction).toBe(tx);
          await manager.get('test').knex()('items').insert({ id: 1 });
          await connection.database().execute('insert into items (id) values (2)');
          await tx.transaction(async (inner) => {
            expect(connection.ambientTransaction).toBe(inner);
            await connection.knex()('items').insert({ id: 3 });
          });
          await expect(ids()).resolves.toEqual([1, 2, 3]);
          expect(connection.counts.inUse).toBe(1);
          throw new Error('undone');
        });
        await rejection(failing);
        expect(connection.ambientTransaction).toBeUndefined();
        await expect(ids()).resolves.toEqual([]);
      });

      it('is not left behind in what goes on after it', async () => {
        const over = Promise.withResolvers<void>();
        let later: Promise<unknown> = Promise.resolve();
        await connection.transaction(async () => {
          later = over.promise.then(() => connection.knex()('items').insert({ id: 1 }));
        });
        over.resolve();
        await later;
        await expect(ids()).resolves.toEqual([1]);
      });

      it('is joined by what requires one', async () => {
        await connection.transaction(async (outer) => {
          await connection.transaction(async (inner) => {
            expect(inner).toBe(outer);
            await insert(inner, 1);
          });
          await connection
            .database()
            .transaction(async (inner) => void (await inner.execute('insert into items (id) values (2)')));
        });
        await expect(ids()).resolves.toEqual([1, 2]);
        expect(outcomes().committed).toBe(1);
      });

      it('is not kept when what joined it failed, though that was caught', async () => {
        const failure = new Error('of a part');
        const swallowing = connection.transaction(async (tx) => {
          await insert(tx, 1);
          await rejection(
            connection.transaction(async (part) => {
              await insert(part, 2);
              throw failure;
            }),
          );
        });
        await expect(rejection(swallowing)).resolves.toMatchObject({ code: 'DBM_TRANSACTION_ABORTED', cause: failure });
        await expect(ids()).resolves.toEqual([]);
      });

      it('loses only the nested one that a part of it had joined', async () => {
        await connection.transaction(async (tx) => {
          await insert(tx, 1);
          const nested = tx.transaction(async () => {
            await rejection(
              connection.transaction(async (part) => {
                await insert(part, 2);
                throw new Error('of a part');
              }),
            );
          });
          await expect(rejection(nested)).resolves.toMatchObject({ code: 'DBM_TRANSACTION_ABORTED' });
        });
        await expect(ids()).resolves.toEqual([1]);
      });

      it('refuses a part that asks for what it is not', async () => {
        await connection.transaction({ isolation: 'serializable' }, async () => {
          await connection.transaction({ isolation: 'serializable' }, async () => {});
        });
        const mixed = connection.transaction(async () => {
          await connection.transaction({ readOnly: true }, async () => {});
        });
        await expect(rejection(mixed)).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED', option: 'readOnly' });
      });

      it('is not joined by what requires a new one', async () => {
        const work = async (tx: ConnectionTransaction) => {
          expect(connection.ambientTransaction).toBe(tx);
          await insert(tx, 1);
        };
        // SQLite has one writer, so that the outer one must not have written.
        const failing = connection.transaction({ readOnly: true }, async (outer) => {
          await outer.query('select id from items');
          await connection.transaction({ propagation: 'requires-new' }, work);
          expect(connection.ambientTransaction).toBe(outer);
          throw new Error('undone');
        });
        await rejection(failing);
        await expect(ids()).resolves.toEqual([1]);
      });

      it('refuses a propagation that there is not, rather than join', async () => {
        const options = { propagation: 'mandatory' as Propagation };
        await expect(rejection(connection.transaction(options, async () => {}))).resolves.toMatchObject({
          code: 'DBM_INVALID_OPTION',
          option: 'propagation',
          connectionName: connection.name,
        });
      });

      it('is supported or forbidden by what can do without', async () => {
        const seen = (propagation: 'supports' | 'never') => connection.transaction({ propagation }, async (tx) => tx);
        await expect(seen('supports')).resolves.toBeUndefined();
        await expect(seen('never')).resolves.toBeUndefined();
        await connection.transaction(async (tx) => {
          await expect(seen('supports')).resolves.toBe(tx);
          await expect(rejection(seen('never'))).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
        });
      });

      it('has no native pool in it', async () => {
        await connection.transaction(async () => {
          expect(() => connection.native()).toThrow('not be part');
        });
        expect(connection.native()).toBeDefined();
      });
    });

    describe("by the driver's own connection", () => {
      it('writes with the others, and is dead after the end', async () => {
        let late: () => unknown = () => undefined;
        await connection.transaction(async (tx) => {
          if (engine.name === 'sqlite') {
            const database = tx.native('sqlite');
            database.prepare('insert into items (id) values (?)').run(1);
            database.transaction((id: number) => database.prepare('insert into items (id) values (?)').run(id))(2);
            expect(database.prepare('select id from items').pluck().all()).toEqual([1, 2]);
            expect(() => database.exec('commit')).toThrow('COMMIT');
            expect(() => database.prepare('/**/rollback')).toThrow('ROLLBACK');
            database.close();
            late = () => database.exec('select 1');
          } else {
            const client = tx.native(engine === COCKROACHDB ? 'cockroachdb' : 'postgres');
            await client.query('insert into items (id) values ($1)', [1]);
            await new Promise<void>((resolve, reject) => {
              client.query('insert into items (id) values (2)', (error: Error | null) =>
                error ? reject(error) : resolve(),
              );
            });
            client.release();
            await expect(rejection(client.query('commit'))).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
            late = () => client.query('select 1');
          }
          await insert(tx, 3);
        });
        await expect(ids()).resolves.toEqual([1, 2, 3]);
        const error = await (async () => late())().catch((reason: unknown) => reason);
        expect(isDbManagerError(error, 'DBM_LEASE_RELEASED')).toBe(true);
      });

      it('is asked for by its type', async () => {
        const other = engine.name === 'sqlite' ? 'postgres' : 'sqlite';
        await connection.transaction(async (tx) => {
          expect(() => tx.native(other)).toThrow(/asked of type/);
        });
      });
    });

    if (engine.name === 'sqlite') {
      it('is not gone on with after a statement by the driver made SQLite roll back', async () => {
        const failing = connection.transaction(async (tx) => {
          await insert(tx, 1);
          expect(() => tx.native('sqlite').exec('insert or rollback into items (id) values (1)')).toThrow('UNIQUE');
          await insert(tx, 2);
        });
        await expect(rejection(failing)).resolves.toMatchObject({
          code: 'DBM_TRANSACTION_ABORTED',
          cause: { code: 'SQLITE_CONSTRAINT_PRIMARYKEY' },
        });
        await expect(ids()).resolves.toEqual([]);
        expect(outcomes()).toMatchObject({ failed: 1 });
      });

      it('refuses the driver, which cannot wait, while something else is under way', async () => {
        await connection.transaction(async (tx) => {
          const nested = tx.transaction((inner) => insert(inner, 1));
          expect(() => tx.native('sqlite').exec('select 1')).toThrow('under way');
          await nested;
        });
      });
    }
  });
}

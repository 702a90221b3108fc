import type { BridgeTarget } from '@dbmanager/core';
import { createDatabase, type Database, type Transaction } from '@dbmanager/database';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Column,
  type DataSource,
  Entity,
  type EntityManager,
  type EntitySubscriberInterface,
  EventSubscriber,
  IsNull,
  ManyToOne,
  PrimaryColumn,
} from 'typeorm';
import {
  ALL_SQL_ENGINES,
  bridgeTarget,
  rejection,
  type SqlDatabase,
  until,
} from '../../../test/support/sql-engines.js';
import { typeormBridge } from './typeorm-bridge.js';

@Entity()
class Item {
  @PrimaryColumn()
  id!: number;

  @Column({ nullable: true })
  name?: string;

  @ManyToOne(() => Item, { lazy: true, nullable: true })
  parent?: Promise<Item | null>;
}

@EventSubscriber()
class Listener implements EntitySubscriberInterface {
  static readonly events: string[] = [];

  afterTransactionStart(): void {
    Listener.events.push('start');
  }

  afterTransactionCommit(): void {
    Listener.events.push('commit');
  }

  afterTransactionRollback(): void {
    Listener.events.push('rollback');
  }
}

/** What makes a rollback to TypeORM's savepoint fail, where savepoints cannot be released: here it goes with the rest. */
const UNDOES_SAVEPOINT: Readonly<Record<string, string>> = {
  mssql: 'set xact_abort on; insert into item (id) values (1)',
};

for (const engine of ALL_SQL_ENGINES) {
  engine.describe('TypeORM in a transaction', () => {
    let files: SqlDatabase;
    let connection: TestConnection<unknown>;
    let target: BridgeTarget;
    let ds: DataSource;
    let db: Database;

    const managerOf = (tx: Transaction): EntityManager => tx.use(typeormBridge);
    const save = (manager: EntityManager, id: number, name = 'typeorm') => manager.save(Item, { id, name });
    const ids = async () => (await db.query<{ id: number }>('select id from item order by id')).map(({ id }) => id);

    async function openConnection(options: object = {}): Promise<void> {
      connection = await files.open({ maxOpenConns: 4, acquireTimeoutMs: 5_000, ...options });
      const bare = bridgeTarget(connection);
      ds = await typeormBridge.open(bare, { entities: [Item], subscribers: [Listener] });
      target = Object.create(bare, {
        opened: { value: (_: string, key: string) => (key === 'default' ? { handle: ds, options: {} } : undefined) },
      });
      db = createDatabase(target);
    }

    beforeAll(async () => {
      files = await engine.create();
      await openConnection();
      await ds.synchronize();
      await connection.close();
    }, 60_000);

    afterAll(async () => {
      await files?.drop();
    });

    beforeEach(async () => {
      await openConnection();
      await db.execute('delete from item');
      Listener.events.length = 0;
    });

    afterEach(async () => {
      await until(() => target.counts.inUse === 0 && target.counts.pending === 0);
      expect(connection.lanes.stats().dirtyReleases).toBe(0);
      await connection.close();
    });

    it('writes with the others in one commit', async () => {
      await db.transaction(async (tx) => {
        await save(managerOf(tx), 1);
        await tx.execute('insert into item (id) values (2)');
        await expect(managerOf(tx).find(Item, { order: { id: 'ASC' } })).resolves.toMatchObject([{ id: 1 }, { id: 2 }]);
        await expect(tx.query('select id from item')).resolves.toHaveLength(2);
        await expect(ds.getRepository(Item).count()).resolves.toBe(0);
      });
      await expect(ids()).resolves.toEqual([1, 2]);
    });

    it('leaves nothing when the callback throws', async () => {
      const failure = new Error('of the application');
      const failing = db.transaction(async (tx) => {
        await save(managerOf(tx), 1);
        throw failure;
      });
      await expect(rejection(failing)).resolves.toBe(failure);
      await expect(ids()).resolves.toEqual([]);
    });

    it('gives the same manager each time, and another one to a nested transaction', async () => {
      await db.transaction(async (tx) => {
        expect(managerOf(tx)).toBe(managerOf(tx));
        await tx.transaction(async (inner) => expect(managerOf(inner)).not.toBe(managerOf(tx)));
      });
    });

    it('serves repositories, query builders and query runners of that manager', async () => {
      await db.transaction(async (tx) => {
        const manager = managerOf(tx);
        await manager.getRepository(Item).insert({ id: 1, name: 'a' });
        await manager.createQueryBuilder().insert().into(Item).values({ id: 2 }).execute();
        await manager.queryRunner?.query('insert into item (id) values (3)');
        await manager.query('insert into item (id) values (4)');
        await expect(manager.countBy(Item, {})).resolves.toBe(4);
        await expect(manager.queryRunner?.hasTable('item')).resolves.toBe(true);
        await expect(ids()).resolves.toEqual([]);
      });
      await expect(ids()).resolves.toEqual([1, 2, 3, 4]);
    });

    it('serves all that comes from the data source of that manager', async () => {
      await db.transaction(async (tx) => {
        const { dataSource } = managerOf(tx);
        await dataSource.getRepository(Item).insert({ id: 1 });
        await dataSource.query('insert into item (id) values (2)');
        await dataSource.manager.insert(Item, { id: 3 });
        await dataSource.createQueryBuilder().insert().into(Item).values({ id: 4 }).execute();
        await dataSource.transaction((inner) => inner.insert(Item, { id: 5 }));
        const runner = dataSource.createQueryRunner();
        await runner.startTransaction();
        await runner.manager.insert(Item, { id: 6 });
        await runner.commitTransaction();
        await runner.release();
        await dataSource.destroy();
        await expect(dataSource.createQueryBuilder(Item, 'item').getCount()).resolves.toBe(6);
        await expect(ids()).resolves.toEqual([]);
        await expect(rejection(dataSource.synchronize())).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
      });
      await expect(ids()).resolves.toEqual([1, 2, 3, 4, 5, 6]);
    });

    it('streams, and goes on after a stream that was left early', async () => {
      await db.transaction(async (tx) => {
        const manager = managerOf(tx);
        await save(manager, 1);
        const sql = `(${engine.series(1_000)})`;
        let count = 0;
        for await (const _ of await manager.createQueryBuilder().select('n').from(sql, 's').stream()) count++;
        for await (const _ of await manager.createQueryBuilder().select('n').from(sql, 's').stream()) break;
        await manager.query('insert into item (id) values (2)');
        expect(count).toBe(1_000);
      });
      await expect(ids()).resolves.toEqual([1, 2]);
    });

    describe('its own transactions', () => {
      it('are nested ones, each rolled back alone', async () => {
        await db.transaction(async (tx) => {
          const manager = managerOf(tx);
          await save(manager, 1);
          const undone = manager.transaction(async (inner) => {
            await save(inner, 2);
            throw new Error('inner');
          });
          await expect(rejection(undone)).resolves.toMatchObject({ message: 'inner' });
          await manager.transaction(async (inner) => {
            await save(inner, 3);
            await inner.transaction((deepest) => save(deepest, 4));
          });
          await tx.execute('insert into item (id) values (5)');
        });
        await expect(ids()).resolves.toEqual([1, 3, 4, 5]);
      });

      it('undo what others did inside', async () => {
        await db.transaction(async (tx) => {
          await rejection(
            managerOf(tx).transaction(async () => {
              await tx.execute('insert into item (id) values (1)');
              throw new Error('inner');
            }),
          );
          await tx.execute('insert into item (id) values (2)');
        });
        await expect(ids()).resolves.toEqual([2]);
      });

      it('run one after the other when several are begun at once', async () => {
        await db.transaction(async (tx) => {
          const manager = managerOf(tx);
          const outcomes = await Promise.allSettled(
            [1, 2, 3, 4].map((id) =>
              manager.transaction(async (inner) => {
                await save(inner, id);
                await save(inner, id + 10);
                if (id % 2 === 0) throw new Error('even');
              }),
            ),
          );
          expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
        });
        await expect(ids()).resolves.toEqual([1, 3, 11, 13]);
      });

      it('go on after a statement failed inside', async () => {
        await db.transaction(async (tx) => {
          const manager = managerOf(tx);
          await save(manager, 1);
          const failing = manager.transaction((inner) => inner.insert(Item, { id: 1 }));
          await expect(rejection(failing)).resolves.toMatchObject({ name: 'QueryFailedError' });
          await save(manager, 2);
        });
        await expect(ids()).resolves.toEqual([1, 2]);
      });

      it('that cannot be undone are not committed with the rest', async () => {
        const failing = db.transaction(async (tx) => {
          await rejection(
            managerOf(tx).transaction(async (inner) => {
              await save(inner, 1);
              await inner.query(UNDOES_SAVEPOINT[engine.name] ?? 'release savepoint typeorm_1');
              throw new Error('inner');
            }),
          );
        });
        await expect(rejection(failing)).resolves.toBeInstanceOf(Error);
        await expect(ids()).resolves.toEqual([]);
      });

      it('can be begun and ended by hand', async () => {
        await db.transaction(async (tx) => {
          const { queryRunner } = managerOf(tx);
          await queryRunner?.startTransaction();
          await queryRunner?.manager.insert(Item, { id: 1 });
          await queryRunner?.startTransaction();
          await queryRunner?.manager.insert(Item, { id: 2 });
          await queryRunner?.rollbackTransaction();
          await queryRunner?.commitTransaction();
          await tx.execute('insert into item (id) values (3)');
        });
        await expect(ids()).resolves.toEqual([1, 3]);
      });

      it('begun by hand and left open undo the whole', async () => {
        const failing = db.transaction(async (tx) => {
          await managerOf(tx).queryRunner?.startTransaction();
          await managerOf(tx).insert(Item, { id: 1 });
        });
        await expect(rejection(failing)).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
        await expect(ids()).resolves.toEqual([]);
      });

      it('tell subscribers', async () => {
        await db.transaction(async (tx) => {
          await managerOf(tx).transaction((inner) => save(inner, 1));
          await rejection(managerOf(tx).transaction(() => Promise.reject(new Error('inner'))));
        });
        expect(Listener.events).toEqual(['start', 'commit', 'start', 'rollback']);
      });

      it('refuse an isolation level', async () => {
        await db.transaction(async (tx) => {
          const manager = managerOf(tx);
          const byCallback = manager.transaction('SERIALIZABLE', async () => {});
          await expect(rejection(byCallback)).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
          const byHand = (manager.queryRunner as NonNullable<typeof manager.queryRunner>).startTransaction(
            'SERIALIZABLE',
          );
          await expect(rejection(byHand)).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
        });
      });
    });

    describe('refuses', () => {
      it.each(['COMMIT', '/* a comment */ rollback', 'select 1; commit'])('the text %s', async (sql) => {
        await db.transaction(async (tx) => {
          await save(managerOf(tx), 1);
          await expect(rejection(managerOf(tx).query(sql))).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
          await save(managerOf(tx), 2);
        });
        await expect(ids()).resolves.toEqual([1, 2]);
      });

      it('to end the transaction by its query runner, whose release does nothing', async () => {
        await db.transaction(async (tx) => {
          const { queryRunner } = managerOf(tx);
          await expect(rejection(queryRunner?.commitTransaction() ?? Promise.resolve())).resolves.toMatchObject({
            code: 'DBM_UNSUPPORTED',
          });
          await expect(rejection(queryRunner?.rollbackTransaction() ?? Promise.resolve())).resolves.toMatchObject({
            code: 'DBM_UNSUPPORTED',
          });
          await queryRunner?.release();
          await queryRunner?.[Symbol.asyncDispose]();
          await save(managerOf(tx), 1);
        });
        await expect(ids()).resolves.toEqual([1]);
      });

      it('late use, of the manager and of all that came from it', async () => {
        let late: (() => Promise<unknown>)[] = [];
        await db.transaction(async (tx) => {
          const manager = managerOf(tx);
          const repository = manager.getRepository(Item);
          let nested = manager;
          await manager.transaction(async (inner) => {
            nested = inner;
          });
          await expect(rejection(nested.find(Item))).resolves.toMatchObject({ code: 'DBM_LEASE_RELEASED' });
          late = [
            () => manager.find(Item),
            () => manager.query('select 1'),
            () => save(manager, 1),
            () => manager.transaction(async () => {}),
            () => repository.insert({ id: 1 }),
            () => nested.insert(Item, { id: 1 }),
            async () => manager.queryRunner?.startTransaction(),
            async () => manager.queryRunner?.stream('select 1'),
          ];
        });
        for (const use of late) {
          await expect(rejection(use())).resolves.toMatchObject({ code: 'DBM_LEASE_RELEASED' });
        }
        await expect(ids()).resolves.toEqual([]);
      });

      it('to begin before TypeORM has been opened under that name', async () => {
        await db.transaction(async (tx) => {
          expect(() => tx.use(typeormBridge, undefined, 'billing')).toThrow(
            expect.objectContaining({ code: 'DBM_NOT_CONNECTED' }),
          );
        });
      });
    });

    it('loads lazy relations inside, and after its end on a connection of their own', async () => {
      const [inside, after] = await db.transaction(async (tx) => {
        const manager = managerOf(tx);
        await save(manager, 1, 'parent');
        await tx.execute(`insert into item (id, ${ds.driver.escape('parentId')}) values (2, 1), (3, 1)`);
        const children = await manager.find(Item, { where: { name: IsNull() }, order: { id: 'ASC' } });
        await children[0]?.parent;
        return children;
      });
      await expect(inside?.parent).resolves.toMatchObject({ name: 'parent' });
      await expect(after?.parent).resolves.toMatchObject({ name: 'parent' });
    });
  });
}

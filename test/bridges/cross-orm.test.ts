/** @jest-environment ./test/support/new-york-environment.js */
import type { ConnectionManager, ManagedConnection } from '@dbmanager/core';
import type { Transaction } from '@dbmanager/database';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { ALL_SQL_ENGINES, rejection, type SqlDatabase, until } from '../support/sql-engines.js';
import { item, managerOf, transact } from './bridge-suite.js';
import type { Items, OpenOrm } from './orm-under-test.js';
import { ormsOn } from './orms.js';

for (const engine of ALL_SQL_ENGINES) {
  const ORMS = ormsOn(engine);
  const NAMES = ORMS.map(({ name }) => name);

  engine.describe('All ORMs in one transaction', () => {
    let database: SqlDatabase;
    let manager: ConnectionManager;
    let connection: ManagedConnection;
    let opened: readonly OpenOrm[];

    async function query(sql: string): Promise<readonly Record<string, unknown>[]> {
      const session = connection.engine.sql?.session(connection);
      const result = await session?.query({ sql });
      session?.release();
      return result?.rows ?? [];
    }

    const seen = async () => (await query('select name from items order by id')).map(({ name }) => name);

    /** Every ORM, bound to `tx`. */
    const bind = (tx: Transaction): readonly Items[] => ORMS.map((orm) => orm.bind(tx));

    /** Each ORM writes an item of its own name. */
    async function writeAll(tx: Transaction): Promise<readonly Items[]> {
      const bound = bind(tx);
      for (const [index, items] of bound.entries()) await items.insert(item(index, NAMES[index]));
      return bound;
    }

    beforeAll(async () => {
      database = await engine.create();
      manager = await managerOf(database);
      connection = manager.get('test');
      opened = await Promise.all(ORMS.map((orm) => orm.open(connection)));
      await opened[0]?.createTable();
    }, 60_000);

    afterAll(async () => {
      await manager?.close();
      await database?.drop();
    });

    beforeEach(async () => {
      await query('delete from items');
    });

    afterEach(async () => {
      await until(() => connection.counts.inUse === 0 && connection.counts.pending === 0);
    });

    it('each writes, each reads what the others have written, nobody outside does', async () => {
      await transact(connection, async (tx) => {
        const bound = await writeAll(tx);
        for (const items of bound) await expect(items.names()).resolves.toEqual(NAMES);
        await expect(seen()).resolves.toEqual([]);
        for (const { items } of opened) await expect(items.names()).resolves.toEqual([]);
      });
      await expect(seen()).resolves.toEqual(NAMES);
    });

    it('nothing is left when it throws', async () => {
      const reason = new Error('no');
      const work = transact(connection, async (tx) => {
        await writeAll(tx);
        throw reason;
      });
      await expect(work).rejects.toBe(reason);
      await expect(seen()).resolves.toEqual([]);
    });

    it('what one nests and undoes takes nothing of the others with it', async () => {
      await transact(connection, async (tx) => {
        const bound = await writeAll(tx);
        for (const items of bound) {
          await rejection(
            items.transaction(async (inner) => {
              await inner.insert(item(100));
              for (const each of bound) await each.names();
              throw new Error('undone');
            }),
          );
        }
      });
      await expect(seen()).resolves.toEqual(NAMES);
    });

    it('nested transactions of several at once take turns', async () => {
      await transact(connection, async (tx) => {
        const work = bind(tx).flatMap((items, index) => [
          items.transaction((inner) => inner.insert(item(2 * index, `kept ${index}`))),
          rejection(
            items.transaction(async (inner) => {
              await inner.insert(item(2 * index + 1));
              throw new Error('undone');
            }),
          ),
        ]);
        await Promise.all(work);
      });
      await expect(seen()).resolves.toEqual(NAMES.map((_, index) => `kept ${index}`));
    });

    if (engine.name === 'postgres') {
      it('it is one transaction for the server', async () => {
        await transact(connection, writeAll);
        await expect(query('select count(distinct xmin::text)::int as n from items')).resolves.toEqual([{ n: 1 }]);
      });
    }

    it('opening them leaves the results of others as they were', async () => {
      const values =
        engine.name === 'postgres'
          ? "select 9007199254740993::int8 as big, timestamptz '2024-07-01 12:34:56Z' as at, 1.50::numeric as n"
          : 'select 9007199254740993 as big, 1.5 as n';
      const alone = await managerOf(database);
      const session = alone.get('test').engine.sql?.session(alone.get('test'));
      const result = await session?.query({ sql: values });
      session?.release();
      await alone.close();
      await expect(query(values)).resolves.toEqual(result?.rows);
    });

    it('close one by one, and the rest go on', async () => {
      const other = await managerOf(database);
      const all = await Promise.all(ORMS.map((orm) => orm.open(other.get('test'))));
      for (const [index, orm] of all.entries()) {
        await orm.close();
        for (const { items } of all.slice(index + 1)) await expect(items.names()).resolves.toEqual([]);
      }
      await other.close();
    });
  });
}

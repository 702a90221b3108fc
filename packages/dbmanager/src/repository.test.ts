import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { ALL_SQL_ENGINES, PGBOUNCER, rejection, type SqlDatabase, until } from '../../../test/support/sql-engines.js';
import type { Connection } from './connection.js';
import { ConnectionManager } from './connection-manager.js';
import type { Repository, RepositoryOptions } from './index.js';

interface Item {
  id: number;
  name: string;
}

const ITEMS: RepositoryOptions<Item> = { table: 'items', columns: { id: 'integer', name: 'text' } };

for (const engine of [...ALL_SQL_ENGINES, PGBOUNCER]) {
  engine.describe('seeds 1: Repository: a repository of a connection', () => {
    let files: SqlDatabase;
    let manager: ConnectionManager;
    let connection: Connection;
    let items: Repository<Item>;

    const prepare = (ambientTransactions: boolean) => {
      const connections = [files.config({ maxOpenConns: 4 })];
      manager = new ConnectionManager({ defaultConnection: 'test', connections }, { ambientTransactions });
      connection = manager.get('test');
      items = connection.repository<Item>(ITEMS);
    };
    const ids = async () => (await items.list()).map(({ id }) => id);

    beforeAll(async () => {
      files = await engine.create();
      prepare(false);
      await manager.connect();
      await connection
        .database()
        .execute("create table items (id integer primary key, name varchar(40) not null default 'none')");
      await manager.close();
    }, 60_000);

    afterAll(async () => {
      await files?.drop();
    });

    beforeEach(() => {
      prepare(true);
    });

    afterEach(async () => {
      await items.deleteWhere({ id: { gt: 0 } });
      await until(() => connection.counts.inUse === 0 && connection.counts.pending === 0);
      await manager.close();
      const { created, destroyed } = connection.stats().pool;
      expect(created).toBe(destroyed);
    });

    it('may be made before the connection is open, and stays valid across reconnects', async () => {
      await expect(rejection(items.list())).resolves.toMatchObject({ code: 'DBM_NOT_CONNECTED' });
      await manager.connect();
      await items.create({ id: 1, name: 'one' });
      await connection.reconnect();
      expect(await ids()).toEqual([1]);
    });

    it('takes part in the ambient transaction, and in one nested in it', async () => {
      await manager.connect();
      const failing = connection.transaction(async (tx) => {
        await items.create({ id: 1, name: 'one' });
        await tx.execute('insert into items (id, name) values (?, ?)', [2, 'two']);
        expect(await ids()).toEqual([1, 2]);
        const undone = tx.transaction(async () => {
          await items.createMany([3, 4].map((id) => ({ id, name: 'more' })));
          await items.update(1, { name: 'changed' });
          throw new Error('only this');
        });
        await expect(rejection(undone)).resolves.toMatchObject({ message: 'only this' });
        expect(await items.list()).toEqual([
          { id: 1, name: 'one' },
          { id: 2, name: 'two' },
        ]);
        throw new Error('all of it');
      });
      await expect(rejection(failing)).resolves.toMatchObject({ message: 'all of it' });
      expect(await ids()).toEqual([]);
    });

    it('leaves an ambient transaction that goes on as it was when one of its calls fails', async () => {
      await manager.connect();
      await connection.transaction(async () => {
        await items.create({ id: 1, name: 'one' });
        // Rows of different columns are several statements: one of them has been run when the other fails.
        const rows = [{ id: 5, name: 'five' }, { id: 6 }, { id: 1 }];
        await expect(rejection(items.createMany(rows))).resolves.toMatchObject({ code: 'DBM_UNIQUE_VIOLATION' });
        expect(await ids()).toEqual([1]);
      });
      expect(await ids()).toEqual([1]);
    });

    it('is made of a transaction, as one in it, and is dead after its end', async () => {
      await manager.connect();
      const late = await connection.transaction(async (tx) => {
        const inside = tx.repository<Item>(ITEMS);
        await inside.create({ id: 1, name: 'one' });
        return inside;
      });
      expect(await ids()).toEqual([1]);
      await expect(rejection(late.list())).resolves.toMatchObject({ code: 'DBM_LEASE_RELEASED' });
    });

    it('writes what every other handle of the transaction reads', async () => {
      await manager.connect();
      await connection.transaction(async (tx) => {
        await items.create({ id: 1, name: 'one' });
        expect(await tx.knex()('items').select('name')).toEqual([{ name: 'one' }]);
      });
    });
  });
}

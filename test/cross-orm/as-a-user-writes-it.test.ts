/** The transaction for which this project was begun, in the words of those who asked for it. */
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { defineEntity, p } from '@mikro-orm/core';
import { type Connection, ConnectionManager } from 'dbmanager';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { rejection, SQL_ENGINES, type SqlDatabase } from '../support/sql-engines.js';

@Entity('users')
class User {
  @PrimaryColumn()
  id!: number;

  @Column()
  name!: string;
}

const Account = defineEntity({ name: 'Account', properties: { id: p.integer().primary(), owner: p.text() } });

interface DB {
  stock: { item: string; pieces: number };
}

for (const engine of SQL_ENGINES) {
  engine.describe('A transaction as a user writes it', () => {
    let database: SqlDatabase;
    let mgr: ConnectionManager;
    let primary: Connection;

    beforeAll(async () => {
      database = await engine.create();
      mgr = new ConnectionManager({ defaultConnection: 'test', connections: [database.config({})] });
      await mgr.connect();
      primary = mgr.get('test');
      const ds = await primary.typeorm({ entities: [User] });
      await ds.synchronize();
      const orm = await primary.mikroorm({ entities: [Account] });
      await orm.schema.update({ safe: true });
      await primary.knex().schema.createTable('ledger', (table) => void table.string('what'));
      await primary
        .kysely<DB>()
        .schema.createTable('stock')
        .addColumn('item', 'text')
        .addColumn('pieces', 'integer')
        .execute();
    }, 60_000);

    afterAll(async () => {
      await mgr?.close();
      await database?.drop();
    });

    beforeEach(async () => {
      const db = mgr.getDefaultDatabase();
      for (const table of ['users', 'account', 'ledger', 'stock']) await db.execute(`delete from ${table}`);
      await db.execute("insert into stock values ('lamp', 5)");
    });

    const sell = async (mind: (tx: { query(sql: string): Promise<unknown> }) => Promise<void>) => {
      const ds = await primary.typeorm();
      const orm = await primary.mikroorm();
      const user = ds.getRepository(User).create({ id: 1, name: 'Ada' });
      const account = orm.em.fork().create(Account, { id: 1, owner: 'Ada' });
      await primary.transaction({ isolation: 'serializable', timeout: '60s', retry: 3 }, async (tx) => {
        await tx.knex()('ledger').insert({ what: 'sold' });
        await tx.typeorm().save(user);
        tx.mikroorm().persist(account);
        await tx.kysely().updateTable('stock').set({ pieces: 4 }).where('item', '=', 'lamp').execute();
        await tx.query('select 1 as one');
        const nested = tx.transaction(async (inner) => {
          await inner.knex()('ledger').insert({ what: 'never' });
          throw new Error('the savepoint alone');
        });
        await expect(rejection(nested)).resolves.toMatchObject({ message: 'the savepoint alone' });
        await mind(tx);
      });
    };

    const found = async () => {
      const ds = await primary.typeorm();
      const orm = await primary.mikroorm();
      return {
        users: await ds.getRepository(User).countBy({ name: 'Ada' }),
        accounts: await orm.em.fork().count(Account, { owner: 'Ada' }),
        ledger: await primary.knex()('ledger').pluck('what'),
        stock: await primary.kysely<DB>().selectFrom('stock').select('pieces').execute(),
      };
    };

    it('is one COMMIT', async () => {
      await sell(async () => {});
      await expect(found()).resolves.toEqual({ users: 1, accounts: 1, ledger: ['sold'], stock: [{ pieces: 4 }] });
    });

    it('or nothing', async () => {
      const reason = new Error('no');
      await expect(sell(() => Promise.reject(reason))).rejects.toBe(reason);
      await expect(found()).resolves.toEqual({ users: 0, accounts: 0, ledger: [], stock: [{ pieces: 5 }] });
    });

    if (engine.name === 'postgres') {
      it('is begun as its options say', async () => {
        const settings = (options: object) =>
          primary.transaction(options, (tx) =>
            tx.queryOne(`select current_setting('transaction_isolation') as isolation,
              current_setting('transaction_read_only') as "readOnly", current_setting('transaction_deferrable') as deferrable`),
          );
        await expect(settings({})).resolves.toEqual({
          isolation: 'read committed',
          readOnly: 'off',
          deferrable: 'off',
        });
        for (const isolation of ['read committed', 'repeatable read', 'serializable']) {
          await expect(settings({ isolation })).resolves.toMatchObject({ isolation });
        }
        await expect(settings({ isolation: 'serializable', readOnly: true, deferrable: true })).resolves.toEqual({
          isolation: 'serializable',
          readOnly: 'on',
          deferrable: 'on',
        });
      });
    }
  });
}

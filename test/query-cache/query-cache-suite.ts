import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type ConnectionDatabase, ConnectionManager } from 'dbmanager';
import type { SqlDatabase, SqlTestEngine } from '../support/sql-engines.js';

/** What the cache promises on every engine, through a manager. */
export function runQueryCacheSuite(engine: SqlTestEngine): void {
  engine.describe('seeds 2: Query cache: the query cache', () => {
    let files: SqlDatabase;
    let mgr: ConnectionManager;
    let db: ConnectionDatabase;

    beforeAll(async () => {
      files = await engine.create();
    }, 60_000);

    afterAll(() => files?.drop());

    const open = async (ambientTransactions = false, options: object = {}) => {
      const config = files.config({ cacheEnabled: true, maxOpenConns: 4, ...options });
      mgr = new ConnectionManager({ defaultConnection: 'test', connections: [config] }, { ambientTransactions });
      await mgr.connect();
      db = mgr.getDefaultDatabase();
    };

    const close = async () => {
      await mgr.close();
      for (const { pool } of Object.values(mgr.stats().connections)) expect(pool.created).toBe(pool.destroyed);
    };

    beforeEach(async () => {
      await open();
      await db.execute('create table items (id integer primary key, name varchar(50) not null)');
      await db.execute("insert into items (id, name) values (1, 'one')");
    });

    afterEach(async () => {
      await db.execute('drop table items');
      await close();
    });

    /** How often the database itself has been asked to read the table. */
    const executions = () =>
      (mgr.stats().connections.test?.statements?.series ?? [])
        .filter(({ operation, collection }) => operation === 'SELECT' && collection === 'items')
        .reduce((sum, { duration }) => sum + duration.count, 0);

    const names = async () => {
      const rows = await db.query<{ name: string }>('select name from items order by id', [], { cache: true });
      return rows.map(({ name }) => name);
    };

    it('two reads are one execution, after a write two', async () => {
      expect([await names(), await names()]).toEqual([['one'], ['one']]);
      expect(executions()).toBe(1);
      await db.execute('update items set name = ? where id = ?', ['uno', 1]);
      expect([await names(), await names()]).toEqual([['uno'], ['uno']]);
      expect(executions()).toBe(2);
    });

    it('a hundred that ask at once are one execution', async () => {
      expect(new Set((await Promise.all(Array.from({ length: 100 }, names))).flat())).toEqual(new Set(['one']));
      expect(executions()).toBe(1);
    });

    it('a write of a transaction counts from its COMMIT on', async () => {
      await db.transaction(async (tx) => {
        await tx.execute('insert into items (id, name) values (?, ?)', [2, 'two']);
        // A reader of a server that locks would wait for the end.
        if (engine.name !== 'mssql') expect(await names()).toEqual(['one']);
      });
      expect(await names()).toEqual(['one', 'two']);
    });

    it('a write by another door counts as well, and one of its own transaction at the COMMIT', async () => {
      const knex = mgr.get('test').knex();
      await names();
      await knex('items').where({ id: 1 }).update({ name: 'knex' });
      expect(await names()).toEqual(['knex']);
      await knex.transaction(async (trx) => {
        await trx('items').where({ id: 1 }).update({ name: 'trx' });
        if (engine.name !== 'mssql') expect(await names()).toEqual(['knex']);
      });
      expect(await names()).toEqual(['trx']);
      await mgr.get('test').transaction((tx) => tx.knex()('items').where({ id: 1 }).update({ name: 'tx' }));
      expect(await names()).toEqual(['tx']);
      expect(executions()).toBe(engine.name === 'mssql' ? 4 : 5);
    });

    it('who holds the only connection is told so at once, and waits for nobody who waits for it', async () => {
      await close();
      await open(false, { maxOpenConns: 1 });
      const outside = AsyncLocalStorage.snapshot();
      const [waiting, inside] = await db.transaction(async (tx) => {
        await tx.query('select name from items');
        const waiting = outside(names);
        // SQLite may have another to read with.
        return [
          waiting,
          await names().then(
            () => 'read',
            ({ code }) => code as string,
          ),
        ] as const;
      });
      expect(['DBM_POOL_DEADLOCK', 'read']).toContain(inside);
      expect(await waiting).toEqual(['one']);
    });

    it('is off inside transactions, which see what they have written', async () => {
      await names();
      const inside = await db.transaction(async (tx) => {
        await tx.execute('insert into items (id, name) values (?, ?)', [2, 'two']);
        return tx.query('select name from items order by id', [], { cache: true });
      });
      expect(inside).toEqual([{ name: 'one' }, { name: 'two' }]);
    });

    it('is off inside ambient transactions', async () => {
      await close();
      await open(true);
      await names();
      await db.transaction(async () => {
        await db.execute('insert into items (id, name) values (?, ?)', [2, 'two']);
        expect(await names()).toEqual(['one', 'two']);
      });
    });

    it('a read that asks for nothing, and a statement run for what it does, ask the database', async () => {
      await names();
      await db.query('select name from items order by id');
      await db.query('select name from items order by id', [], { cache: false });
      await db.execute('select name from items order by id', [], { cache: true });
      expect(executions()).toBe(4);
    });

    it('values come back as they were read, and are the own ones of each caller', async () => {
      const read = async () => db.queryOneOrThrow<Record<string, unknown>>('select * from items', [], { cache: true });
      const first = await read();
      const expected = { ...first };
      first.name = 'changed';
      expect(await read()).toEqual(expected);
      expect(executions()).toBe(1);
    });

    it('is dropped by tag and by hand', async () => {
      const tagged = () => db.query('select name from items', [], { cache: { tags: ['list'], ttl: '1h' } });
      const cache = mgr.get('test').queryCache;
      await tagged();
      await cache?.invalidate({ tags: ['list'] });
      await tagged();
      await cache?.clear();
      await tagged();
      expect(executions()).toBe(3);
      expect(mgr.stats().connections.test?.cache).toMatchObject({ hits: 0, misses: 3, errors: 0 });
    });

    describe('seeds 2: QueryOptions: useCache', () => {
      it.each([
        [{ cache: 1 }, 'cache'],
        [{ cache: { ttl: 'soon' } }, 'cache.ttl'],
        [{ cache: { ttl: -1 } }, 'cache.ttl'],
        [{ cache: { tags: 'list' } }, 'cache.tags'],
        [{ cache: { tables: [1] } }, 'cache.tables'],
      ])('%j is refused', async (options, option) => {
        const refused = db.query('select 1 as one', [], options as object);
        await expect(refused).rejects.toMatchObject({ code: 'DBM_INVALID_OPTION', option });
      });
    });
  });
}

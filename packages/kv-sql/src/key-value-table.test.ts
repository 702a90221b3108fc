import { createDatabase } from '@dbmanager/database';
import { describe, expect, it } from '@jest/globals';
import { bridgeTarget, COCKROACHDB, MARIADB, MSSQL, POSTGRES, SQLITE } from '../../../test/support/sql-engines.js';
import { all } from '../../provider-kv/test/kv-fixture.js';
import { TableFixture, TableHome } from '../test/table-home.js';
import { KeyValueTable } from './index.js';

for (const engine of [SQLITE, POSTGRES, COCKROACHDB, MARIADB, MSSQL]) {
  const home = new TableHome(engine);
  home.describe('a table of keys and values', () => {
    it('takes keys of up to 800 bytes, whatever the bytes', async () => {
      await using fixture = await home.open();
      const store = fixture.store({ namespace: 'n'.repeat(63) });
      await store.set('\0'.repeat(800), 1);
      expect(await all(store.keys())).toEqual(['\0'.repeat(800)]);
      const refused = { code: 'DBM_INVALID_OPTION', connectionName: 'test' };
      await expect(store.set('é'.repeat(401), 1)).rejects.toMatchObject(refused);
      expect(() => store.batch().set('a'.repeat(801), 1)).toThrow(expect.objectContaining(refused));
      expect(await store.get('a'.repeat(801))).toBeUndefined();
    });

    it('reads more keys than one statement takes', async () => {
      await using fixture = await home.open();
      const store = fixture.store<number>();
      const batch = store.batch();
      const keys = Array.from({ length: 1_201 }, (_, index) => `k${index}`);
      for (const [index, key] of keys.entries()) if (index % 2 === 0) batch.set(key, index);
      await batch.write();
      const found = await store.getMany(keys);
      expect(found).toEqual(keys.map((_, index) => (index % 2 === 0 ? index : undefined)));
    });

    it('is not made unless that is asked for, and missed by an error that says how to make it', async () => {
      await using connection = await home.database.open({});
      const table = home.newTable();
      const store = new KeyValueTable(bridgeTarget(connection), { table }).store();
      const missing = { code: 'DBM_STORE_TABLE', connectionName: 'test', option: 'kv_create_table', table };
      await expect(store.get('a')).rejects.toMatchObject(missing);
      await expect(store.set('a', 1)).rejects.toMatchObject(missing);
      await expect(store.clear()).rejects.toMatchObject(missing);
      await expect(store.snapshot()).rejects.toMatchObject(missing);
      await expect(store.transaction(async (tx) => tx.set('a', 1))).rejects.toMatchObject(missing);
      expect(connection.lanes.counts.inUse).toBe(0);
    });

    it('is made by several at once, and only once', async () => {
      const table = home.newTable();
      const fixtures = await Promise.all(Array.from({ length: 4 }, () => TableFixture.open(home.database, table)));
      await Promise.all(fixtures.map((fixture, index) => fixture.store().set(`k${index}`, index)));
      const [first] = fixtures;
      if (first !== undefined) expect(await all(first.store().keys())).toEqual(['k0', 'k1', 'k2', 'k3']);
      await Promise.all(fixtures.map((fixture) => fixture[Symbol.asyncDispose]()));
    });

    it('loses nothing of transactions on pools that know nothing of each other', async () => {
      const table = home.newTable();
      await using one = await TableFixture.open(home.database, table);
      await using other = await TableFixture.open(home.database, table);
      await one.store().set('n', 0);
      const add = (fixture: TableFixture) =>
        fixture.store<number>().transaction({ retry: Number.POSITIVE_INFINITY }, async (tx) => {
          tx.set('n', ((await tx.get('n')) ?? 0) + 1);
        });
      await Promise.all(Array.from({ length: 10 }, (_, index) => add(index % 2 === 0 ? one : other)));
      expect(await one.store().get('n')).toBe(10);
    });

    it('deletes expired rows when somebody writes a minute later, and nothing else', async () => {
      const table = home.newTable();
      await using fixture = await TableFixture.open(home.database, table);
      const store = fixture.store<number>();
      await store.batch().set('gone', 1, { ttlMs: 10 }).set('later', 2, { ttlMs: 90_000 }).set('stays', 3).write();
      const rows = async () => {
        const db = createDatabase(bridgeTarget(fixture.connection));
        return (await db.query(`select item_key from ${table}`)).length;
      };
      fixture.pass(59_999);
      await store.set('other', 4);
      expect(await rows()).toBe(4);
      fixture.pass(1);
      await store.set('other', 4);
      expect(await rows()).toBe(3);
      expect(await all(store.keys())).toEqual(['later', 'other', 'stays']);
    });

    it('deletes many expired rows a portion at a time, each with a write', async () => {
      const table = home.newTable();
      await using fixture = await TableFixture.open(home.database, table);
      const store = fixture.store<number>();
      const batch = store.batch();
      for (let n = 0; n < 501; n++) batch.set(`gone ${n}`, n, { ttlMs: n + 1 });
      await batch.write();
      const rows = async () => {
        const db = createDatabase(bridgeTarget(fixture.connection));
        return (await db.query(`select item_key from ${table}`)).length;
      };
      fixture.pass(60_000);
      const left: number[] = [];
      for (let n = 0; n < 3; n++) {
        await store.set('other', n);
        left.push(await rows());
      }
      expect(left).toEqual([2, 1, 1]);
    });

    it.each(['', '1a', 'a b', 'a;b', 'a.b', 'a"b', 'ü', 'a'.repeat(56)])('is not called %j', async (table) => {
      await using connection = await home.database.open({});
      expect(() => new KeyValueTable(bridgeTarget(connection), { table })).toThrow(
        expect.objectContaining({ code: 'DBM_INVALID_OPTION', option: 'kv_table', connectionName: 'test' }),
      );
    });
  });
}

describe('a table of keys and values', () => {
  it('needs an SQL database', async () => {
    const home = await SQLITE.create();
    try {
      await using connection = await home.open({});
      const target = { ...bridgeTarget(connection), type: 'mongodb' };
      expect(() => new KeyValueTable(target)).toThrow(
        expect.objectContaining({ code: 'DBM_UNSUPPORTED', connectionName: 'test' }),
      );
    } finally {
      await home.drop();
    }
  });
});

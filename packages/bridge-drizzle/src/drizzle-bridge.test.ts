import { readFileSync } from 'node:fs';
import { type BridgeTarget, isInRange } from '@dbmanager/core';
import { describe, expect, it } from '@jest/globals';
import { eq, sql } from 'drizzle-orm';
import * as sqlite from 'drizzle-orm/sqlite-core';
import { COCKROACHDB, PGBOUNCER, POSTGRES, rejection, SQLITE } from '../../../test/support/sql-engines.js';
import {
  sqliteAuthors as authors,
  sqliteBooks as books,
  pgSchema,
  sqliteSchema,
  useDrizzle,
} from '../test/drizzle-engines.js';
import { drizzleBridge } from './drizzle-bridge.js';
import type { DrizzleHandles } from './drizzle-handles.js';

function thrownBy(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('the options of the Drizzle bridge', () => {
  const target = { name: 'primary', type: 'postgres' } as BridgeTarget;

  it.each(['client', 'connection'])('refuses "%s", with which Drizzle would connect by itself', (option) => {
    expect(thrownBy(() => drizzleBridge.open(target, { [option]: 'postgres://elsewhere' }))).toMatchObject({
      code: 'DBM_INVALID_OPTION',
      option,
      connectionName: 'primary',
    });
  });

  it('names a type of connection that Drizzle cannot drive', () => {
    expect(thrownBy(() => drizzleBridge.open({ ...target, type: 'mssql' }))).toMatchObject({
      code: 'DBM_UNSUPPORTED',
      message: expect.stringContaining('mssql'),
    });
  });

  it.each(['0.43.1', '1.0.0-beta.2', '0.450.0'])('refuses drizzle-orm %s, with which it was not tested', (version) => {
    const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
    const { peerDependencies } = JSON.parse(manifest) as { peerDependencies: { 'drizzle-orm': string } };
    const range = peerDependencies['drizzle-orm'];
    expect(isInRange(version, range)).toBe(false);
    for (const tested of ['0.44.0', '0.45.4']) expect(isInRange(tested, range)).toBe(true);
  });
});

for (const engine of [POSTGRES, COCKROACHDB, PGBOUNCER]) {
  engine.describe('Drizzle', () => {
    const test = useDrizzle(engine, pgSchema);

    it('begins transactions as asked', async () => {
      // CockroachDB has none that are deferrable.
      const deferrable = engine !== COCKROACHDB;
      const settings = await test.open().transaction(
        async (tx) => {
          const { rows } = await tx.execute(sql`select current_setting('transaction_isolation') as isolation,
            current_setting('transaction_read_only') as read_only, current_setting('transaction_deferrable') as deferrable`);
          return rows[0];
        },
        { isolationLevel: 'serializable', accessMode: 'read only', deferrable },
      );
      expect(settings).toEqual({ isolation: 'serializable', read_only: 'on', deferrable: deferrable ? 'on' : 'off' });
    });
  });
}

SQLITE.describe('Drizzle', () => {
  const test = useDrizzle(SQLITE, sqliteSchema);
  const open = () => test.open() as unknown as DrizzleHandles<typeof sqliteSchema>['sqlite'];

  it('tells what a statement changed', async () => {
    const db = open();
    await expect(db.insert(authors).values({ id: 7, name: 'Joan' })).resolves.toEqual({
      rows: [],
      changes: 1,
      lastInsertRowid: 7,
    });
    await expect(db.update(books).set({ name: 'x' })).resolves.toMatchObject({ changes: 2 });
  });

  it('gives rows of raw SQL as objects, and their values by values()', async () => {
    const db = open();
    const statement = sql`select id, name from authors order by id`;
    await expect(db.all(statement)).resolves.toEqual([
      { id: 1, name: 'Ada' },
      { id: 2, name: 'Grace' },
    ]);
    await expect(db.get(statement)).resolves.toEqual({ id: 1, name: 'Ada' });
    await expect(db.get(sql`select 1 where 0`)).resolves.toBeUndefined();
    await expect(db.values(statement)).resolves.toEqual([
      [1, 'Ada'],
      [2, 'Grace'],
    ]);
    await db.transaction(async (tx) => {
      await expect(tx.get(statement)).resolves.toEqual({ id: 1, name: 'Ada' });
    });
  });

  it('gives one row, or undefined, by get()', async () => {
    const byId = open()
      .select()
      .from(authors)
      .where(eq(authors.id, sql.placeholder('id')))
      .prepare();
    await expect(byId.get({ id: 2 })).resolves.toEqual({ id: 2, name: 'Grace' });
    await expect(byId.get({ id: 3 })).resolves.toBeUndefined();
  });

  it('gives integers that a number cannot hold as bigint', async () => {
    const table = sqlite.sqliteTable('authors', { id: sqlite.integer() });
    await open().run(sql`insert into authors values (9007199254740993, 'Big')`);
    const rows = await open().select().from(table);
    expect(rows.map(({ id }) => id)).toEqual([1, 2, 9_007_199_254_740_993n]);
  });

  it('runs a batch whole or not at all', async () => {
    const db = open();
    await expect(
      db.batch([db.insert(authors).values({ id: 3, name: 'Joan' }), db.select().from(authors)]),
    ).resolves.toEqual([expect.objectContaining({ changes: 1 }), expect.arrayContaining([{ id: 3, name: 'Joan' }])]);
    await rejection(
      db.batch([db.delete(authors).where(eq(authors.id, 3)), db.insert(authors).values({ id: 1, name: 'twice' })]),
    );
    await expect(db.$count(authors)).resolves.toBe(3);
  });

  it('reads beside a transaction that writes', async () => {
    const db = open();
    await db.transaction(async (tx) => {
      await tx.delete(books);
      await expect(db.$count(books)).resolves.toBe(2);
      await expect(tx.$count(books)).resolves.toBe(0);
    });
    await expect(db.$count(books)).resolves.toBe(0);
  });
});

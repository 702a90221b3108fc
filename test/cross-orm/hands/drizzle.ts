import { asc, eq, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import * as pg from 'drizzle-orm/pg-core';
import type { BaseSQLiteDatabase } from 'drizzle-orm/sqlite-core';
import * as sqlite from 'drizzle-orm/sqlite-core';
import type { Hands } from '../hands.js';

const pgBytes = pg.customType<{ data: Uint8Array }>({ dataType: () => 'bytea' });

const pgEntries = pg.pgTable('entries', {
  id: pg.integer().primaryKey(),
  writer: pg.text().notNull(),
  big: pg.bigint({ mode: 'bigint' }).notNull(),
  at: pg.timestamp({ withTimezone: true }).notNull(),
  day: pg.date({ mode: 'string' }).notNull(),
  json: pg.jsonb().notNull(),
  bytes: pgBytes().notNull(),
  tags: pg.text().array().notNull(),
});
const pgAccounts = pg.pgTable('accounts', { id: pg.integer().primaryKey(), balance: pg.integer().notNull() });

/** Drizzle at work on PostgreSQL. */
export function drizzlePostgresHands(db: Pick<NodePgDatabase, PgMember>): Hands {
  return {
    insert: (entry) => db.insert(pgEntries).values({ ...entry, tags: [...entry.tags] }),
    entries: () => db.select().from(pgEntries).orderBy(asc(pgEntries.id)),
    deposit: (id, amount) =>
      db
        .update(pgAccounts)
        .set({ balance: sql`${pgAccounts.balance} + ${amount}` })
        .where(eq(pgAccounts.id, id)),
    async balance(id) {
      const [row] = await db.select().from(pgAccounts).where(eq(pgAccounts.id, id));
      return row?.balance ?? Number.NaN;
    },
    async value(text) {
      const { rows } = await db.execute<{ value: unknown }>(sql.raw(text));
      return rows[0]?.value;
    },
    transaction: (work) => db.transaction((tx) => work(drizzlePostgresHands(tx))),
  };
}

type PgMember = 'insert' | 'select' | 'update' | 'execute' | 'transaction';

const sqliteBig = sqlite.customType<{ data: bigint; driverData: number | bigint }>({
  dataType: () => 'integer',
  fromDriver: (value) => BigInt(value),
});
const sqliteBytes = sqlite.customType<{ data: Uint8Array }>({ dataType: () => 'blob' });

const sqliteEntries = sqlite.sqliteTable('entries', {
  id: sqlite.integer().primaryKey(),
  writer: sqlite.text().notNull(),
  big: sqliteBig().notNull(),
  at: sqlite.integer({ mode: 'timestamp_ms' }).notNull(),
  day: sqlite.text().notNull(),
  json: sqlite.text({ mode: 'json' }).notNull(),
  bytes: sqliteBytes().notNull(),
  tags: sqlite.text({ mode: 'json' }).$type<string[]>().notNull(),
});
const sqliteAccounts = sqlite.sqliteTable('accounts', {
  id: sqlite.integer().primaryKey(),
  balance: sqlite.integer().notNull(),
});

/** Drizzle at work on SQLite. */
export function drizzleSqliteHands(db: BaseSQLiteDatabase<'async', unknown>): Hands {
  return {
    insert: (entry) => db.insert(sqliteEntries).values({ ...entry, tags: [...entry.tags] }),
    entries: () => db.select().from(sqliteEntries).orderBy(asc(sqliteEntries.id)),
    deposit: (id, amount) =>
      db
        .update(sqliteAccounts)
        .set({ balance: sql`${sqliteAccounts.balance} + ${amount}` })
        .where(eq(sqliteAccounts.id, id)),
    async balance(id) {
      const [row] = await db.select().from(sqliteAccounts).where(eq(sqliteAccounts.id, id));
      return row?.balance ?? Number.NaN;
    },
    // Drizzle gives rows of raw statements by position here.
    value: async (text) => (await db.get<unknown[]>(sql.raw(text)))[0],
    transaction: (work) => db.transaction((tx) => work(drizzleSqliteHands(tx))),
  };
}

import { asc, eq, sql } from 'drizzle-orm';
import * as mysql from 'drizzle-orm/mysql-core';
import type { MySql2Database } from 'drizzle-orm/mysql2';
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
export function drizzlePostgresHands(db: Pick<NodePgDatabase, ServerMember>): Hands {
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

type ServerMember = 'insert' | 'select' | 'update' | 'execute' | 'transaction';

const mysqlBytes = mysql.customType<{ data: Uint8Array }>({ dataType: () => 'blob' });

const mysqlEntries = mysql.mysqlTable('entries', {
  id: mysql.int().primaryKey(),
  writer: mysql.text().notNull(),
  big: mysql.bigint({ mode: 'bigint' }).notNull(),
  at: mysql.datetime({ fsp: 6 }).notNull(),
  day: mysql.date({ mode: 'string' }).notNull(),
  json: mysql.json().notNull(),
  bytes: mysqlBytes().notNull(),
  tags: mysql.json().$type<string[]>().notNull(),
});
const mysqlAccounts = mysql.mysqlTable('accounts', {
  id: mysql.int().primaryKey(),
  balance: mysql.int().notNull(),
});

/** Drizzle at work on MySQL and MariaDB. */
export function drizzleMysqlHands(db: Pick<MySql2Database, ServerMember>): Hands {
  return {
    insert: (entry) => db.insert(mysqlEntries).values({ ...entry, tags: [...entry.tags] }),
    entries: () => db.select().from(mysqlEntries).orderBy(asc(mysqlEntries.id)),
    deposit: (id, amount) =>
      db
        .update(mysqlAccounts)
        .set({ balance: sql`${mysqlAccounts.balance} + ${amount}` })
        .where(eq(mysqlAccounts.id, id)),
    async balance(id) {
      const [row] = await db.select().from(mysqlAccounts).where(eq(mysqlAccounts.id, id));
      return row?.balance ?? Number.NaN;
    },
    async value(text) {
      const [rows] = await db.execute(sql.raw(text));
      const [row] = rows as unknown as readonly { readonly value: unknown }[];
      return row?.value;
    },
    transaction: (work) => db.transaction((tx) => work(drizzleMysqlHands(tx))),
  };
}

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

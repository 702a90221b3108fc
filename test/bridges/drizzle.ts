import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DrizzleHandles, type DrizzleTransactions, drizzleBridge } from '@dbmanager/bridge-drizzle';
import { asc, eq, sql } from 'drizzle-orm';
import * as mysql from 'drizzle-orm/mysql-core';
import { migrate as migrateMysql } from 'drizzle-orm/mysql2/migrator';
import { migrate as migratePostgres } from 'drizzle-orm/node-postgres/migrator';
import * as pg from 'drizzle-orm/pg-core';
import * as sqlite from 'drizzle-orm/sqlite-core';
import { migrate as migrateProxy } from 'drizzle-orm/sqlite-proxy/migrator';
import type { Items, OpenOrm, OrmUnderTest } from './orm-under-test.js';

const pgBytes = pg.customType<{ data: Uint8Array }>({ dataType: () => 'bytea' });

const pgItems = pg.pgTable('items', {
  id: pg.integer().primaryKey(),
  name: pg.text().notNull().unique(),
  big: pg.bigint({ mode: 'bigint' }).notNull(),
  at: pg.timestamp({ withTimezone: true }).notNull(),
  json: pg.jsonb().notNull(),
  bytes: pgBytes().notNull(),
});

const mysqlBytes = mysql.customType<{ data: Uint8Array }>({ dataType: () => 'blob' });

const mysqlItems = mysql.mysqlTable('items', {
  id: mysql.int().primaryKey(),
  name: mysql.varchar({ length: 255 }).notNull().unique(),
  big: mysql.bigint({ mode: 'bigint' }).notNull(),
  at: mysql.datetime({ fsp: 3 }).notNull(),
  json: mysql.json().notNull(),
  bytes: mysqlBytes().notNull(),
});

const sqliteBig = sqlite.customType<{ data: bigint; driverData: number | bigint }>({
  dataType: () => 'integer',
  fromDriver: (value) => BigInt(value),
});
const sqliteBytes = sqlite.customType<{ data: Uint8Array }>({ dataType: () => 'blob' });

const sqliteItems = sqlite.sqliteTable('items', {
  id: sqlite.integer().primaryKey(),
  name: sqlite.text().notNull().unique(),
  big: sqliteBig().notNull(),
  at: sqlite.integer({ mode: 'timestamp_ms' }).notNull(),
  json: sqlite.text({ mode: 'json' }).notNull(),
  bytes: sqliteBytes().notNull(),
});

const CREATE = {
  postgres: `create table items (id integer primary key, name text not null unique, big bigint not null,
    at timestamptz not null, json jsonb not null, bytes bytea not null)`,
  mariadb: `create table items (id integer primary key, name varchar(255) not null unique, big bigint not null,
    at datetime(3) not null, json json not null, bytes blob not null)`,
  sqlite: `create table items (id integer primary key, name text not null unique, big integer not null,
    at integer not null, json text not null, bytes blob not null)`,
} as const;

type PgHandle = DrizzleHandles['postgres'] | DrizzleTransactions['postgres'];
type MysqlHandle = DrizzleHandles['mariadb'] | DrizzleTransactions['mariadb'];
type SqliteHandle = DrizzleHandles['sqlite'] | DrizzleTransactions['sqlite'];

/** Drizzle in the suite. */
export const drizzleUnderTest: OrmUnderTest = {
  name: 'Drizzle',
  types: drizzleBridge.types,
  checksOutOn: ['postgres', 'mariadb'],
  streamsOn: ['mariadb'],
  async open(connection, key) {
    const handle = connection.use(drizzleBridge, undefined, key);
    return ON[connection.type as keyof typeof ON].open(handle as never);
  },
  bind: (tx) => ON[tx.type as keyof typeof ON].items(tx.use(drizzleBridge) as never),
};

/** Each type of connection has a Drizzle of its own. */
const ON = {
  postgres: { open: openPostgres, items: pgItemsOf },
  mariadb: { open: openMysql, items: mysqlItemsOf },
  sqlite: { open: openSqlite, items: sqliteItemsOf },
} as const;

function openPostgres(handle: DrizzleHandles['postgres']): OpenOrm {
  return {
    handle,
    items: pgItemsOf(handle),
    createTable: () => withMigrations('postgres', (migrationsFolder) => migratePostgres(handle, { migrationsFolder })),
    close: () => handle.$client.end(),
    checkOut: () => handle.$client.connect(),
  };
}

function openMysql(handle: DrizzleHandles['mariadb']): OpenOrm {
  return {
    handle,
    items: mysqlItemsOf(handle),
    createTable: () => withMigrations('mariadb', (migrationsFolder) => migrateMysql(handle, { migrationsFolder })),
    close: () => handle.$client.promise().end(),
    checkOut: () => handle.$client.promise().getConnection(),
    async *stream() {
      const query = handle.select({ name: mysqlItems.name }).from(mysqlItems).orderBy(asc(mysqlItems.id));
      for await (const { name } of query.iterator()) yield name;
    },
  };
}

function openSqlite(handle: DrizzleHandles['sqlite']): OpenOrm {
  return {
    handle,
    items: sqliteItemsOf(handle),
    createTable: () =>
      withMigrations('sqlite', (migrationsFolder) =>
        migrateProxy(
          handle,
          (statements) =>
            handle.transaction(async (tx) => {
              for (const statement of statements) await tx.run(statement);
            }),
          { migrationsFolder },
        ),
      ),
    close: async () => {},
  };
}

function pgItemsOf(handle: PgHandle): Items {
  return {
    insert: (item) => handle.insert(pgItems).values(item),
    async find(id) {
      const [item] = await handle.select().from(pgItems).where(eq(pgItems.id, id));
      return item;
    },
    async names() {
      const rows = await handle.select({ name: pgItems.name }).from(pgItems).orderBy(asc(pgItems.id));
      return rows.map(({ name }) => name);
    },
    rename: (id, name) => handle.update(pgItems).set({ name }).where(eq(pgItems.id, id)),
    remove: (id) => handle.delete(pgItems).where(eq(pgItems.id, id)),
    raw: (text) => handle.execute(sql.raw(text)),
    transaction: (work) => handle.transaction((tx) => work(pgItemsOf(tx))),
  };
}

function mysqlItemsOf(handle: MysqlHandle): Items {
  return {
    insert: (item) => handle.insert(mysqlItems).values(item),
    async find(id) {
      const [item] = await handle.select().from(mysqlItems).where(eq(mysqlItems.id, id));
      return item;
    },
    async names() {
      const rows = await handle.select({ name: mysqlItems.name }).from(mysqlItems).orderBy(asc(mysqlItems.id));
      return rows.map(({ name }) => name);
    },
    rename: (id, name) => handle.update(mysqlItems).set({ name }).where(eq(mysqlItems.id, id)),
    remove: (id) => handle.delete(mysqlItems).where(eq(mysqlItems.id, id)),
    raw: (text) => handle.execute(sql.raw(text)),
    transaction: (work) => handle.transaction((tx) => work(mysqlItemsOf(tx))),
  };
}

function sqliteItemsOf(handle: SqliteHandle): Items {
  return {
    insert: (item) => handle.insert(sqliteItems).values(item),
    async find(id) {
      const [item] = await handle.select().from(sqliteItems).where(eq(sqliteItems.id, id));
      return item;
    },
    async names() {
      const rows = await handle.select({ name: sqliteItems.name }).from(sqliteItems).orderBy(asc(sqliteItems.id));
      return rows.map(({ name }) => name);
    },
    rename: (id, name) => handle.update(sqliteItems).set({ name }).where(eq(sqliteItems.id, id)),
    remove: (id) => handle.delete(sqliteItems).where(eq(sqliteItems.id, id)),
    raw: async (text) => handle.run(sql.raw(text)),
    transaction: (work) => handle.transaction((tx) => work(sqliteItemsOf(tx))),
  };
}

/** A folder of migrations as drizzle-kit writes it, with one that makes the table. */
async function withMigrations(
  dialect: keyof typeof CREATE,
  migrate: (folder: string) => Promise<unknown>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'dbmanager-drizzle-'));
  const journal = { entries: [{ idx: 0, when: 1, tag: '0000_items', breakpoints: true }] };
  try {
    await mkdir(join(folder, 'meta'));
    await writeFile(join(folder, 'meta', '_journal.json'), JSON.stringify(journal));
    await writeFile(join(folder, '0000_items.sql'), CREATE[dialect]);
    await migrate(folder);
    await migrate(folder); // is done already
  } finally {
    await rm(folder, { recursive: true });
  }
}

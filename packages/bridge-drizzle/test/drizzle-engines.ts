import type { BridgeTarget } from '@dbmanager/core';
import { Transaction, TransactionRunner } from '@dbmanager/database';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { type Column, relations, type Table } from 'drizzle-orm';
import * as mysql from 'drizzle-orm/mysql-core';
import * as pg from 'drizzle-orm/pg-core';
import * as sqlite from 'drizzle-orm/sqlite-core';
import {
  bridgeTarget,
  COCKROACHDB,
  MARIADB,
  PGBOUNCER,
  POSTGRES,
  SQLITE,
  type SqlDatabase,
  type SqlTestEngine,
  until,
} from '../../../test/support/sql-engines.js';
import { drizzleBridge } from '../src/drizzle-bridge.js';
import type { DrizzleHandles } from '../src/drizzle-handles.js';
import type { DrizzleBridgeOptions } from '../src/drizzle-options.js';

export const pgAuthors = pg.pgTable('authors', { id: pg.integer().primaryKey(), name: pg.text().notNull() });
export const pgBooks = pg.pgTable('books', {
  id: pg.integer().primaryKey(),
  name: pg.text().notNull(),
  authorId: pg.integer('author_id').notNull(),
});
export const pgSchema = withRelations(pgAuthors, pgBooks);

export const mysqlAuthors = mysql.mysqlTable('authors', { id: mysql.int().primaryKey(), name: mysql.text().notNull() });
export const mysqlBooks = mysql.mysqlTable('books', {
  id: mysql.int().primaryKey(),
  name: mysql.text().notNull(),
  authorId: mysql.int('author_id').notNull(),
});
export const mysqlSchema = withRelations(mysqlAuthors, mysqlBooks);

export const sqliteAuthors = sqlite.sqliteTable('authors', {
  id: sqlite.integer().primaryKey(),
  name: sqlite.text().notNull(),
});
export const sqliteBooks = sqlite.sqliteTable('books', {
  id: sqlite.integer().primaryKey(),
  name: sqlite.text().notNull(),
  authorId: sqlite.integer('author_id').notNull(),
});
export const sqliteSchema = withRelations(sqliteAuthors, sqliteBooks);

/** Authors and their books, each way. */
function withRelations<A extends Table & { id: Column }, B extends Table & { authorId: Column }>(authors: A, books: B) {
  return {
    authors,
    books,
    authorRelations: relations(authors, ({ many }) => ({ books: many(books) })),
    bookRelations: relations(books, ({ one }) => ({
      author: one(authors, { fields: [books.authorId], references: [authors.id] }),
    })),
  };
}

/** Drizzle on PostgreSQL: what its handles on the engines have in common has the same types on each. */
export type CommonDrizzle = DrizzleHandles<typeof pgSchema>['postgres'];

/** An engine with what Drizzle wants to know of it. */
export interface DrizzleEngine {
  readonly engine: SqlTestEngine;
  /** In the engine's own classes, shown as those of PostgreSQL. */
  readonly schema: typeof pgSchema;
  /** `books` with nothing but `authorId`, whose name in the database is not given. */
  readonly unnamed: pg.PgTable;
  /** That column as it is written in a statement, and the table. */
  readonly quoted: readonly [column: string, table: string];
  /** The driver's code of a primary key given twice. */
  readonly duplicateKey: string;
  /** Ends the client of a handle; left out: it has none. */
  end?(db: CommonDrizzle): Promise<void>;
}

const ON_POSTGRES: Omit<DrizzleEngine, 'engine'> = {
  schema: pgSchema,
  unnamed: pg.pgTable('books', { authorId: pg.integer() }),
  quoted: ['"author_id"', '"books"'],
  duplicateKey: '23505',
  end: (db) => db.$client.end(),
};

export const DRIZZLE_ENGINES: readonly DrizzleEngine[] = [
  { engine: POSTGRES, ...ON_POSTGRES },
  { engine: COCKROACHDB, ...ON_POSTGRES },
  { engine: PGBOUNCER, ...ON_POSTGRES },
  {
    engine: MARIADB,
    schema: mysqlSchema as never,
    unnamed: mysql.mysqlTable('books', { authorId: mysql.int() }) as never,
    quoted: ['`author_id`', '`books`'],
    duplicateKey: 'ER_DUP_ENTRY',
    end: (db) => (db as unknown as DrizzleHandles['mysql']).$client.promise().end(),
  },
  {
    engine: SQLITE,
    schema: sqliteSchema as never,
    unnamed: sqlite.sqliteTable('books', { authorId: sqlite.integer() }) as never,
    quoted: ['"author_id"', '"books"'],
    duplicateKey: 'SQLITE_CONSTRAINT_PRIMARYKEY',
  },
];

const TABLES = [
  'create table authors (id integer primary key, name text not null)',
  'create table books (id integer primary key, name text not null, author_id integer not null)',
];

/** What a test works on. */
export interface DrizzleTest {
  readonly connection: TestConnection<unknown>;
  readonly target: BridgeTarget;
  /** A handle of the connection, with that schema unless other options are given. */
  open(options?: DrizzleBridgeOptions): CommonDrizzle;
  /** Runs `work` with Drizzle in a transaction across ORMs. */
  across<T>(
    work: (bound: CommonDrizzle, tx: Transaction) => Promise<T>,
    options?: DrizzleBridgeOptions,
    target?: BridgeTarget,
  ): Promise<T>;
  run(...statements: readonly string[]): Promise<void>;
}

/** A database with authors and books, and a connection for each test, which has to come back clean. */
export function useDrizzle(engine: SqlTestEngine, schema: object, ...tables: readonly string[]): DrizzleTest {
  let database: SqlDatabase;
  let connection: TestConnection<unknown>;
  let target: BridgeTarget;

  async function run(...statements: readonly string[]): Promise<void> {
    const session = connection.engine.sql?.session(connection.lanes);
    for (const statement of statements) await session?.query({ sql: statement });
    session?.release();
  }

  async function open(): Promise<void> {
    connection = await database.open({ maxOpenConns: 4, acquireTimeoutMs: 5_000 });
    target = bridgeTarget(connection);
  }

  beforeAll(async () => {
    database = await engine.create();
    await open();
    await run(...TABLES, ...tables);
    await connection.close();
  }, 60_000);

  afterAll(async () => {
    await database?.drop();
  });

  beforeEach(async () => {
    await open();
    await run('delete from books', 'delete from authors');
    await run("insert into authors values (1, 'Ada'), (2, 'Grace')");
    await run("insert into books values (1, 'Notes', 1), (2, 'Letters', 1)");
  });

  afterEach(async () => {
    await until(() => target.counts.inUse === 0 && target.counts.pending === 0);
    await connection.close();
    const { created, destroyed } = connection.lanes.stats();
    if (destroyed !== created) throw new Error(`${created} connections were made, ${destroyed} closed`);
  });

  return {
    get connection() {
      return connection;
    },
    get target() {
      return target;
    },
    open: (options) => drizzleBridge.open(target, options ?? { schema: { ...schema } }) as unknown as CommonDrizzle,
    across: (work, options, on = target) =>
      new TransactionRunner({ target: on, Handle: Transaction }).run({}, (tx) =>
        work(tx.use(drizzleBridge, options) as never, tx),
      ),
    run,
  };
}

import type { BridgeTarget } from '@dbmanager/core';
import { Transaction, TransactionRunner } from '@dbmanager/database';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DrizzleQueryError, eq, relations, sql, TransactionRollbackError } from 'drizzle-orm';
import * as pg from 'drizzle-orm/pg-core';
import * as sqlite from 'drizzle-orm/sqlite-core';
import {
  bridgeTarget,
  COCKROACHDB,
  PGBOUNCER,
  POSTGRES,
  rejection,
  SQLITE,
  type SqlDatabase,
  type SqlTestEngine,
  until,
} from '../../../test/support/sql-engines.js';
import { drizzleBridge } from './drizzle-bridge.js';
import type { DrizzleHandles } from './drizzle-handles.js';
import { assertTested } from './drizzle-module.js';
import type { DrizzleBridgeOptions } from './drizzle-options.js';

const pgAuthors = pg.pgTable('authors', { id: pg.integer().primaryKey(), name: pg.text().notNull() });
const pgBooks = pg.pgTable('books', {
  id: pg.integer().primaryKey(),
  name: pg.text().notNull(),
  authorId: pg.integer('author_id').notNull(),
});
const pgSchema = {
  authors: pgAuthors,
  books: pgBooks,
  authorRelations: relations(pgAuthors, ({ many }) => ({ books: many(pgBooks) })),
  bookRelations: relations(pgBooks, ({ one }) => ({
    author: one(pgAuthors, { fields: [pgBooks.authorId], references: [pgAuthors.id] }),
  })),
};

const authors = sqlite.sqliteTable('authors', { id: sqlite.integer().primaryKey(), name: sqlite.text().notNull() });
const books = sqlite.sqliteTable('books', {
  id: sqlite.integer().primaryKey(),
  name: sqlite.text().notNull(),
  authorId: sqlite.integer('author_id').notNull(),
});
const sqliteSchema = {
  authors,
  books,
  authorRelations: relations(authors, ({ many }) => ({ books: many(books) })),
  bookRelations: relations(books, ({ one }) => ({
    author: one(authors, { fields: [books.authorId], references: [authors.id] }),
  })),
};

const TABLES = [
  'create table authors (id integer primary key, name text not null)',
  'create table books (id integer primary key, name text not null, author_id integer not null)',
];

/** A database with the two tables, and a connection for each test. */
function useConnection(engine: SqlTestEngine) {
  const test = {} as { connection: TestConnection<unknown>; target: BridgeTarget };
  let database: SqlDatabase;

  async function run(...statements: readonly string[]): Promise<void> {
    const session = test.connection.engine.sql?.session(test.connection.lanes);
    for (const statement of statements) await session?.query({ sql: statement });
    session?.release();
  }

  async function open(): Promise<void> {
    test.connection = await database.open({ maxOpenConns: 4, acquireTimeoutMs: 5_000 });
    test.target = bridgeTarget(test.connection);
  }

  beforeAll(async () => {
    database = await engine.create();
    await open();
    await run(...TABLES);
    await test.connection.close();
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
    await until(() => test.target.counts.inUse === 0 && test.target.counts.pending === 0);
    await test.connection.close();
  });

  return test;
}

/** Runs `work` in a transaction across ORMs. */
function transact<T>(target: BridgeTarget, work: (tx: Transaction) => Promise<T>): Promise<T> {
  return new TransactionRunner({ target, Handle: Transaction }).run({}, work);
}

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
    expect(thrownBy(() => assertTested(version, 'primary'))).toMatchObject({
      code: 'DBM_UNSUPPORTED',
      message: expect.stringContaining(version),
    });
    expect(thrownBy(() => assertTested('0.44.0', 'primary'))).toBeUndefined();
  });
});

/** What speaks PostgreSQL's SQL. */
function describeOnPostgres(title: string, define: (engine: SqlTestEngine) => void): void {
  for (const engine of [POSTGRES, COCKROACHDB, PGBOUNCER]) engine.describe(title, () => define(engine));
}

describeOnPostgres('Drizzle', (engine) => {
  const test = useConnection(engine);
  const open = <S extends Record<string, unknown> = typeof pgSchema>(options?: DrizzleBridgeOptions) =>
    drizzleBridge.open(test.target, options ?? { schema: pgSchema }) as unknown as DrizzleHandles<S>['postgres'];

  it('reads relations, and columns of one name from two tables', async () => {
    const db = open();
    await expect(db.query.authors.findFirst({ with: { books: true }, where: eq(pgAuthors.id, 1) })).resolves.toEqual({
      id: 1,
      name: 'Ada',
      books: [
        { id: 1, name: 'Notes', authorId: 1 },
        { id: 2, name: 'Letters', authorId: 1 },
      ],
    });
    const [joined] = await db.select().from(pgBooks).innerJoin(pgAuthors, eq(pgBooks.authorId, pgAuthors.id));
    expect(joined).toEqual({ books: { id: 1, name: 'Notes', authorId: 1 }, authors: { id: 1, name: 'Ada' } });
  });

  it('rejects with errors of the classes that the application imports', async () => {
    const error = await rejection(open().execute(sql`select * from nothing`));
    expect(error).toBeInstanceOf(DrizzleQueryError);
    expect(error.cause).toMatchObject({ code: '42P01' });
  });

  it('begins transactions as asked', async () => {
    // CockroachDB has none that are deferrable.
    const deferrable = engine !== COCKROACHDB;
    const settings = await open().transaction(
      async (tx) => {
        const { rows } = await tx.execute(sql`select current_setting('transaction_isolation') as isolation,
          current_setting('transaction_read_only') as read_only, current_setting('transaction_deferrable') as deferrable`);
        return rows[0];
      },
      { isolationLevel: 'serializable', accessMode: 'read only', deferrable },
    );
    expect(settings).toEqual({ isolation: 'serializable', read_only: 'on', deferrable: deferrable ? 'on' : 'off' });
  });

  it('undoes a transaction by rollback(), as Drizzle does', async () => {
    const db = open();
    const error = await rejection(
      db.transaction(async (tx) => {
        await tx.delete(pgBooks);
        tx.rollback();
      }),
    );
    expect(error).toBeInstanceOf(TransactionRollbackError);
    await expect(db.$count(pgBooks)).resolves.toBe(2);
  });

  it('refuses a transaction handle that is used after its end', async () => {
    const kept = await open().transaction(async (tx) => tx);
    const error = await rejection(kept.select().from(pgBooks));
    expect(error.cause).toMatchObject({ code: 'DBM_LEASE_RELEASED' });
  });

  it('is detached by ending its $client, transactions too, and the pool goes on', async () => {
    const db = open();
    await db.$client.end();
    await rejection(db.select().from(pgBooks));
    await expect(db.transaction(async () => {})).rejects.toMatchObject({ code: 'DBM_CLOSED' });
    await expect(open().$count(pgBooks)).resolves.toBe(2);
  });

  it('passes casing and logger on, into transactions too', async () => {
    const logged: string[] = [];
    const logger = { logQuery: (query: string) => void logged.push(query) };
    const db = open({ casing: 'snake_case', logger });
    const table = pg.pgTable('books', { authorId: pg.integer() });
    await db.select().from(table);
    await db.transaction((tx) => tx.select().from(table));
    await transact(test.target, (tx) => {
      const bound = tx.use(drizzleBridge, { casing: 'snake_case', logger }) as unknown as typeof db;
      return bound.select().from(table);
    });
    expect(logged).toEqual(Array(3).fill('select "author_id" from "books"'));
  });

  it('has the schema of the handle that is open, read once, in a transaction across ORMs', async () => {
    const db = open();
    const opened = { handle: db, options: { schema: pgSchema } };
    const target = { ...test.target, opened: () => opened } as BridgeTarget;
    const author = await transact(target, async (tx) => {
      const bound = tx.use(drizzleBridge) as unknown as typeof db;
      expect(bound._.schema).toBe(db._.schema);
      const found = await bound.query.books.findFirst({ with: { author: true } });
      return found?.author.name;
    });
    expect(author).toBe('Ada');
  });

  it('lets nested transactions take turns, where Drizzle alone lets them get into each other', async () => {
    const db = open();
    const undone = new Error('undone');
    await db.transaction(async (tx) => {
      const failing = rejection(
        tx.transaction(async (inner) => {
          await inner.delete(pgBooks).where(eq(pgBooks.id, 1));
          throw undone;
        }),
      );
      const kept = tx.transaction((inner) => inner.delete(pgBooks).where(eq(pgBooks.id, 2)));
      expect(await failing).toBe(undone);
      await kept;
    });
    await expect(db.select({ id: pgBooks.id }).from(pgBooks)).resolves.toEqual([{ id: 1 }]);
  });

  it('runs migrations begun inside a transaction as a part of it', async () => {
    const undone = new Error('undone');
    const work = transact(test.target, async (tx) => {
      const { session } = tx.use(drizzleBridge) as unknown as { session: DrizzleHandles['postgres'] };
      // As Drizzle's migrators begin theirs.
      await session.transaction((inner) => inner.delete(pgBooks));
      throw undone;
    });
    await expect(work).rejects.toBe(undone);
    await expect(open().$count(pgBooks)).resolves.toBe(2);
  });
});

SQLITE.describe('Drizzle', () => {
  const test = useConnection(SQLITE);
  const open = (options: DrizzleBridgeOptions = { schema: sqliteSchema }) =>
    drizzleBridge.open(test.target, options) as unknown as DrizzleHandles<typeof sqliteSchema>['sqlite'];

  it('reads relations, and columns of one name from two tables', async () => {
    const db = open();
    await expect(db.query.authors.findFirst({ with: { books: true }, where: eq(authors.id, 1) })).resolves.toEqual({
      id: 1,
      name: 'Ada',
      books: [
        { id: 1, name: 'Notes', authorId: 1 },
        { id: 2, name: 'Letters', authorId: 1 },
      ],
    });
    const [joined] = await db.select().from(books).innerJoin(authors, eq(books.authorId, authors.id));
    expect(joined).toEqual({ books: { id: 1, name: 'Notes', authorId: 1 }, authors: { id: 1, name: 'Ada' } });
  });

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

  it('rejects with errors of the classes that the application imports, and the error of the driver', async () => {
    const error = await rejection(open().insert(authors).values({ id: 1, name: 'twice' }));
    expect(error).toBeInstanceOf(DrizzleQueryError);
    expect(error.cause).toMatchObject({ code: 'SQLITE_CONSTRAINT_PRIMARYKEY' });
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

  it('passes casing and logger on, into transactions too', async () => {
    const logged: string[] = [];
    const logger = { logQuery: (query: string) => void logged.push(query) };
    const db = open({ casing: 'snake_case', logger });
    const table = sqlite.sqliteTable('books', { authorId: sqlite.integer() });
    await db.select().from(table);
    await db.transaction((tx) => tx.select().from(table));
    expect(logged).toEqual(Array(2).fill('select "author_id" from "books"'));
  });
});

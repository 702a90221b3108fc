import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BridgeTarget } from '@dbmanager/core';
import { Transaction, TransactionRunner } from '@dbmanager/database';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DrizzleQueryError, eq, relations, sql, TransactionRollbackError } from 'drizzle-orm';
import * as mysql from 'drizzle-orm/mysql-core';
import { migrate } from 'drizzle-orm/mysql2/migrator';
import { bridgeTarget, MARIADB, rejection, type SqlDatabase, until } from '../../../test/support/sql-engines.js';
import { drizzleBridge } from './drizzle-bridge.js';
import type { DrizzleHandles, DrizzleTransactions } from './drizzle-handles.js';
import type { DrizzleBridgeOptions } from './drizzle-options.js';

const authors = mysql.mysqlTable('authors', { id: mysql.int().primaryKey(), name: mysql.text().notNull() });
const books = mysql.mysqlTable('books', {
  id: mysql.int().primaryKey(),
  name: mysql.text().notNull(),
  authorId: mysql.int('author_id').notNull(),
});
const schema = {
  authors,
  books,
  authorRelations: relations(authors, ({ many }) => ({ books: many(books) })),
  bookRelations: relations(books, ({ one }) => ({
    author: one(authors, { fields: [books.authorId], references: [authors.id] }),
  })),
};

const numbers = mysql.mysqlTable('numbers', { n: mysql.int() });
const MANY = 20_000;

MARIADB.describe('Drizzle', () => {
  let database: SqlDatabase;
  let connection: TestConnection<unknown>;
  let target: BridgeTarget;

  const open = (options: DrizzleBridgeOptions = { schema }) =>
    drizzleBridge.open(target, options) as unknown as DrizzleHandles<typeof schema>['mariadb'];

  /** Runs `work` with Drizzle in a transaction across ORMs. */
  const across = <T>(work: (bound: DrizzleTransactions<typeof schema>['mariadb'], tx: Transaction) => Promise<T>) =>
    new TransactionRunner({ target, Handle: Transaction }).run({}, (tx) =>
      work(tx.use(drizzleBridge, { schema }) as never, tx),
    );

  async function run(...statements: readonly string[]): Promise<void> {
    const session = connection.engine.sql?.session(connection.lanes);
    for (const statement of statements) await session?.query({ sql: statement });
    session?.release();
  }

  beforeAll(async () => {
    database = await MARIADB.create();
    connection = await database.open({});
    await run(
      'create table authors (id integer primary key, name text not null)',
      'create table books (id integer primary key, name text not null, author_id integer not null)',
      `create table numbers as select seq as n from seq_1_to_${MANY}`,
    );
    await connection.close();
  }, 60_000);

  afterAll(async () => {
    await database?.drop();
  });

  beforeEach(async () => {
    connection = await database.open({ maxOpenConns: 2, acquireTimeoutMs: 5_000 });
    target = bridgeTarget(connection);
    await run('delete from books', 'delete from authors');
    await run("insert into authors values (1, 'Ada'), (2, 'Grace')");
    await run("insert into books values (1, 'Notes', 1), (2, 'Letters', 1)");
  });

  afterEach(async () => {
    await until(() => target.counts.inUse === 0 && target.counts.pending === 0);
    await connection.close();
    const { created, destroyed } = connection.lanes.stats();
    expect(destroyed).toBe(created);
  });

  it('reads relations to many without being told a mode, and columns of one name from two tables', async () => {
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
    await across(async (bound) => {
      const [, grace] = await bound.query.authors.findMany({ with: { books: true } });
      expect(grace).toEqual({ id: 2, name: 'Grace', books: [] });
    });
  });

  it('rejects with errors of the classes that the application imports, and the error of the driver', async () => {
    const error = await rejection(open().insert(authors).values({ id: 1, name: 'twice' }));
    expect(error).toBeInstanceOf(DrizzleQueryError);
    expect(error.cause).toMatchObject({ code: 'ER_DUP_ENTRY' });
  });

  it('begins transactions as asked', async () => {
    const work = open().transaction((tx) => tx.insert(authors).values({ id: 3, name: 'Joan' }), {
      isolationLevel: 'serializable',
      accessMode: 'read only',
    });
    await expect(rejection(work)).resolves.toMatchObject({
      cause: { code: 'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION' },
    });
    const isolation = `select trx_isolation_level as level from information_schema.innodb_trx
      where trx_mysql_thread_id = connection_id()`;
    const [[row]] = (await open().transaction(
      async (tx) => {
        await tx.delete(books);
        return tx.execute(sql.raw(isolation));
      },
      { isolationLevel: 'read committed' },
    )) as unknown as [[unknown]];
    expect(row).toEqual({ level: 'READ COMMITTED' });
  });

  it('refuses a consistent snapshot, which it could not begin', async () => {
    const config = { isolationLevel: 'repeatable read', withConsistentSnapshot: true } as const;
    const work = open().transaction(async () => {}, config);
    await expect(rejection(work)).resolves.toMatchObject({
      code: 'DBM_UNSUPPORTED',
      option: 'withConsistentSnapshot',
      connectionName: 'test',
    });
  });

  it('undoes a transaction by rollback(), as Drizzle does', async () => {
    const db = open();
    const error = await rejection(
      db.transaction(async (tx) => {
        await tx.delete(books);
        tx.rollback();
      }),
    );
    expect(error).toBeInstanceOf(TransactionRollbackError);
    await expect(db.$count(books)).resolves.toBe(2);
  });

  it('is detached by ending its $client, transactions too, and the pool goes on', async () => {
    const db = open();
    await db.$client.promise().end();
    await rejection(db.select().from(books));
    await expect(db.transaction(async () => {})).rejects.toMatchObject({ code: 'DBM_CLOSED' });
    await expect(open().$count(books)).resolves.toBe(2);
  });

  it('passes casing and logger on, into transactions too', async () => {
    const logged: string[] = [];
    const logger = { logQuery: (query: string) => void logged.push(query) };
    const db = open({ casing: 'snake_case', logger });
    const table = mysql.mysqlTable('books', { authorId: mysql.int() });
    await db.select().from(table);
    await db.transaction((tx) => tx.select().from(table));
    expect(logged).toEqual(Array(2).fill('select `author_id` from `books`'));
  });

  describe('rows one by one', () => {
    const read = () => open().select().from(numbers).iterator();

    it('come to the end, and to a reader that leaves early; the connection goes back', async () => {
      let count = 0;
      for await (const { n } of read()) count += n === null ? 0 : 1;
      expect(count).toBe(MANY);
      for await (const _ of read()) break;
      await until(() => target.counts.inUse === 0);
      expect(connection.lanes.stats().destroyed).toBe(0);
    });

    it('end with the error of a connection that dies', async () => {
      const db = open();
      const lent = new Promise<{ readonly stream: Socket }>((resolve) => db.$client.once('acquire', resolve as never));
      const reading = async () => {
        for await (const _ of db.select().from(numbers).iterator()) (await lent).stream.destroy();
      };
      await expect(rejection(reading())).resolves.toMatchObject({ code: 'PROTOCOL_CONNECTION_LOST' });
    });

    it('do not bar the rest of a transaction across ORMs when they are left early', async () => {
      await across(async (bound, tx) => {
        for await (const _ of bound.select().from(numbers).iterator()) break;
        await tx.execute("insert into authors values (3, 'Joan')");
        for await (const { n } of bound.select().from(numbers).iterator()) if (n === 3) break;
        await bound.delete(books);
      });
      await expect(open().$count(authors)).resolves.toBe(3);
      await expect(open().$count(books)).resolves.toBe(0);
    });
  });

  describe('migrations', () => {
    const GOOD = 'create table plants (id integer primary key);--> statement-breakpoint insert into plants values (1)';
    let folder: string;

    /** A folder as drizzle-kit writes it. */
    async function write(...migrations: readonly string[]): Promise<{ migrationsFolder: string }> {
      const entries = migrations.map((_, idx) => ({ idx, when: idx + 1, tag: `${idx}`, breakpoints: true }));
      await mkdir(join(folder, 'meta'), { recursive: true });
      await writeFile(join(folder, 'meta', '_journal.json'), JSON.stringify({ entries }));
      for (const [idx, text] of migrations.entries()) await writeFile(join(folder, `${idx}.sql`), text);
      return { migrationsFolder: folder };
    }

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'dbmanager-drizzle-'));
    });

    afterEach(async () => {
      await rm(folder, { recursive: true });
      await run('drop table if exists plants', 'drop table if exists __drizzle_migrations');
    });

    it('run once; what came before one that fails stays, as the server commits it', async () => {
      const db = open();
      const failing = migrate(db, await write(GOOD, 'create table nonsense'));
      await expect(rejection(failing)).resolves.toBeInstanceOf(DrizzleQueryError);
      await migrate(db, await write(GOOD, 'insert into plants values (2)'));
      const [plants] = await db.execute(sql`select id from plants order by id`);
      expect(plants).toEqual([{ id: 1 }, { id: 2 }]);
      expect(connection.lanes.stats().dirtyReleases).toBe(0);
    });

    it('are refused inside a transaction across ORMs, which they would commit', async () => {
      const config = await write(GOOD);
      const error = await rejection(across((bound) => migrate(bound as never, config)));
      expect(error.cause).toMatchObject({ code: 'DBM_UNSUPPORTED' });
    });
  });
});

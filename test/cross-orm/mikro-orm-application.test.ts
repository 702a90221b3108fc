/**
 * An application as MikroORM's documentation shows it (mikro-orm.io: "Working with Entity Manager", "Unit of Work",
 * "Collections", "Transactions and Concurrency"); only where the MikroORM comes from is ours.
 */

import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Collection, defineEntity, LockMode, OptimisticLockError, p, wrap } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import { type Connection, ConnectionManager } from 'dbmanager';
import { ALL_SQL_ENGINES, rejection, type SqlDatabase, until } from '../support/sql-engines.js';

const BookTagSchema = defineEntity({
  name: 'BookTag',
  properties: { id: p.integer().primary(), name: p.string().unique() },
});
class BookTag extends BookTagSchema.class {}
BookTagSchema.setClass(BookTag);

const AuthorSchema = defineEntity({
  name: 'Author',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    email: p.string().unique(),
    born: p.date().nullable(),
    createdAt: p.datetime().onCreate(() => new Date()),
    books: () => p.oneToMany(Book).mappedBy('author').orphanRemoval(),
  },
});
class Author extends AuthorSchema.class {}
AuthorSchema.setClass(Author);

const BookSchema = defineEntity({
  name: 'Book',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    version: p.integer().version(),
    author: () => p.manyToOne(Author),
    tags: () => p.manyToMany(BookTag),
  },
});
class Book extends BookSchema.class {}
BookSchema.setClass(Book);

for (const engine of ALL_SQL_ENGINES) {
  engine.describe('An application of MikroORM', () => {
    let database: SqlDatabase;
    let manager: ConnectionManager;
    let connection: Connection;
    let orm: Awaited<ReturnType<Connection['mikroorm']>>;
    let em: SqlEntityManager;

    beforeAll(async () => {
      database = await engine.create();
      manager = new ConnectionManager({ defaultConnection: undefined, connections: [database.config({})] });
      await manager.connect();
      connection = manager.get('test');
      orm = await connection.mikroorm({ entities: [Author, Book, BookTag] });
      await orm.schema.create();
    }, 60_000);

    afterAll(async () => {
      await until(() => connection.counts.inUse === 0);
      await manager?.close();
      await database?.drop();
    });

    beforeEach(async () => {
      await orm.schema.clear();
      em = orm.em.fork();
    });

    /** An author with three books, of which two are tagged. */
    async function saveGodfather(into: SqlEntityManager): Promise<Author> {
      const author = into.create(Author, { name: 'Jon Snow', email: 'snow@wall.st', born: '1990-03-23' });
      const [one, , three] = ['My Life on The Wall, part 1', 'part 2', 'part 3'].map((title) =>
        into.create(Book, { title, author }),
      ) as [Book, Book, Book];
      const tag = into.create(BookTag, { name: 'silly' });
      one.tags.add(tag);
      three.tags.add(tag);
      await into.flush();
      return author;
    }

    it('writes all that is new in one unit of work, and loads it through the identity map', async () => {
      const author = await saveGodfather(em);
      expect(author.id).toBeGreaterThan(0);
      await expect(em.findOneOrFail(Author, author.id)).resolves.toBe(author);

      const other = orm.em.fork();
      const loaded = await other.findOneOrFail(Author, { email: 'snow@wall.st' }, { populate: ['books.tags'] });
      expect(loaded).not.toBe(author);
      expect(loaded.born).toBe('1990-03-23');
      expect(loaded.books.getItems().map((book) => book.tags.count())).toEqual([1, 0, 1]);
    });

    it('finds out what has changed, removes orphans, and sends nothing when nothing has', async () => {
      await saveGodfather(em);
      const other = orm.em.fork();
      const author = await other.findOneOrFail(Author, { name: 'Jon Snow' }, { populate: ['books'] });
      author.name = 'Aegon';
      author.books.remove(author.books[0] as Book);
      author.books.add(other.create(Book, { title: 'part 4', author }));
      await other.flush();
      await expect(orm.em.fork().find(Book, {}, { orderBy: { id: 1 } })).resolves.toMatchObject([
        { title: 'part 2' },
        { title: 'part 3' },
        { title: 'part 4' },
      ]);
      const { acquired } = connection.stats().pool;
      await other.flush();
      expect(connection.stats().pool.acquired).toBe(acquired);
    });

    it('refuses a change of what somebody else has changed meanwhile', async () => {
      await saveGodfather(em);
      const [mine, theirs] = [orm.em.fork(), orm.em.fork()];
      const book = await mine.findOneOrFail(Book, { title: 'part 2' });
      const same = await theirs.findOneOrFail(Book, book.id);
      same.title = 'theirs';
      await theirs.flush();
      book.title = 'mine';
      await expect(mine.flush()).rejects.toBeInstanceOf(OptimisticLockError);
      await expect(orm.em.fork().findOneOrFail(Book, book.id)).resolves.toMatchObject({ title: 'theirs' });
    });

    it('does a unit of work in a transaction, implicitly, by callback and by hand', async () => {
      await em.transactional(async (inner) => {
        await saveGodfather(inner);
        const author = await inner.findOneOrFail(
          Author,
          { name: 'Jon Snow' },
          { lockMode: LockMode.PESSIMISTIC_WRITE },
        );
        author.name = 'in a transaction';
      });
      await expect(orm.em.fork().count(Author, { name: 'in a transaction' })).resolves.toBe(1);

      const byHand = orm.em.fork();
      await byHand.begin();
      try {
        byHand.create(BookTag, { name: 'new' });
        byHand.create(BookTag, { name: 'silly' });
        await byHand.commit();
      } catch {
        await byHand.rollback();
      }
      await expect(orm.em.fork().count(BookTag)).resolves.toBe(1);
    });

    it('does the same in a transaction that others are in: the unit of work is flushed before the commit', async () => {
      await connection.transaction(async (tx) => {
        const author = await saveGodfather(tx.mikroorm());
        await expect(tx.knex()('author')).resolves.toHaveLength(1);
        await tx.knex()('author').where({ id: author.id }).update({ name: 'by Knex' });
        await tx.mikroorm().refresh(author);
        expect(author.name).toBe('by Knex');
        author.books[1]?.tags.add(await tx.mikroorm().findOneOrFail(BookTag, { name: 'silly' }));
        wrap(author).assign({ born: null });
      });
      const author = await orm.em.fork().findOneOrFail(Author, { name: 'by Knex' }, { populate: ['books.tags'] });
      expect(author.born).toBeNull();
      expect(author.books).toBeInstanceOf(Collection);
      expect(author.books.getItems().map((book) => book.tags.count())).toEqual([1, 1, 1]);
    });

    it('leaves nothing of a unit of work when the transaction is undone', async () => {
      const undone = connection.transaction(async (tx) => {
        await saveGodfather(tx.mikroorm());
        throw new Error('no');
      });
      await expect(rejection(undone)).resolves.toMatchObject({ message: 'no' });
      await expect(orm.em.fork().count(Author)).resolves.toBe(0);
    });
  });
}

import type { BridgeTarget } from '@dbmanager/core';
import { expect, it } from '@jest/globals';
import { DrizzleQueryError, eq, sql, TransactionRollbackError } from 'drizzle-orm';
import { rejection, SQLITE } from '../../../test/support/sql-engines.js';
import { DRIZZLE_ENGINES, useDrizzle } from '../test/drizzle-engines.js';

for (const { engine, schema, unnamed, quoted, duplicateKey, end } of DRIZZLE_ENGINES) {
  engine.describe('Drizzle', () => {
    const test = useDrizzle(engine, schema);
    const { authors, books } = schema;

    it('reads relations to many without being told a mode, and columns of one name from two tables', async () => {
      const db = test.open();
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

    it('has the schema of the handle that is open, read once, in a transaction across ORMs', async () => {
      const db = test.open();
      const opened = { handle: db, options: { schema } };
      const target = { ...test.target, opened: () => opened } as BridgeTarget;
      const work = test.across(
        async (bound) => {
          expect(bound._.schema).toBe(db._.schema);
          const [, grace] = await bound.query.authors.findMany({ with: { books: true } });
          return grace;
        },
        undefined,
        target,
      );
      await expect(work).resolves.toEqual({ id: 2, name: 'Grace', books: [] });
    });

    it('rejects with errors of the classes that the application imports, and the error of the driver', async () => {
      const error = await rejection(test.open().insert(authors).values({ id: 1, name: 'twice' }));
      expect(error).toBeInstanceOf(DrizzleQueryError);
      expect(error.cause).toMatchObject({ code: duplicateKey });
    });

    it('undoes a transaction by rollback(), as Drizzle does', async () => {
      const db = test.open();
      const error = await rejection(
        db.transaction(async (tx) => {
          await tx.delete(books);
          tx.rollback();
        }),
      );
      expect(error).toBeInstanceOf(TransactionRollbackError);
      await expect(db.$count(books)).resolves.toBe(2);
    });

    it('refuses a transaction handle that is used after its end', async () => {
      const kept = await test.open().transaction(async (tx) => tx);
      const error = await rejection(kept.select().from(books));
      expect(error.cause).toMatchObject({ code: 'DBM_LEASE_RELEASED' });
    });

    it('passes casing and logger on, into transactions too', async () => {
      const logged: string[] = [];
      const logger = { logQuery: (query: string) => void logged.push(query) };
      const db = test.open({ casing: 'snake_case', logger });
      await db.select().from(unnamed);
      await db.transaction((tx) => tx.select().from(unnamed));
      await test.across((bound) => bound.select().from(unnamed), { casing: 'snake_case', logger });
      const [column, table] = quoted;
      expect(logged).toEqual(Array(3).fill(`select ${column} from ${table}`));
    });

    it('lets nested transactions take turns, where Drizzle alone lets them get into each other', async () => {
      const db = test.open();
      const undone = new Error('undone');
      await db.transaction(async (tx) => {
        const failing = rejection(
          tx.transaction(async (inner) => {
            await inner.delete(books).where(eq(books.id, 1));
            throw undone;
          }),
        );
        const kept = tx.transaction((inner) => inner.delete(books).where(eq(books.id, 2)));
        expect(await failing).toBe(undone);
        await kept;
      });
      await expect(db.select({ id: books.id }).from(books)).resolves.toEqual([{ id: 1 }]);
    });

    // Drizzle on SQLite has no such settings.
    if (engine !== SQLITE) {
      it.each([{ isolationLevel: 'serializable' }, { accessMode: 'read only' }] as const)(
        'refuses %o for a transaction inside another',
        async (settings) => {
          const nested = await test.across(async (bound) => {
            const error = await rejection(bound.transaction(async () => {}, settings));
            await bound.transaction((tx) => tx.delete(books), {});
            return error;
          });
          expect(nested).toMatchObject({ code: 'DBM_UNSUPPORTED', connectionName: 'test' });
          await expect(test.open().$count(books)).resolves.toBe(0);
        },
      );
    }

    it('runs migrations begun inside a transaction as a part of it', async () => {
      const undone = new Error('undone');
      const work = test.across(async (bound) => {
        const { session } = bound as unknown as { session: typeof bound };
        // As Drizzle's migrators begin theirs.
        await session.transaction((inner) => inner.delete(books));
        throw undone;
      });
      await expect(work).rejects.toBe(undone);
      await expect(test.open().$count(books)).resolves.toBe(2);
    });

    if (end !== undefined) {
      it('is detached by ending its $client, transactions too, and the pool goes on', async () => {
        const db = test.open();
        await end(db);
        await rejection(db.select().from(books));
        await expect(db.transaction(async () => {})).rejects.toMatchObject({ code: 'DBM_CLOSED' });
        await expect(test.open().$count(books)).resolves.toBe(2);
      });
    }

    it('gives the values of placeholders to a statement that is prepared once', async () => {
      const byId = test
        .open()
        .select()
        .from(authors)
        .where(eq(authors.id, sql.placeholder('id')))
        .prepare('by_id');
      await expect(byId.execute({ id: 2 })).resolves.toEqual([{ id: 2, name: 'Grace' }]);
      await expect(byId.execute({ id: 3 })).resolves.toEqual([]);
    });
  });
}

import type { Socket } from 'node:net';
import type { ConnectionManager, ManagedConnection } from '@dbmanager/core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import { MSSQL, rejection, type SqlDatabase, until } from '../support/sql-engines.js';
import { codesOf, item, managerOf, transact } from './bridge-suite.js';
import type { Items, OpenOrm } from './orm-under-test.js';
import { ormsOn } from './orms.js';

/** What is needed of tedious' connection. */
interface Tedious {
  readonly socket: Socket;
  /** Takes one message of the protocol at a time, before TLS. */
  readonly messageIo: { readonly outgoingMessageStream: { write(message: { resetConnection: boolean }): boolean } };
}

for (const orm of ormsOn(MSSQL)) {
  MSSQL.describe(`${orm.name}, for what only SQL Server has,`, () => {
    let database: SqlDatabase;
    let manager: ConnectionManager;
    let connection: ManagedConnection;
    let open: OpenOrm;
    let items: Items;
    /** Every connection that was borrowed, the last one last. */
    let borrowed: Tedious[];

    beforeAll(async () => {
      database = await MSSQL.create();
      manager = await managerOf(database);
      open = await orm.open(manager.get('test'));
      await open.createTable();
      await manager.close();
    }, 60_000);

    afterAll(() => database?.drop());

    beforeEach(async () => {
      // What is asked of a connection that has been idle for long is the pool's business, not this suite's.
      manager = await managerOf(database, { validateAfterMs: 600_000 });
      connection = manager.get('test');
      borrowed = [];
      const acquire = connection.acquire.bind(connection);
      jest.spyOn(connection, 'acquire').mockImplementation(async (options) => {
        const lease = await acquire(options);
        borrowed.push((lease.connection as { readonly tedious: Tedious }).tedious);
        return lease;
      });
      open = await orm.open(connection);
      items = open.items;
      await items.raw('delete from items');
    });

    afterEach(async () => {
      await until(() => connection.counts.inUse === 0 && connection.counts.pending === 0);
      await manager.close();
      const { created, destroyed } = connection.stats().pool;
      expect(destroyed).toBe(created);
    });

    /** A transaction whose connection is ended just before COMMIT is sent, or as it is. */
    const dying = (die: (socket: Socket) => void) => async (tx: Items) => {
      await tx.insert(item(1));
      die((borrowed.at(-1) as Tedious).socket);
    };
    const before = dying((socket) => socket.destroy());
    const inCommit = dying((socket) => {
      const { write } = socket;
      socket.write = (...args: unknown[]) => {
        const sent = Reflect.apply(write, socket, args);
        socket.destroy();
        return sent;
      };
    });

    it('does not know when the connection dies in COMMIT, and knows when it died before', async () => {
      expect(codesOf(await rejection(items.transaction(inCommit)))).toContain('DBM_COMMIT_UNKNOWN');
      expect(codesOf(await rejection(items.transaction(before)))).not.toContain('DBM_COMMIT_UNKNOWN');
      await items.raw('delete from items');
      const across = await rejection(transact(connection, (tx) => inCommit(orm.bind(tx))));
      expect(codesOf(across)).toContain('DBM_COMMIT_UNKNOWN');
    });

    it('passes the error on that made it give up, also when the connection is gone', async () => {
      const reason = new Error('of the application');
      const failing = items.transaction(async (tx) => {
        await before(tx);
        throw reason;
      });
      const error = await rejection(failing);
      // Knex tells of the rollback that could not be sent, with the reason inside.
      expect([error, Reflect.get(error, 'originalError')]).toContain(reason);
    });

    // Query builders are told by `withSchema`.
    if (orm.name === 'TypeORM' || orm.name === 'MikroORM') {
      it('finds tables in the schema of the connection', async () => {
        await items.raw('create schema sales');
        const own = await managerOf(database, { schema: 'sales' });
        try {
          const sales = await orm.open(own.get('test'));
          await sales.createTable();
          await sales.items.insert(item(1, 'sold'));
          await transact(own.get('test'), (tx) => orm.bind(tx).insert(item(2, 'sold too')));
          await expect(sales.items.names()).resolves.toEqual(['sold', 'sold too']);
          await expect(items.names()).resolves.toEqual([]);
        } finally {
          await own.close();
        }
      });
    }

    it('rejects with one error where the server has several', async () => {
      await items.insert(item(11));
      await items.insert(item(12));
      const both = "update items set name = 'item 12' where id = 11; update items set name = 'item 11' where id = 12";
      const error = await rejection(items.raw(both));
      expect(error).toBeInstanceOf(Error);
      expect(codesOf(error)).toContainEqual(expect.stringMatching(MSSQL.uniqueViolation));
    });

    it('sends the statements of a transaction on its connection, however many run at once', async () => {
      await Promise.all(
        Array.from({ length: 8 }, (_, index) =>
          items
            .transaction(async (tx) => {
              const ids = [0, 1, 2].map((each) => 10 * index + each);
              await Promise.all(ids.map((id) => tx.insert(item(id))));
              if (index % 2 === 1) throw new Error('undone');
            })
            .catch(() => {}),
        ),
      );
      const kept = [0, 2, 4, 6].flatMap((index) => [0, 1, 2].map((each) => `item ${10 * index + each}`));
      await expect(items.names()).resolves.toEqual(kept);
    });

    it('never takes the end of an inner BEGIN TRANSACTION for a commit', async () => {
      const nesting = items.transaction(async (tx) => {
        await tx.insert(item(1));
        // Where it is sent as a call the server complains of it, and has done it all the same.
        await Promise.allSettled([tx.raw('begin tran')]);
      });
      expect(codesOf(await rejection(nesting))).toContain('DBM_TRANSACTION_ABORTED');
      await expect(items.names()).resolves.toEqual([]);
    });

    it('sends nothing but the statement: the reset is a bit of it, and no query is there to see whether all is well', async () => {
      await items.names();
      const tedious = borrowed.at(-1) as Tedious;
      const write = jest.spyOn(tedious.messageIo.outgoingMessageStream, 'write');
      await items.names();
      expect(borrowed.at(-1)).toBe(tedious);
      expect(write.mock.calls.map(([{ resetConnection }]) => resetConnection)).toEqual([true]);
    });

    it('says nothing of a connection that dies while nobody uses it', async () => {
      const told = jest.spyOn(console, 'error').mockReturnValue();
      await items.names();
      await until(() => connection.counts.inUse === 0);
      const { destroyed } = connection.stats().pool;
      borrowed.at(-1)?.socket.destroy();
      await until(() => connection.stats().pool.destroyed > destroyed);
      await items.names();
      expect(told).not.toHaveBeenCalled();
      told.mockRestore();
    });
  });
}

import { ConnectionManager, ManagedConnection } from '@dbmanager/core';
import { Transaction, TransactionRunner } from '@dbmanager/database';
import { MSSQL_DEADLOCK } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  MSSQL,
  rejection,
  SQL_PROVIDERS,
  type SqlDatabase,
  type SqlTestEngine,
  type TestServer,
  until,
} from '../support/sql-engines.js';
import type { Item, Items, OpenOrm, OrmUnderTest } from './orm-under-test.js';

const BIG = 9_007_199_254_740_993n;
const SUMMER = new Date('2024-07-01T12:34:56.789Z');

/** An item; its name is `item <id>` unless said. */
export function item(id: number, name = `item ${id}`): Item {
  const bytes = Buffer.from([0, 1, 254, 255]);
  return { id, name, big: BIG, at: SUMMER, json: { list: [1, 'two', null], text: `O'Brien` }, bytes };
}

/** The codes of an error and of those it was made from, however the ORM wraps them; where a driver has numbers, these too. */
export function codesOf(error: unknown): readonly string[] {
  if (typeof error !== 'object' || error === null) return [];
  const { code, number, cause, driverError, previous } = error as Record<string, unknown>;
  const own = [code, number].filter((each) => each !== undefined).map(String);
  return [...own, ...[cause, driverError, previous].flatMap(codesOf)];
}

/** A manager with one connection, `test`, to a test's database. */
export async function managerOf(database: SqlDatabase, options: object = {}): Promise<ConnectionManager> {
  const config = database.config({ maxOpenConns: 4, ...options });
  const manager = new ConnectionManager(
    { defaultConnection: undefined, connections: [config] },
    { providers: SQL_PROVIDERS, createConnection: (setup) => new ManagedConnection(setup) },
  );
  await manager.connect();
  return manager;
}

/** Runs `work` in a transaction across ORMs. */
export function transact<T>(target: ManagedConnection, work: (tx: Transaction) => Promise<T>): Promise<T> {
  return new TransactionRunner({ target, Handle: Transaction }).run({}, work);
}

/** A connection pool of one test's own, besides that of all tests. */
async function withManager(
  database: SqlDatabase,
  options: object,
  work: (connection: ManagedConnection) => Promise<void>,
): Promise<void> {
  const manager = await managerOf(database, options);
  try {
    await work(manager.get('test'));
  } finally {
    await closeAndCount(manager);
  }
}

/** Closes a manager; everything it had opened must be closed then. */
async function closeAndCount(manager: ConnectionManager): Promise<void> {
  const connection = manager.get('test');
  await manager.close();
  const { created, destroyed } = connection.stats().pool;
  expect({ created, destroyed }).toEqual({ created, destroyed: created });
}

/** Kills every backend of the database that is not the killer's. */
async function killBackends(database: SqlDatabase, { others, kill }: TestServer): Promise<void> {
  await withManager(database, { maxOpenConns: 1 }, async (connection) => {
    const session = given(connection.engine.sql).session(connection);
    const { rows } = await session.query({ sql: others });
    for (const { id } of rows) await session.query({ sql: kill(id) });
    session.release();
  });
}

/** The rules that every ORM keeps on every engine. */
export function bridgeSuite(orm: OrmUnderTest, engine: SqlTestEngine): void {
  engine.describe(orm.name, () => {
    let database: SqlDatabase;
    let manager: ConnectionManager;
    let connection: ManagedConnection;
    let open: OpenOrm;
    let items: Items;

    /** Names that somebody else sees, by another connection and no ORM. */
    async function seen(): Promise<unknown[]> {
      const session = connection.engine.sql?.session(connection);
      const result = await session?.query({ sql: 'select name from items order by id' });
      session?.release();
      return (result?.rows ?? []).map(({ name }) => name);
    }

    beforeAll(async () => {
      database = await engine.create();
      manager = await managerOf(database);
      connection = manager.get('test');
      open = await orm.open(connection);
      await open.createTable();
      items = open.items;
    }, 60_000);

    afterAll(async () => {
      if (manager !== undefined) await closeAndCount(manager);
      await database?.drop();
    });

    beforeEach(async () => {
      await items.raw('delete from items');
    });

    afterEach(async () => {
      await until(() => connection.counts.inUse === 0 && connection.counts.pending === 0);
    });

    describe('statements', () => {
      it('inserts, reads, changes and removes', async () => {
        await items.insert(item(1));
        await items.insert(item(2));
        await items.rename(1, 'renamed');
        await items.remove(2);
        await expect(items.names()).resolves.toEqual(['renamed']);
        await expect(items.find(2)).resolves.toBeUndefined();
        await expect(seen()).resolves.toEqual(['renamed']);
      });

      it('gives values back as they were, far from UTC', async () => {
        expect(SUMMER.getTimezoneOffset()).not.toBe(0);
        await items.insert(item(1));
        const found = await items.find(1);
        expect({ ...found, bytes: [...(found?.bytes ?? [])] }).toEqual({ ...item(1), bytes: [...item(1).bytes] });
        expect(found?.at.toISOString()).toBe(SUMMER.toISOString());
      });

      it('leaves nothing borrowed after errors, and loses no connection by them', async () => {
        await items.insert(item(1));
        const { destroyed } = connection.stats().pool;
        const twice = (_: unknown, index: number) => rejection(items.insert(item(index + 2, 'item 1')));
        const errors = await Promise.all(Array.from({ length: 50 }, twice));
        for (const error of errors)
          expect(codesOf(error)).toContainEqual(expect.stringMatching(engine.uniqueViolation));
        await until(() => connection.counts.inUse === 0);
        expect(connection.stats().pool.destroyed).toBe(destroyed);
      });

      it('runs many at once on few connections', async () => {
        await Promise.all(Array.from({ length: 64 }, (_, index) => items.insert(item(index + 1))));
        await expect(items.names()).resolves.toHaveLength(64);
        expect(connection.stats().pool.open).toBeLessThanOrEqual(4);
      });

      if (orm.streamsOn.includes(engine.name)) {
        it('reads one by one, and gives the connection back when left early', async () => {
          for (let id = 1; id <= 5; id++) await items.insert(item(id));
          const names: string[] = [];
          for await (const name of given(open.stream).call(open)) names.push(name);
          expect(names).toEqual(await seen());
          for await (const _ of given(open.stream).call(open)) break;
          await until(() => connection.counts.inUse === 0);
        });
      }
    });

    describe('transactions of its own', () => {
      it('are committed when their work resolves', async () => {
        const result = await items.transaction(async (tx) => {
          await tx.insert(item(1));
          await expect(tx.names()).resolves.toEqual(['item 1']);
          await expect(seen()).resolves.toEqual([]);
          return 'done';
        });
        expect(result).toBe('done');
        await expect(seen()).resolves.toEqual(['item 1']);
      });

      it('are rolled back when their work throws, with its error passed on', async () => {
        const reason = new Error('no');
        const error = await rejection(
          items.transaction(async (tx) => {
            await tx.insert(item(1));
            throw reason;
          }),
        );
        expect(error).toBe(reason);
        await expect(seen()).resolves.toEqual([]);
      });

      it('nest: the inner one is undone alone', async () => {
        await items.transaction(async (tx) => nestOnce(tx));
        await expect(seen()).resolves.toEqual(['outer', 'kept']);
      });

      it('run side by side without getting into each other', async () => {
        await Promise.all(
          Array.from({ length: 12 }, (_, index) =>
            items
              .transaction(async (tx) => {
                await tx.insert(item(index + 1));
                if (index % 2 === 1) throw new Error('undone');
              })
              .catch(() => {}),
          ),
        );
        await expect(items.names()).resolves.toEqual([1, 3, 5, 7, 9, 11].map((id) => `item ${id}`));
      });
    });

    describe('on the shared pool', () => {
      it('is the same each time, and several stand side by side by name', async () => {
        expect((await orm.open(connection)).handle).toBe(open.handle);
        const other = await orm.open(connection, 'other');
        expect(other.handle).not.toBe(open.handle);
        await other.items.insert(item(1));
        await expect(items.names()).resolves.toEqual(['item 1']);
        await other.close();
        await expect(items.names()).resolves.toEqual(['item 1']);
      });

      if (orm.checksOutOn.includes(engine.name)) {
        it('gives a connection back once, however often it is told to', async () => {
          await withManager(database, { maxOpenConns: 1 }, async (alone) => {
            const opened = await orm.open(alone);
            const lent = await given(opened.checkOut).call(opened);
            await lent.release();
            await until(() => alone.counts.inUse === 0);
            const lease = await alone.acquire();
            await Promise.allSettled([(async () => lent.release())()]); // whether it objects is up to the ORM
            expect(alone.counts.inUse).toBe(1);
            lease.release();
          });
        });
      }

      it('only detaches when it is closed: the pool and the others go on', async () => {
        await withManager(database, {}, async (other) => {
          const opened = await orm.open(other);
          await opened.items.insert(item(1));
          await opened.close();
          const session = other.engine.sql?.session(other);
          await expect(session?.query({ sql: 'select name from items' })).resolves.toMatchObject({ rowsAffected: 1 });
          session?.release();
        });
        await expect(items.names()).resolves.toEqual(['item 1']);
      });

      it('gives up waiting for a connection when acquire_timeout has passed', async () => {
        await withManager(database, { maxOpenConns: 1, acquireTimeoutMs: 50 }, async (full) => {
          const { items: waiting } = await orm.open(full);
          // Connecting may take longer.
          const lease = await full.acquire({ timeoutMs: 15_000 });
          expect(codesOf(await rejection(waiting.names()))).toContain('DBM_ACQUIRE_TIMEOUT');
          expect(codesOf(await rejection(waiting.transaction(async () => {})))).toContain('DBM_ACQUIRE_TIMEOUT');
          lease.release();
        });
      });

      it('tells at once that a query outside a transaction waits for that transaction', async () => {
        await withManager(database, { maxOpenConns: 1, acquireTimeoutMs: 60_000 }, async (full) => {
          const { items: alone } = await orm.open(full);
          const inOwn = alone.transaction(async (tx) => {
            await tx.insert(item(1));
            await alone.names();
          });
          expect(codesOf(await rejection(inOwn))).toContain('DBM_POOL_DEADLOCK');
          const inOurs = transact(full, async () => alone.names());
          expect(codesOf(await rejection(inOurs))).toContain('DBM_POOL_DEADLOCK');
        });
      });

      it('survives a reconnect of the manager', async () => {
        await manager.reconnect('test');
        await items.insert(item(1));
        await expect(items.names()).resolves.toEqual(['item 1']);
      });

      it('is refused once the manager is closed', async () => {
        const closed = await managerOf(database);
        const opened = await orm.open(closed.get('test'));
        await opened.items.names();
        await closeAndCount(closed);
        expect(codesOf(await rejection(opened.items.names()))).toContain('DBM_CLOSED');
      });
    });

    describe('in a transaction across ORMs', () => {
      const across = <T>(work: (bound: Items, tx: Transaction) => Promise<T>) =>
        transact(connection, (tx) => work(orm.bind(tx), tx));

      it('writes and reads there, unseen by others until the commit', async () => {
        await across(async (bound, tx) => {
          await bound.insert(item(1));
          await expect(bound.names()).resolves.toEqual(['item 1']);
          await expect(tx.query('select name from items')).resolves.toEqual([{ name: 'item 1' }]);
          await expect(seen()).resolves.toEqual([]);
          await expect(items.names()).resolves.toEqual([]);
        });
        await expect(seen()).resolves.toEqual(['item 1']);
      });

      it('gives values back as they were', async () => {
        await across(async (bound) => {
          await bound.insert(item(1));
          const found = await bound.find(1);
          expect(found).toMatchObject({ big: BIG, json: item(1).json });
          expect(found?.at.toISOString()).toBe(SUMMER.toISOString());
        });
      });

      it('is rolled back with it', async () => {
        const reason = new Error('no');
        const work = across(async (bound, tx) => {
          await bound.insert(item(1));
          await tx.execute("update items set name = 'changed'");
          throw reason;
        });
        await expect(work).rejects.toBe(reason);
        await expect(seen()).resolves.toEqual([]);
      });

      it('nests: the inner one is undone alone', async () => {
        await across(nestOnce);
        await expect(seen()).resolves.toEqual(['outer', 'kept']);
      });

      it('takes turns with nested transactions of others', async () => {
        await across(async (bound, tx) => {
          await bound.insert(item(1));
          const failing = rejection(
            tx.transaction(async (inner) => {
              await inner.execute("update items set name = 'never' where id = 1");
              throw new Error('undone');
            }),
          );
          await Promise.all([bound.insert(item(2)), failing, bound.insert(item(3))]);
        });
        await expect(seen()).resolves.toEqual(['item 1', 'item 2', 'item 3']);
      });

      it.each(['commit', 'ROLLBACK', `/* a */ ${engine.begin}`, 'select 1; commit'])('refuses "%s"', async (text) => {
        const work = across(async (bound) => {
          await bound.insert(item(1));
          await bound.raw(text);
        });
        expect(codesOf(await rejection(work))).toContain('DBM_UNSUPPORTED');
        await expect(seen()).resolves.toEqual([]);
      });

      it('is dead after the end', async () => {
        const kept = await across(async (bound) => bound);
        expect(codesOf(await rejection(kept.names()))).toContain('DBM_LEASE_RELEASED');
        expect(codesOf(await rejection(kept.transaction(async () => {})))).toContain('DBM_LEASE_RELEASED');
      });
    });

    const { server } = engine;
    if (server !== undefined) {
      describe('when the server has the last word', () => {
        const dooms = Object.entries(DOOMS[engine.name] ?? {});

        /** Swallows an error of the server, which then undoes the whole transaction; goes on as if nothing had been. */
        const swallow = (doom: Doom) => async (tx: Items) => {
          await tx.insert(item(1));
          await doom(tx, connection);
          await Promise.allSettled([tx.insert(item(2))]);
        };

        /** Items that another transaction may work on; gives their names. */
        async function insertRivals(): Promise<readonly string[]> {
          const rivals = Array.from({ length: 9 }, (_, index) => item(11 + index));
          for (const each of rivals) await items.insert(each);
          return rivals.map(({ name }) => name);
        }

        it.each(dooms)(
          'never reports as committed what was rolled back %s, and runs nothing after it',
          async (_, doom) => {
            const rivals = await insertRivals();
            const own = await rejection(items.transaction(swallow(doom)));
            expect(codesOf(own)).toContain('DBM_TRANSACTION_ABORTED');
            const across = await rejection(transact(connection, (tx) => swallow(doom)(orm.bind(tx))));
            expect(codesOf(across)).toContain('DBM_TRANSACTION_ABORTED');
            await expect(seen()).resolves.toEqual(rivals);
          },
        );

        if (engine.name !== 'postgres') {
          it.each(dooms)('ends, though all of it was undone %s while a nested transaction ran', async (_, doom) => {
            const rivals = await insertRivals();
            const nest = async (tx: Items) => {
              await tx.insert(item(3));
              // Where savepoints are not released the end of a nested one sends nothing.
              await Promise.allSettled([tx.transaction(swallow(doom))]);
              await rejection(tx.insert(item(4)));
            };
            expect(codesOf(await rejection(items.transaction(nest)))).toContain('DBM_TRANSACTION_ABORTED');
            const across = await rejection(transact(connection, (tx) => nest(orm.bind(tx))));
            expect(codesOf(across)).toContain('DBM_TRANSACTION_ABORTED');
            await expect(seen()).resolves.toEqual(rivals);
          });
        }

        if (engine.name === 'mariadb') {
          it('ends, though others have met with what undid all of it', async () => {
            const rivals = await insertRivals();
            // It has sent nothing itself when the transaction is over.
            const byOthers = transact(connection, async (tx) => {
              const rename: Items['rename'] = (id, name) =>
                tx.execute('update items set name = ? where id = ?', [name, id]);
              await rejection(orm.bind(tx).transaction(() => deadlock(rename, connection)));
              await rejection(tx.execute('delete from items'));
            });
            expect(codesOf(await rejection(byOthers))).toContain('DBM_TRANSACTION_ABORTED');
            await expect(seen()).resolves.toEqual(rivals);
          });
        }

        it('outlives the death of a connection in the middle of a transaction', async () => {
          const cut = async (tx: Items) => {
            await tx.insert(item(1));
            await killBackends(database, server);
            await tx.insert(item(2));
          };
          await rejection(items.transaction(cut));
          await rejection(transact(connection, (tx) => cut(orm.bind(tx))));
          await until(() => connection.counts.inUse === 0);
          await expect(items.names()).resolves.toEqual([]);
        });
      });
    }
  });
}

/** Has the server undo a transaction, and swallows its error. */
type Doom = (tx: Items, target: ManagedConnection) => Promise<void>;

/** How servers come to do so, by engine. */
const DOOMS: Readonly<Record<string, Readonly<Record<string, Doom>>>> = {
  postgres: {
    async 'after any error'(tx) {
      await rejection(tx.insert(item(1)));
    },
  },

  mariadb: { 'after a deadlock': (tx, target) => deadlock((id, name) => tx.rename(id, name), target) },

  // It would run what follows outside of any transaction.
  mssql: {
    async 'under XACT_ABORT'(tx) {
      const error = await rejection(tx.raw("set xact_abort on; update items set name = 'item 11' where id = 12"));
      expect(codesOf(error)).toContainEqual(expect.stringMatching(MSSQL.uniqueViolation));
    },
    async 'after a deadlock'(tx) {
      expect(codesOf(await rejection(tx.raw(MSSQL_DEADLOCK)))).toContain('1205');
    },
  },
};

/** Another transaction wants what this one has, and this one then what the other has: the lighter one has to go. */
async function deadlock(rename: Items['rename'], target: ManagedConnection): Promise<void> {
  const rival = given(target.engine.sql).session(target);
  try {
    await rival.begin();
    await rival.query({ sql: 'update items set big = big + 1 where id > 11' });
    await rename(11, 'never');
    const [, error] = await Promise.all([
      rival.query({ sql: 'update items set big = big + 1 where id = 11' }),
      rejection(rename(12, 'never') as Promise<unknown>),
    ]);
    expect(codesOf(error)).toContain('ER_LOCK_DEADLOCK');
    await rival.commit();
  } finally {
    rival.release();
  }
}

/** What the tables of engines and ORMs promise. */
function given<T>(member: T | undefined): T {
  if (member === undefined) throw new Error('the table says that it can');
  return member;
}

/** A transaction with two nested ones: the first is undone, the second kept. */
async function nestOnce(tx: Items): Promise<void> {
  const reason = new Error('undone');
  await tx.insert(item(1, 'outer'));
  const error = await rejection(
    tx.transaction(async (inner) => {
      await inner.insert(item(2, 'never'));
      await inner.rename(1, 'changed');
      throw reason;
    }),
  );
  expect(error).toBe(reason);
  await tx.transaction((inner) => inner.insert(item(3, 'kept')));
}

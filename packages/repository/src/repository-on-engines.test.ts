import type { BridgeTarget } from '@dbmanager/core';
import { createDatabase, type Database } from '@dbmanager/database';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import {
  ALL_SQL_ENGINES,
  bridgeTarget,
  COCKROACHDB,
  MARIADB,
  PGBOUNCER,
  rejection,
  type SqlDatabase,
  until,
} from '../../../test/support/sql-engines.js';
import { USERS, type User, usersTable } from '../test/user.js';
import { createRepository, type Filter, likeText, type Repository, type RowValues } from './index.js';

const CREATED = new Date('2026-01-02T03:04:05.678Z');
const DELETED = new Date('2026-02-03T04:05:06.789Z');

const user = (email: string, more: RowValues<User> = {}): RowValues<User> => ({ email, created_at: CREATED, ...more });
const emails = (rows: readonly User[]) => rows.map(({ email }) => email);

/** Each engine as it is, and MariaDB as though it were MySQL, which gives no rows of what it has written. */
const SUBJECTS = [
  ...[...ALL_SQL_ENGINES, COCKROACHDB, PGBOUNCER].map((engine) => ({ engine, what: 'a repository', asMysql: false })),
  { engine: MARIADB, what: 'a repository of type mysql', asMysql: true },
];

for (const { engine, what, asMysql } of SUBJECTS) {
  engine.describe(`seeds 1: Repository: ${what}`, () => {
    let files: SqlDatabase;
    let connection: TestConnection<unknown>;
    let target: BridgeTarget;
    let db: Database;
    let users: Repository<User>;

    async function open(options: object = {}): Promise<void> {
      connection = await files.open({ maxOpenConns: 4, ...options });
      target = bridgeTarget(connection);
      db = createDatabase(target);
      const place = { name: target.name, type: asMysql ? 'mysql' : target.type, scope: () => db };
      users = createRepository<User>(place, { ...USERS, now: () => DELETED });
    }

    beforeAll(async () => {
      files = await engine.create();
      await open();
      await db.execute(usersTable(engine));
      await connection.close();
    }, 60_000);

    afterAll(async () => {
      await files?.drop();
    });

    beforeEach(async () => {
      await open();
      await db.execute('delete from users');
    });

    afterEach(async () => {
      await until(() => target.counts.inUse === 0 && target.counts.pending === 0);
      await connection.close();
    });

    it('creates a row, gives it as the database has it, and finds it by its key', async () => {
      const ada = await users.create(user('ada', { name: 'Ada' }));
      expect(ada).toEqual({
        id: expect.any(Number),
        email: 'ada',
        name: 'Ada',
        age: null,
        score: 0.5,
        balance: expect.any(String),
        active: true,
        settings: null,
        avatar: null,
        created_at: CREATED,
        deleted_at: null,
        version: 1,
      });
      expect(await users.findById(ada.id)).toEqual(ada);
      expect(await users.findById(ada.id + 1)).toBeUndefined();
    });

    it('gives values of every kind as they were given to it', async () => {
      const values = {
        name: `O'Brien ? :name $1 @p1 \\ "quoted" [x] \`y\` 😀`,
        age: 2_147_483_647,
        score: 0.1,
        balance: '1234567.2500',
        active: false,
        // Unlike MySQL, MariaDB gives JSON as text.
        settings: asMysql ? null : { list: [1, 'two', null], text: 'a "b" ?' },
        avatar: Buffer.from([0, 1, 255]),
      };
      const { id } = await users.create(user('every', values));
      const found = await users.findById(id);
      expect(found).toMatchObject({ ...values, avatar: expect.anything(), balance: expect.any(String) });
      expect(Buffer.from(found?.avatar ?? [])).toEqual(values.avatar);
      expect(Number(found?.balance)).toBe(1_234_567.25);
      const cleared = await users.update(id, { settings: null, avatar: null, name: null });
      expect(cleared).toMatchObject({ settings: null, avatar: null, name: null });
    });

    it('lists what fits, in order, with limit and offset', async () => {
      await users.createMany(['c', 'a', 'd', 'b'].map((email, age) => user(email, { age })));
      const order = { email: 'asc' } as const;
      expect(emails(await users.list({}, { order }))).toEqual(['a', 'b', 'c', 'd']);
      expect(emails(await users.list(undefined, { order: { email: 'desc' }, limit: 2 }))).toEqual(['d', 'c']);
      expect(emails(await users.list({}, { order, limit: 2, offset: 1 }))).toEqual(['b', 'c']);
      expect(emails(await users.list({}, { order, offset: 3 }))).toEqual(['d']);
      expect(await users.list({}, { order, limit: 0 })).toEqual([]);
      expect((await users.findOne({ age: { gt: 0 } }, { order }))?.email).toBe('a');
      expect(await users.findOne({ email: 'x' })).toBeUndefined();
    });

    it('finds by every operator', async () => {
      const more = { created_at: new Date('2026-06-01T00:00:00Z') };
      await users.createMany([
        user('a', { age: 1, name: 'x%y', active: false }),
        user('b', { age: 2, name: 'x[ab]y', score: 2.5 }),
        user('c', { age: 3, name: 'xay', ...more }),
        user('d', { name: 'x\\y' }),
      ]);
      const found = async (filter: Parameters<typeof users.list>[0]) =>
        emails(await users.list(filter, { order: { email: 'asc' } })).join('');
      expect(await found({ age: 2 })).toBe('b');
      expect(await found({ age: null })).toBe('d');
      expect(await found({ age: { eq: 2 } })).toBe('b');
      expect(await found({ age: { ne: 2 } })).toBe('ac');
      expect(await found({ age: { ne: null } })).toBe('abc');
      expect(await found({ age: { gt: 1, lt: 3 } })).toBe('b');
      expect(await found({ age: { gte: 2 } })).toBe('bc');
      expect(await found({ age: { lte: 2 } })).toBe('ab');
      expect(await found({ age: { in: [1, 3, 9] } })).toBe('ac');
      expect(await found({ age: { in: [] } })).toBe('');
      expect(await found({ age: { notIn: [1, 3] } })).toBe('b');
      expect(await found({ age: { isNull: true } })).toBe('d');
      expect(await found({ age: { isNull: false } })).toBe('abc');
      expect(await found({ settings: { isNull: true } })).toBe('abcd');
      expect(await found({ active: false })).toBe('a');
      expect(await found({ score: { gt: 2 } })).toBe('b');
      expect(await found({ created_at: { gt: CREATED } })).toBe('c');
      expect(await found({ created_at: CREATED })).toBe('abd');
      expect(await found({ name: { like: 'x%' } })).toBe('abcd');
      expect(await found({ name: { like: 'x_y' } })).toBe('acd');
      expect(await found({ name: { like: 'x[ab]y' } })).toBe('b');
      expect(await found({ name: { like: `x${likeText('%')}y` } })).toBe('a');
      expect(await found({ name: { like: `%${likeText('\\')}%` } })).toBe('d');
      expect(await found({ or: [{ age: 1 }, { email: 'd' }] })).toBe('ad');
      expect(await found({ and: [{ age: { gt: 1 } }, { or: [{ email: 'a' }, { email: 'b' }] }] })).toBe('b');
      expect(await found({ not: { age: { gte: 2 } } })).toBe('a');
      expect(await found({ age: { gt: 0 }, not: { or: [{ email: 'a' }, { email: 'c' }] } })).toBe('b');
    });

    it('takes lists as long as one statement takes values, and says of longer ones how long that is', async () => {
      const most = { sqlite: 32_766, mssql: 2_000 }[engine.name] ?? 65_535;
      const { id } = await users.create(user('a', { age: 1 }));
      const ages = Array.from({ length: most }, (_, age) => age);
      expect(await users.count({ age: { in: ages } })).toBe(1);
      const { acquired } = connection.lanes.stats();
      const more = { or: [{ age: { in: ages } }, { id }] };
      for (const call of [
        () => users.list(more),
        () => users.page(more),
        () => users.exists(more),
        () => users.updateWhere(more, { age: 2 }),
        () => users.deleteWhere(more),
      ]) {
        const refused = { code: 'DBM_INVALID_INPUT', option: 'filter', message: expect.stringContaining(`${most} `) };
        await expect(rejection(call())).resolves.toMatchObject(refused);
      }
      expect(connection.lanes.stats().acquired).toBe(acquired);
    });

    it('finds by many alternatives, and by deep ones', async () => {
      await users.createMany([user('a', { age: 1 }), user('b', { age: 2 })]);
      const or = Array.from({ length: 1_500 }, (_, age) => ({ age: age + 2 }));
      expect(emails(await users.list({ or }))).toEqual(['b']);
      let deep: Filter<User> = { age: 2 };
      for (let depth = 0; depth < 30; depth++) deep = { or: [...Array.from({ length: 30 }, () => ({ age: 3 })), deep] };
      expect(emails(await users.list(deep))).toEqual(['b']);
    });

    it('counts what fits, and tells whether anything does', async () => {
      await users.createMany([user('a'), user('b', { age: 5 })]);
      expect(await users.count()).toBe(2);
      expect(await users.count({ age: 5 })).toBe(1);
      expect(await users.exists({ age: 5 })).toBe(true);
      expect(await users.exists({ age: 6 })).toBe(false);
    });

    it('creates many rows of different columns, all of them or none', async () => {
      const rows = [user('a', { age: 1 }), user('b'), user('c', { name: 'C' }), user('d')];
      expect(await users.createMany(rows)).toBe(4);
      expect(await users.createMany([])).toBe(0);
      const half = [user('e'), user('f', { age: 1 }), user('a', { name: 'again' })];
      await expect(rejection(users.createMany(half))).resolves.toMatchObject({ code: 'DBM_UNIQUE_VIOLATION' });
      expect(await users.count()).toBe(4);
    });

    it('creates more rows than one statement takes', async () => {
      const rows = Array.from({ length: 1_100 }, (_, index) => user(`many ${index}`, { age: index }));
      expect(await users.createMany(rows)).toBe(1_100);
      expect(await users.count({ age: { gte: 1_000 } })).toBe(100);
    });

    it('changes a row, and gives it as it is then', async () => {
      const ada = await users.create(user('ada'));
      const changed = await users.update(ada.id, { age: 36, name: undefined });
      expect(changed).toEqual({ ...ada, age: 36, version: 2 });
      expect(await users.findById(ada.id)).toEqual(changed);
    });

    it('tells that there is no row to change', async () => {
      await expect(rejection(users.update(0, { age: 1 }))).resolves.toMatchObject({
        code: 'DBM_NOT_FOUND',
        table: 'users',
      });
      await expect(rejection(users.update(0, { age: 1, version: 1 }))).resolves.toMatchObject({
        code: 'DBM_NOT_FOUND',
      });
    });

    it('refuses to change a row that has been changed since it was read', async () => {
      const read = await users.create(user('ada'));
      await users.update(read.id, { ...read, age: 1 });
      const error = await rejection(users.update(read.id, { ...read, age: 2 }));
      expect(error).toMatchObject({ code: 'DBM_STALE_VERSION', retryable: false, table: 'users', column: 'version' });
      expect(await users.findById(read.id)).toMatchObject({ age: 1, version: 2 });
      const deletion = users.delete(read.id, { version: read.version });
      await expect(rejection(deletion)).resolves.toMatchObject({ code: 'DBM_STALE_VERSION' });
      expect(await users.delete(read.id, { version: 2 })).toBe(true);
    });

    it('lets one of several through that change the same version at once', async () => {
      const read = await users.create(user('ada'));
      const changes = Array.from({ length: 8 }, (_, age) => users.update(read.id, { ...read, age }));
      const settled = await Promise.allSettled(changes);
      const failures = settled.filter((each) => each.status === 'rejected').map(({ reason }) => reason as unknown);
      expect(failures).toHaveLength(7);
      for (const each of failures) expect(each).toMatchObject({ code: 'DBM_STALE_VERSION' });
      expect(await users.findById(read.id)).toMatchObject({ version: 2 });
    });

    it('changes and deletes all rows that fit', async () => {
      await users.createMany([user('a', { age: 1 }), user('b', { age: 2 }), user('c', { age: 3 })]);
      expect(await users.updateWhere({ age: { gt: 1 } }, { name: 'old' })).toBe(2);
      expect(emails(await users.list({ name: 'old', version: 2 }, { order: { email: 'asc' } }))).toEqual(['b', 'c']);
      expect(await users.deleteWhere({ age: 2 })).toBe(1);
      expect(await users.deleteWhere({ age: { lt: 9 } }, { hard: true })).toBe(2);
      expect(emails(await users.list({}, { deleted: 'include' }))).toEqual(['b']);
    });

    it('deletes softly, leaves out what was deleted, and restores it', async () => {
      const { id } = await users.create(user('ada'));
      await users.create(user('bob'));
      expect(await users.delete(id)).toBe(true);
      expect(await users.delete(id)).toBe(false);
      expect(await users.findById(id)).toBeUndefined();
      expect(await users.count()).toBe(1);
      expect(await users.exists({ email: 'ada' })).toBe(false);
      await expect(rejection(users.update(id, { age: 1 }))).resolves.toMatchObject({ code: 'DBM_NOT_FOUND' });
      expect(await users.findById(id, { deleted: 'include' })).toMatchObject({ deleted_at: DELETED, version: 2 });
      expect(emails(await users.list({}, { deleted: 'only' }))).toEqual(['ada']);
      expect(await users.restore(id)).toBe(true);
      expect(await users.restore(id)).toBe(false);
      expect(await users.findById(id)).toMatchObject({ email: 'ada', deleted_at: null, version: 3 });
      expect(await users.delete(id, { hard: true })).toBe(true);
      expect(await users.findById(id, { deleted: 'include' })).toBeUndefined();
    });

    it('inserts a row or changes the one that there is', async () => {
      const on = ['email'] as const;
      const first = await users.upsert(user('ada', { age: 1, name: 'Ada' }), { on });
      expect(first).toMatchObject({ email: 'ada', age: 1, version: 1 });
      const second = await users.upsert(user('ada', { age: 2 }), { on });
      expect(second).toEqual({ ...first, age: 2, version: 2 });
      const third = await users.upsert(user('ada', { age: 3, name: 'A.' }), { on, update: ['name'] });
      expect(third).toEqual({ ...second, name: 'A.', version: 3 });
      await users.delete(first.id);
      expect(await users.upsert(user('ada'), { on })).toMatchObject({ id: first.id, deleted_at: null, version: 5 });
      expect(await users.count({}, { deleted: 'include' })).toBe(1);
    });

    it('leaves a row alone that an upsert does not mean, though it has a value that must be unique', async () => {
      const ada = await users.create(user('ada'));
      const bob = await users.create(user('bob'));
      const upsert = users.upsert({ ...user('bob'), age: 7, id: ada.id });
      if (engine.name !== 'mssql') {
        await expect(rejection(upsert)).resolves.toMatchObject({ code: 'DBM_UNIQUE_VIOLATION' });
      } else {
        await rejection(upsert);
      }
      const unmeant = users.upsert({ ...user('ada'), age: 7, id: bob.id }, { on: ['email'] });
      expect(
        await unmeant.then(
          ({ id }) => id,
          () => ada.id,
        ),
      ).toBe(ada.id);
      expect(await users.findById(bob.id)).toEqual(bob);
    });

    it('counts every one of many upserts of one row at the same time', async () => {
      const upserts = Array.from({ length: 12 }, (_, age) => users.upsert(user('ada', { age }), { on: ['email'] }));
      await Promise.all(upserts);
      expect(await users.list()).toMatchObject([{ email: 'ada', version: 12 }]);
    });

    it('pages rows whose dates differ by less than a Date tells', async () => {
      const names = ['a', 'b', 'c', 'd', 'e'];
      for (const [index, name] of names.entries()) {
        const at = `2026-01-01 00:00:00.12340${9 - index}`;
        await db.execute('insert into users (email, created_at, version) values (?, ?, 1)', [name, at]);
      }
      for (const direction of ['asc', 'desc'] as const) {
        const found: string[] = [];
        let after: string | undefined;
        do {
          const page = await users.page({}, { order: { created_at: direction }, limit: 2, after });
          expect(Object.keys(page.rows[0] ?? {})).toEqual(Object.keys(USERS.columns));
          found.push(...emails(page.rows));
          after = page.next;
        } while (after !== undefined && found.length < 9);
        expect(found).toEqual(direction === 'desc' ? names : names.toReversed());
      }
    });

    it('takes part in a transaction, and in one nested in it', async () => {
      await rejection(
        db.transaction(async (tx) => {
          const inside = users.in(tx);
          const { id } = await inside.create(user('ada'));
          expect(await inside.findById(id)).toMatchObject({ email: 'ada' });
          await tx.transaction(async (nested) => users.in(nested).update(id, { age: 5 }));
          await rejection(
            tx.transaction(async (nested) => {
              await users.in(nested).upsert(user('ada', { age: 6 }), { on: ['email'] });
              throw new Error('not this');
            }),
          );
          expect(await inside.findById(id)).toMatchObject({ age: 5 });
          throw new Error('nor all of it');
        }),
      );
      expect(await users.count()).toBe(0);
    });

    if (asMysql) {
      it('says that it needs a key that the server makes and does not tell', async () => {
        await db.execute('create table tickets (id char(36) default (uuid()) primary key, word varchar(50))');
        const place = { name: target.name, type: 'mysql', scope: () => db };
        const columns = { id: 'text', word: 'text?' } as const;
        const tickets = createRepository<{ id: string; word: string | null }>(place, { table: 'tickets', columns });
        const refused = { code: 'DBM_INVALID_INPUT', option: 'values.id', column: 'id' };
        await expect(rejection(tickets.create({ word: 'a' }))).resolves.toMatchObject(refused);
        expect(await tickets.count()).toBe(0);
        expect(await tickets.create({ id: 'b' })).toEqual({ id: 'b', word: null });
      });
    }

    it('refuses a transaction of another connection', async () => {
      await db.transaction(async (tx) => {
        const place = { name: 'another', type: target.type, scope: () => db };
        const others = createRepository<User>(place, USERS);
        for (const foreign of [tx, undefined as unknown as typeof tx]) {
          expect(() => others.in(foreign)).toThrow(
            expect.objectContaining({ code: 'DBM_INVALID_OPTION', option: 'tx' }),
          );
        }
      });
    });

    it('sends nothing for a name, an operator or a value that cannot be meant', async () => {
      await users.create(user('ada'));
      const { acquired } = connection.lanes.stats();
      const hostile = `id" = 1; drop table users; --`;
      const calls: readonly (() => Promise<unknown>)[] = [
        () => users.list({ [hostile]: 1 } as object),
        () => users.list({}, { order: { [hostile]: 'asc' } as object }),
        () => users.list({}, { order: { id: `asc; drop table users` as 'asc' } }),
        () => users.list({ email: { $gt: '' } as object }),
        () => users.create({ [hostile]: 1 } as object),
        () => users.update(1, { [hostile]: 1 } as object),
        () => users.upsert(user('ada'), { on: [hostile as 'id'] }),
        () => users.updateWhere({}, { age: 1 }),
        () => users.deleteWhere({}),
      ];
      for (const call of calls) {
        await expect(rejection(call())).resolves.toMatchObject({ code: 'DBM_INVALID_INPUT' });
      }
      expect(connection.lanes.stats().acquired).toBe(acquired);
      expect(await users.count()).toBe(1);
    });

    it('gives up when its signal aborts', async () => {
      await connection.close();
      await open({ maxOpenConns: 1 });
      const blocker = await target.acquire();
      const controller = new AbortController();
      const waiting = ['create', 'upsert'].map((method) =>
        rejection(users[method as 'create'](user(method, { id: 1 }), { signal: controller.signal })),
      );
      await until(() => target.counts.pending === 2);
      controller.abort();
      for (const error of await Promise.all(waiting)) expect(error).toMatchObject({ code: 'DBM_ABORTED' });
      blocker.release();
      expect(await users.count()).toBe(0);
    });
  });
}

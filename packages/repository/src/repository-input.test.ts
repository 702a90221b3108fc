import type { BridgeTarget } from '@dbmanager/core';
import { createDatabase, type Database } from '@dbmanager/database';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { bridgeTarget, rejection, SQLITE, type SqlDatabase } from '../../../test/support/sql-engines.js';
import { USERS, type User, usersTable } from '../test/user.js';
import { createRepository, type Repository, type RepositoryOptions, type RepositoryTarget } from './index.js';

let files: SqlDatabase;
let connection: TestConnection<unknown>;
let place: RepositoryTarget;
let db: Database;
let users: Repository<User>;

beforeAll(async () => {
  files = await SQLITE.create();
  connection = await files.open({});
  const target: BridgeTarget = bridgeTarget(connection);
  db = createDatabase(target);
  await db.execute(usersTable(SQLITE));
  place = { name: target.name, type: target.type, scope: () => db };
  users = createRepository<User>(place, USERS);
});

afterAll(async () => {
  await connection?.close();
  await files?.drop();
});

/** What somebody may have put into the body of a request. */
const FILTERS: readonly (readonly [what: string, filter: unknown, path: string])[] = [
  ['an operator of another database', { email: { $gt: '' } }, 'filter.email.$gt'],
  ['an operator that every object has', { email: { constructor: 'x' } }, 'filter.email.constructor'],
  ['a column that every object has', { toString: 'x' }, 'filter.toString'],
  ['a prototype', JSON.parse('{"__proto__": {"id": 1}}'), 'filter.__proto__'],
  ['a column that is there but was not declared', { rowid: 1 }, 'filter.rowid'],
  ['a column with its table', { 'users.id': 1 }, 'filter.users.id'],
  ['an alias', { 'id as email': 1 }, 'filter.id as email'],
  ['an object where a value is meant', { email: { eq: { a: 1 } } }, 'filter.email.eq'],
  ['a list where a value is meant', { email: ['a', 'b'] }, 'filter.email'],
  ['a list of lists', { email: { in: [['a']] } }, 'filter.email.in.0'],
  ['null in a list', { age: { in: [1, null] } }, 'filter.age.in.1'],
  ['a hole in a list', { age: { in: new Array(1) } }, 'filter.age.in.0'],
  ['a text in place of a list', { age: { in: '1' } }, 'filter.age.in'],
  ['undefined', { email: undefined }, 'filter.email'],
  ['undefined for an operator', { age: { gt: undefined } }, 'filter.age.gt'],
  ['NaN', { score: Number.NaN }, 'filter.score'],
  ['infinity', { score: { lt: Number.POSITIVE_INFINITY } }, 'filter.score.lt'],
  ['half an integer', { age: 0.5 }, 'filter.age'],
  ['an integer that is not exact', { age: 2 ** 53 }, 'filter.age'],
  ['an integer that no engine has', { age: 2n ** 64n }, 'filter.age'],
  ['one below all', { age: { gt: -(2n ** 63n) - 1n } }, 'filter.age.gt'],
  ['a text for a number', { age: '1' }, 'filter.age'],
  ['a number for a text', { email: 1 }, 'filter.email'],
  ['a number for a boolean', { active: 1 }, 'filter.active'],
  ['a text for a date', { created_at: '2026-01-01' }, 'filter.created_at'],
  ['an invalid date', { created_at: new Date('never') }, 'filter.created_at'],
  ['a decimal number that is none', { balance: '1; drop table users' }, 'filter.balance'],
  ['null where it is compared', { age: { gt: null } }, 'filter.age.gt'],
  ['a comparison of JSON', { settings: { eq: {} } }, 'filter.settings.eq'],
  ['a value for JSON', { settings: 'x' }, 'filter.settings'],
  ['a number for isNull', { age: { isNull: 1 } }, 'filter.age.isNull'],
  ['a pattern for a number', { age: { like: '1%' } }, 'filter.age.like'],
  ['a pattern that is not closed', { email: { like: 'a\\' } }, 'filter.email.like'],
  ['no operator', { email: {} }, 'filter.email'],
  ['no alternative', { or: [] }, 'filter.or'],
  ['an empty alternative', { or: [{ id: 1 }, {}] }, 'filter.or.1'],
  ['an object of alternatives', { and: { id: 1 } }, 'filter.and'],
  ['a negation of nothing', { not: {} }, 'filter.not'],
  ['a text', 'id = 1', 'filter'],
  ['a list', [{ id: 1 }], 'filter'],
  ['null', null, 'filter'],
  ['a function', { email: () => 'x' }, 'filter.email'],
  ['an object of a class', { email: new Map() }, 'filter.email'],
];

describe('seeds 1: Repository: a filter', () => {
  it.each(FILTERS)('that holds %s is refused, by its path', async (_, filter, path) => {
    const refused = expect.objectContaining({ code: 'DBM_INVALID_INPUT', option: path, connectionName: 'test' });
    await expect(rejection(users.list(filter as object))).resolves.toEqual(refused);
    await expect(rejection(users.deleteWhere(filter as object))).resolves.toEqual(refused);
  });

  it('that nests deeper than any is written by hand is refused', async () => {
    let deep: object = { id: 1 };
    for (let depth = 0; depth < 10_000; depth++) deep = { not: deep };
    await expect(rejection(users.list(deep))).resolves.toMatchObject({ code: 'DBM_INVALID_INPUT' });
  });

  it('is shown in errors by the beginning of its names, and never by its values', async () => {
    const error = await rejection(users.list({ ['x'.repeat(10_000)]: 'secret' } as object));
    expect(error.message.length).toBeLessThan(500);
    expect(error.message).not.toContain('secret');
  });

  it.each([
    {},
    undefined,
    { id: { notIn: [] } },
    { id: { notIn: [] }, and: [{ age: { notIn: [] } }] },
    { not: { id: { in: [] } } },
    { not: { id: 1, age: { in: [] } } },
    { or: [{ id: 1 }, { not: { not: { id: { notIn: [] } } } }] },
  ])('that says nothing or leaves nothing out (%j) changes and deletes nothing', async (filter) => {
    const nothing = expect.objectContaining({ code: 'DBM_INVALID_INPUT', option: 'filter' });
    await expect(rejection(users.updateWhere(filter as object, { age: 1 }))).resolves.toEqual(nothing);
    await expect(rejection(users.deleteWhere(filter as object))).resolves.toEqual(nothing);
  });
});

describe('seeds 1: Repository: an empty list', () => {
  it('holds no row, and its opposite every row, whatever stands beside it', async () => {
    const kept = await users.createMany([
      { email: 'x', age: 1, created_at: new Date(0) },
      { email: 'y', created_at: new Date(0) },
    ]);
    expect(await users.count({ age: { in: [], gt: 0 } })).toBe(0);
    expect(await users.count({ or: [{ age: { in: [] } }, { age: 1 }] })).toBe(1);
    expect(await users.count({ age: { notIn: [], gt: 0 } })).toBe(1);
    expect(await users.count({ not: { age: { in: [] } } })).toBe(kept);
    expect(await users.count({ or: [{ age: 1 }, { age: { notIn: [] } }] })).toBe(kept);
    expect(await users.updateWhere({ age: { in: [] } }, { age: 2 })).toBe(0);
    expect(await users.deleteWhere({ id: { isNull: false } }, { hard: true })).toBe(kept);
  });
});

describe('seeds 1: Repository: a call', () => {
  const CALLS: Readonly<Record<string, readonly [call: () => Promise<unknown>, option: string]>> = {
    'a key that is an object': [() => users.findById({ $ne: null } as unknown as number), 'id'],
    'a key that is null': [() => users.delete(null as unknown as number), 'id'],
    'a direction that is none': [() => users.list({}, { order: { id: 'up' as 'asc' } }), 'order.id'],
    'an order by JSON': [() => users.list({}, { order: { settings: 'asc' } }), 'order.settings'],
    'an order that is a text': [() => users.list({}, { order: 'id' as unknown as object }), 'order'],
    'a limit that is a text': [() => users.list({}, { limit: '1' as unknown as number }), 'limit'],
    'a negative offset': [() => users.list({}, { offset: -1 }), 'offset'],
    'a page of no rows': [() => users.page({}, { limit: 0 }), 'limit'],
    'two cursors': [() => users.page({}, { after: 'x', before: 'y' }), 'before'],
    'a cursor that is none': [() => users.page({}, { after: 'x' }), 'after'],
    'a cursor that is an object': [() => users.page({}, { before: {} as string }), 'before'],
    'a value of another kind': [() => users.create({ age: '1' as unknown as number }), 'values.age'],
    'null where there cannot be': [() => users.create({ email: null as unknown as string }), 'values.email'],
    'JSON that is a circle': [() => users.create({ settings: circle() }), 'values.settings'],
    'values that are a list': [() => users.create([] as object), 'values'],
    'rows that are no list': [() => users.createMany({} as []), 'rows'],
    'a row of many that is wrong': [() => users.createMany([{ email: 'a' }, { nobody: 1 } as object]), 'rows.1.nobody'],
    'changes that change nothing': [() => users.update(1, { id: 1, version: 1 }), 'changes'],
    'another key': [() => users.update(1, { id: 2, age: 1 }), 'changes.id'],
    'a key for many rows': [() => users.updateWhere({ id: 1 }, { id: 2 }), 'changes.id'],
    'a version that is a text': [() => users.delete(1, { version: '1' as unknown as number }), 'version'],
    'an upsert by a column without a value': [() => users.upsert({ email: 'a' }), 'values.id'],
    'a text for hard': [() => users.delete(1, { hard: 'false' as unknown as boolean }), 'hard'],
    'an upsert by nothing': [() => users.upsert({ email: 'a' }, { on: [] }), 'on'],
    'a wish for deleted rows that there is not': [() => users.list({}, { deleted: 'yes' as 'only' }), 'deleted'],
  };

  it.each(Object.entries(CALLS))('with %s is refused', async (_, [call, option]) => {
    await expect(rejection(call())).resolves.toMatchObject({ code: 'DBM_INVALID_INPUT', option });
  });

  it.each<[call: string, make: (wrong: object) => Promise<unknown>]>([
    ['findById', (wrong) => users.findById(1, wrong)],
    ['findOne', (wrong) => users.findOne({}, wrong)],
    ['list', (wrong) => users.list({}, wrong)],
    ['page', (wrong) => users.page({}, wrong)],
    ['count', (wrong) => users.count({}, wrong)],
    ['exists', (wrong) => users.exists({}, wrong)],
    ['create', (wrong) => users.create({ email: 'a', created_at: new Date(0) }, wrong)],
    ['createMany', (wrong) => users.createMany([{ email: 'a', created_at: new Date(0) }], wrong)],
    ['update', (wrong) => users.update(1, { age: 1 }, wrong)],
    ['updateWhere', (wrong) => users.updateWhere({ id: 1 }, { age: 1 }, wrong)],
    ['upsert', (wrong) => users.upsert({ id: 1, email: 'a', created_at: new Date(0) }, wrong)],
    ['delete', (wrong) => users.delete(1, wrong)],
    ['deleteWhere', (wrong) => users.deleteWhere({ id: 1 }, wrong)],
    ['restore', (wrong) => users.restore(1, wrong)],
  ])('of %s does nothing for an option that there is not', async (_, make) => {
    const { acquired } = connection.lanes.stats();
    for (const [wrong, option] of [
      [{ versoin: 1 }, 'versoin'],
      [{ signal: {} }, 'signal'],
      [null as unknown as object, 'options'],
    ] as const) {
      await expect(rejection(make(wrong))).resolves.toMatchObject({
        code: 'DBM_INVALID_OPTION',
        option,
        connectionName: 'test',
      });
    }
    expect(connection.lanes.stats().acquired).toBe(acquired);
  });

  it('takes no cursor of another order, and none with other values in it', async () => {
    await users.createMany(['a', 'b'].map((email) => ({ email, created_at: new Date(0) })));
    const { next } = await users.page({}, { order: { email: 'asc' }, limit: 1 });
    const wrong = expect.objectContaining({ code: 'DBM_INVALID_INPUT', option: 'after' });
    const page = (after: string | undefined, order: object) => rejection(users.page({}, { order, after }));
    await expect(page(next, { email: 'desc' })).resolves.toEqual(wrong);
    for (const values of [
      ['a', '1; drop'],
      [1, 1],
      [null, 1],
      ['a'],
      ['a', 1, 2],
      ['a', { bigint: 'x' }],
      ['a', { bigint: '9'.repeat(20) }],
      ['a', '9'.repeat(400)],
    ]) {
      const forged = Buffer.from(JSON.stringify(['email,id', ...values])).toString('base64url');
      await expect(page(forged, { email: 'asc' })).resolves.toEqual(wrong);
    }
    await users.deleteWhere({ id: { gt: 0 } }, { hard: true });
  });
});

describe('seeds 1: Repository: a declaration', () => {
  const declared = (changes: object) => () =>
    createRepository<User>(place, { ...USERS, ...changes } as RepositoryOptions<User>);

  it.each([
    ['no columns', { columns: undefined }, 'columns'],
    ['columns that are none', { columns: null }, 'columns'],
    ['a hostile column name', { columns: { ...USERS.columns, 'id"; drop table users; --': 'integer' } }, 'columns'],
    ['a column name with a dot', { columns: { ...USERS.columns, 'users.id': 'integer' } }, 'columns'],
    ['an alias', { columns: { ...USERS.columns, 'id as key': 'integer' } }, 'columns'],
    ['a word of filters for a column', { columns: { ...USERS.columns, or: 'integer' } }, 'columns'],
    ['a kind that there is not', { columns: { ...USERS.columns, id: 'int' } }, 'columns'],
    ['a hostile table name', { table: 'users; drop table users' }, 'table'],
    ['a table of three names', { table: 'a.b.c' }, 'table'],
    ['no table', { table: undefined }, 'table'],
    ['a list of tables', { table: ['users'] }, 'table'],
    ['a key that is no column', { id: 'key' }, 'id'],
    ['a key that may be NULL', { id: 'name' }, 'id'],
    ['a version that is no whole number', { version: 'score' }, 'version'],
    ['a deletedAt that cannot be NULL', { deletedAt: 'created_at' }, 'deletedAt'],
    ['an option that there is not', { deletedat: 'deleted_at' }, 'deletedat'],
    ['a time in place of a clock', { now: new Date(0) }, 'now'],
  ])('with %s is refused', (_, changes, option) => {
    expect(declared(changes)).toThrow(expect.objectContaining({ code: 'DBM_INVALID_OPTION', option }));
  });

  it('of a connection that has no SQL is refused', () => {
    const unsupported = expect.objectContaining({ code: 'DBM_UNSUPPORTED' });
    expect(() => createRepository<User>({ ...place, type: 'mongodb' }, USERS)).toThrow(unsupported);
  });

  it('without deletedAt deletes really, and restores nothing', async () => {
    const plain = createRepository<User>(place, { ...USERS, deletedAt: undefined });
    const { id } = await plain.create({ email: 'plain', created_at: new Date(0) });
    expect(await plain.delete(id)).toBe(true);
    expect(await db.query('select id from users where id = ?', [id])).toEqual([]);
    await expect(rejection(plain.restore(id))).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED', option: 'deletedAt' });
  });

  it('without version changes rows whatever has become of them', async () => {
    await db.execute('create table notes (id integer primary key, body text)');
    const notes = createRepository<{ id: number; body: string | null }>(place, {
      table: 'main.notes',
      columns: { id: 'integer', body: 'text?' },
    });
    const note = await notes.create({ body: 'one' });
    await notes.update(note.id, { body: 'two' });
    expect(await notes.update(note.id, { ...note, body: 'three' })).toEqual({ id: note.id, body: 'three' });
    expect(await notes.create({})).toEqual({ id: note.id + 1, body: null });
    expect(await notes.createMany([{}, {}])).toBe(2);
    expect(await notes.upsert({ id: note.id })).toEqual({ id: note.id, body: 'three' });
    const given = rejection(notes.delete(note.id, { version: 1 }));
    await expect(given).resolves.toMatchObject({ code: 'DBM_INVALID_INPUT', option: 'version' });
  });
});

describe('seeds 1: Repository: what SQLite holds', () => {
  it('is read as it is meant, however it was written', async () => {
    await db.execute(`create table raw (id integer primary key, at text, big integer)`);
    await db.execute(`insert into raw (id, at, big) values (1, current_timestamp, 9007199254740993), (2, 0, 5)`);
    const raw = createRepository<{ id: number; at: Date; big: number | bigint }>(place, {
      table: 'raw',
      columns: { id: 'integer', at: 'date', big: 'integer' },
    });
    const [first, second] = await raw.list();
    expect(Math.abs((first?.at.getTime() ?? 0) - Date.now())).toBeLessThan(3_600_000);
    expect(first?.big).toBe(9007199254740993n);
    expect(second?.big).toBe(5);
    const { next } = await raw.page({}, { order: { big: 'desc' }, limit: 1 });
    expect((await raw.page({}, { order: { big: 'desc' }, after: next })).rows).toEqual([second]);
  });

  it.each([
    ['a date', 'at', 'never'],
    ['a whole number', 'big', '1.5'],
    ['JSON', 'list', '[1'],
  ])('and is not %s is an error that names the column and not the value', async (_, column, value) => {
    const columns = { id: 'integer', at: 'date?', big: 'integer?', list: 'json?' } as const;
    const odd = createRepository<{ id: number; at: Date | null; big: number | null; list: number[] | null }>(place, {
      table: 'odd',
      columns,
    });
    await db.execute('create table odd (id integer primary key, at text, big text, list text)');
    try {
      await db.execute(`insert into odd (${column}) values (?)`, [value]);
      const error = await rejection(odd.list());
      expect(error).toMatchObject({ code: 'DBM_QUERY_FAILED', table: 'odd', column });
      expect(String(error)).not.toContain(value);
    } finally {
      await db.execute('drop table odd');
    }
  });

  it('is not passed over in pages where NULL was not declared', async () => {
    await db.execute('create table gaps (id integer primary key, word text)');
    await db.execute(`insert into gaps (id, word) values (1, null), (2, 'a')`);
    const gaps = createRepository<{ id: number; word: string }>(place, {
      table: 'gaps',
      columns: { id: 'integer', word: 'text' },
    });
    await expect(rejection(gaps.page({}, { order: { word: 'asc' }, limit: 1 }))).resolves.toMatchObject({
      code: 'DBM_INVALID_OPTION',
      column: 'word',
    });
  });
});

function circle(): Record<string, unknown> {
  const made: Record<string, unknown> = {};
  made.self = made;
  return made;
}

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { defineEntity, p } from '@mikro-orm/core';
import { type Connection, ConnectionManager, type ConnectionTransaction } from 'dbmanager';
import { EntitySchema } from 'typeorm';
import { rejection } from '../support/sql-engines.js';

const columns = { id: { type: 'integer', primary: true } } as const;
const User = new EntitySchema<{ id: number }>({ name: 'users', columns });
const Invoice = new EntitySchema<{ id: number }>({ name: 'invoices', columns });
const Account = defineEntity({ name: 'Account', properties: { id: p.integer().primary() } });
const Bill = defineEntity({ name: 'Bill', properties: { id: p.integer().primary() } });

/** A row of the table: how an ORM is asked for, and two sets of options that it can tell apart. */
interface Asked {
  readonly orm: string;
  /** What has to do with a name besides; undefined asks for what is there. */
  readonly first: object;
  readonly second: object;
  ask(from: Connection, options?: object): unknown;
  bind(tx: ConnectionTransaction, options?: { readonly name?: string }): unknown;
}

const ORMS: readonly Asked[] = [
  {
    orm: 'knex',
    first: { asyncStackTraces: false },
    second: { asyncStackTraces: true },
    ask: (from, options) => from.knex(options),
    bind: (tx, options) => tx.knex(options),
  },
  {
    orm: 'kysely',
    first: { log: ['error'] },
    second: { log: ['query'] },
    ask: (from, options) => from.kysely(options),
    bind: (tx, options) => tx.kysely(options),
  },
  {
    orm: 'drizzle',
    first: { casing: 'snake_case' },
    second: { casing: 'camelCase' },
    ask: (from, options) => from.drizzle('sqlite', options),
    bind: (tx, options) => tx.drizzle('sqlite', options),
  },
  {
    orm: 'typeorm',
    first: { entities: [User] },
    second: { entities: [Invoice] },
    ask: (from, options) => from.typeorm(options),
    bind: (tx, options) => tx.typeorm(options),
  },
  {
    orm: 'mikroorm',
    first: { entities: [Account] },
    second: { entities: [Bill] },
    ask: (from, options) => from.mikroorm(options),
    bind: (tx, options) => tx.mikroorm(options),
  },
];

describe.each(ORMS)('Handles of $orm', ({ ask, bind, first, second }) => {
  let manager: ConnectionManager;
  let primary: Connection;

  beforeEach(async () => {
    manager = await ConnectionManager.open({ name: 'primary', filepath: ':memory:' });
    primary = manager.get('primary');
  });

  afterEach(async () => {
    await manager.close();
    const { created, destroyed } = primary.stats().pool;
    expect(destroyed).toBe(created);
  });

  it('are the same each time, and another for each name', async () => {
    const plain = await ask(primary, first);
    const billing = await ask(primary, { ...second, name: 'billing' });
    expect(billing).not.toBe(plain);
    expect(await ask(primary)).toBe(plain);
    expect(await ask(primary, { ...first })).toBe(plain);
    expect(await ask(primary, { name: 'billing' })).toBe(billing);
  });

  it('are refused with other options under the same name, which stays what it is', async () => {
    const plain = await ask(primary, first);
    const asking = (async () => ask(primary, second))();
    await expect(rejection(asking)).resolves.toMatchObject({
      code: 'DBM_INVALID_OPTION',
      connectionName: 'primary',
      message: expect.stringContaining('under another name'),
    });
    expect(await ask(primary)).toBe(plain);
  });

  it.each([null, 5, 'sqlite::memory:', [] as unknown])('are refused with %j for options', async (options) => {
    const asking = (async () => ask(primary, options as object))();
    // A text may also name a type that the connection has not.
    const code = expect.stringMatching(/^DBM_(INVALID_OPTION|UNSUPPORTED)$/);
    await expect(rejection(asking)).resolves.toMatchObject({ code, connectionName: 'primary' });
  });

  it('are one for each name in a transaction, too', async () => {
    await ask(primary, first);
    await ask(primary, { ...second, name: 'billing' });
    await primary.transaction(async (tx) => {
      const plain = bind(tx);
      const billing = bind(tx, { name: 'billing' });
      expect(billing).not.toBe(plain);
      expect(bind(tx)).toBe(plain);
      expect(bind(tx, { name: 'billing' })).toBe(billing);
    });
  });
});

// Those of TypeORM and MikroORM are always of what the connection has opened.
const WITH_OPTIONS = ORMS.filter(({ orm }) => ['knex', 'kysely', 'drizzle'].includes(orm));

describe.each(WITH_OPTIONS)('Handles of $orm in a transaction', ({ ask, bind, first, second }) => {
  it('have the options of the connection’s own unless others are given, and are refused with others after that', async () => {
    const manager = await ConnectionManager.open({ name: 'primary', filepath: ':memory:' });
    const primary = manager.get('primary');
    await ask(primary, first);
    const used = primary.transaction(async (tx) => {
      const inherited = bind(tx);
      expect(bind(tx, first)).toBe(inherited);
      await tx.transaction(async (inner) => {
        const given = bind(inner, second);
        expect(bind(inner)).toBe(given);
      });
      bind(tx, second);
    });
    await expect(rejection(used)).resolves.toMatchObject({ code: 'DBM_INVALID_OPTION', connectionName: 'primary' });
    await manager.close();
  });
});

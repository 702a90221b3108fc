import { type BridgeTarget, CommitUnknownError, type Engine, type SqlEngine } from '@dbmanager/core';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { Knex } from 'knex';
import { bridgeTarget, rejection, SQLITE, type SqlDatabase, until } from '../../../test/support/sql-engines.js';
import { knexBridge } from './knex-bridge.js';

SQLITE.describe('Knex, for what only SQLite has,', () => {
  let database: SqlDatabase;
  let connection: TestConnection<unknown>;
  let target: BridgeTarget;
  let knex: Knex;

  async function open(options: object = {}): Promise<void> {
    connection = await database.open({ maxOpenConns: 4, acquireTimeoutMs: 60_000, ...options });
    target = bridgeTarget(connection);
    knex = knexBridge.open(target);
  }

  async function foreignKeys(): Promise<number> {
    const [row] = await knex.raw('pragma foreign_keys');
    return row.foreign_keys;
  }

  const insert = (id: number) => knex('numbers').insert({ id });

  beforeAll(async () => {
    database = await SQLITE.create();
    await open();
    await knex.schema.createTable('numbers', (table) => table.integer('id').primary());
    await connection.close();
  });

  afterAll(async () => {
    await database?.drop();
  });

  beforeEach(async () => {
    await open();
    await knex('numbers').del();
  });

  afterEach(async () => {
    await until(() => target.counts.inUse === 0 && target.counts.pending === 0);
    await connection.close();
  });

  it('reads beside a write that is under way', async () => {
    const trx = await knex.transaction();
    await trx('numbers').insert({ id: 1 });
    await expect(knex('numbers').pluck('id')).resolves.toEqual([]);
    await trx.commit();
    await expect(knex('numbers').pluck('id')).resolves.toEqual([1]);
  });

  it('tells why a statement with a bigint has failed', async () => {
    const big = 9_007_199_254_740_993n;
    await knex('numbers').insert({ id: big });
    await expect(knex('numbers').insert({ id: big })).rejects.toMatchObject({ code: 'SQLITE_CONSTRAINT_PRIMARYKEY' });
    expect(knex('numbers').where({ id: big }).toString()).toContain(String(big));
  });

  it('takes the write lock when a transaction begins, not at its first write', async () => {
    const order: string[] = [];
    const first = await knex.transaction();
    const second = knex.transaction(async (trx) => {
      order.push('second begun');
      await trx('numbers').insert({ id: 2 });
    });
    await first('numbers');
    order.push('first read');
    await first('numbers').insert({ id: 1 });
    await first.commit();
    await second;
    expect(order).toEqual(['first read', 'second begun']);
  });

  it('keeps what it does on its connection on one connection', async () => {
    const own = await knex.client.acquireConnection();
    await knex.raw('create temporary table mine (n integer)').connection(own);
    await knex('mine').insert({ n: 1 }).connection(own);
    await expect(knex('mine').connection(own)).resolves.toEqual([{ n: 1 }]);
    await knex.raw('drop table temp.mine').connection(own);
    expect(target.counts.inUse).toBe(1);
    await knex.client.releaseConnection(own);
  });

  it('tells what a raw statement did, as the dialect does', async () => {
    await expect(knex.raw('insert into numbers values (?)', [7])).resolves.toEqual({ changes: 1, lastInsertRowid: 7 });
    await expect(knex.raw('select * from numbers where id = 0')).resolves.toEqual([]);
    await expect(knex('numbers').insert({ id: 8 })).resolves.toEqual([8]);
  });

  it('gives integers that a number cannot hold as bigints', async () => {
    await insert(1);
    const row = await knex.select(knex.raw('9007199254740993 as big, 1 as small')).first();
    expect(row).toEqual({ big: 9007199254740993n, small: 1 });
    const error = await rejection(knex.raw('select 1').options({ safeIntegers: true }));
    expect(error).toMatchObject({ code: 'DBM_UNSUPPORTED' });
  });

  it('gives a statement up that waits for the writer', async () => {
    const blocker = await target.acquire({ lane: 'write' });
    const error = await rejection(insert(1).timeout(10));
    expect(error.message).toMatch(/query timeout of 10ms exceeded/);
    await until(() => target.counts.pending === 0);
    blocker.release();
    await insert(2);
    await expect(knex('numbers').pluck('id')).resolves.toEqual([2]);
    expect(connection.lanes.stats().destroyed).toBe(0);
  });

  it('puts foreign keys back that a transaction switched off', async () => {
    const warnings: string[] = [];
    knex = knexBridge.open(target, { log: { warn: (message: string) => warnings.push(message) } });
    expect(await foreignKeys()).toBe(1);
    const off = knex.transaction(
      async (trx) => {
        expect((await trx.raw('pragma foreign_keys'))[0].foreign_keys).toBe(0);
      },
      { enforceForeignCheck: false } as Knex.TransactionConfig,
    );
    const next = knex.transaction(async (trx) => (await trx.raw('pragma foreign_keys'))[0].foreign_keys);
    await off;
    await expect(next).resolves.toBe(1);
    expect(warnings).toEqual([]);
  });

  it('puts foreign keys back that a statement switched off', async () => {
    await knex.raw('pragma foreign_keys = off');
    expect(await foreignKeys()).toBe(1);
  });

  it('says when the outcome of a COMMIT is not known', async () => {
    const unknown = new CommitUnknownError('test', new Error('disk I/O error'));
    const { sql } = target.engine as Engine & { sql: SqlEngine<unknown> };
    const session: SqlEngine<unknown>['session'] = (source) =>
      Object.assign(sql.session(source), { commit: () => Promise.reject(unknown) });
    const handle = knexBridge.open({ ...target, engine: { ...target.engine, sql: { ...sql, session } } });
    await expect(rejection(handle.transaction((trx) => trx('numbers').insert({ id: 1 })))).resolves.toBe(unknown);
  });

  it('never goes on outside a transaction that SQLite has rolled back', async () => {
    await insert(1);
    const error = await rejection(
      knex.transaction(async (trx) => {
        await rejection(trx.raw('insert or rollback into numbers values (1)'));
        await trx('numbers').insert({ id: 2 });
      }),
    );
    expect(error).toMatchObject({ code: 'DBM_TRANSACTION_ABORTED' });
    await expect(knex('numbers').pluck('id')).resolves.toEqual([1]);
  });

  it('streams row by row', async () => {
    let seen = 0;
    for await (const _ of knex.raw(SQLITE.series(1e12)).stream()) if (++seen === 100) break;
    expect(seen).toBe(100);
  });

  it('does not repeat the warning about default values', async () => {
    const warnings: string[] = [];
    knexBridge.open(target, { log: { warn: (message: string) => warnings.push(message) } });
    expect(warnings).toEqual([]);
  });

  it('runs on a database in memory', async () => {
    await connection.close();
    await open({ filepath: ':memory:' });
    await knex.schema.createTable('numbers', (table) => table.integer('id').primary());
    await Promise.all([1, 2, 3].map(insert));
    await expect(knex('numbers').count({ n: '*' }).first()).resolves.toEqual({ n: 3 });
  });
});

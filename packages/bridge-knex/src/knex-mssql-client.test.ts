import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { BridgeTarget } from '@dbmanager/core';
import { createDatabase } from '@dbmanager/database';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import type { Knex } from 'knex';
import { bridgeTarget, MSSQL, rejection, type SqlDatabase, until } from '../../../test/support/sql-engines.js';
import { knexBridge } from './knex-bridge.js';

MSSQL.describe('Knex, for what only SQL Server has,', () => {
  let database: SqlDatabase;
  let connection: TestConnection<unknown>;
  let target: BridgeTarget;
  let knex: Knex;

  /** Of every connection that was borrowed, the last one last. */
  let sockets: Socket[];

  async function openConnection(): Promise<void> {
    connection = await database.open({ maxOpenConns: 4, acquireTimeoutMs: 5_000 });
    target = bridgeTarget(connection);
    const { acquire } = target;
    sockets = [];
    jest.spyOn(target, 'acquire').mockImplementation(async (options) => {
      const lease = await acquire(options);
      sockets.push((lease.connection as { readonly tedious: { readonly socket: Socket } }).tedious.socket);
      return lease;
    });
    knex = knexBridge.open(target);
  }

  beforeAll(async () => {
    database = await MSSQL.create();
    await openConnection();
    await knex.schema.createTable('accounts', (table) => {
      table.integer('id').primary();
      table.integer('n').notNullable();
    });
    await connection.close();
  }, 60_000);
  afterAll(() => database?.drop());

  beforeEach(async () => {
    await openConnection();
    await knex('accounts').del();
    await knex('accounts').insert({ id: 1, n: 0 });
  });

  afterEach(async () => {
    await until(() => target.counts.inUse === 0 && target.counts.pending === 0);
    await connection.close();
    const { created, destroyed } = connection.lanes.stats();
    expect(destroyed).toBe(created);
  });

  it('stops a statement on the server at its timeout, and goes on with the connection', async () => {
    const error = await rejection(knex.raw("waitfor delay '00:01:00'").timeout(50, { cancel: true }));
    expect(error.message).toMatch(/timeout of 50ms/i);
    await expect(knex('accounts').pluck('id')).resolves.toEqual([1]);
    expect(connection.lanes.stats()).toMatchObject({ destroyed: 0 });
  });

  it('sends nothing for a connection that is gone on that of somebody else', async () => {
    const trx = await knex.transaction();
    await trx('accounts').where({ id: 1 }).update({ n: 1 });
    await die(trx.client);
    await expect(rejection(trx('accounts').insert({ id: 2, n: 0 }))).resolves.toBeInstanceOf(Error);
    await Promise.allSettled([trx.rollback()]); // whether it objects is up to Knex
    await knex('accounts').insert({ id: 3, n: 0 });
    await knex('accounts').where({ id: 3 }).update({ n: 1 });
    await expect(knex('accounts').orderBy('id')).resolves.toEqual([
      { id: 1, n: 0 },
      { id: 3, n: 1 },
    ]);
  });

  it('reads no faster than its reader, and stops on the server when that leaves', async () => {
    const stream = knex.raw(MSSQL.series(1_000_000)).stream({ highWaterMark: 1 });
    for await (const _ of stream) {
      expect(stream.readableLength).toBeLessThan(100);
      break;
    }
    await until(() => target.counts.inUse === 0);
    expect(connection.lanes.stats()).toMatchObject({ destroyed: 0 });
  });

  it('tells the reader of a stream when its connection dies, and frees the pool', async () => {
    const reading = async () => {
      for await (const _ of knex.raw(MSSQL.series(1_000_000)).stream()) sockets.at(-1)?.destroy();
    };
    await expect(rejection(reading())).resolves.toBeInstanceOf(Error);
    await until(() => target.counts.inUse === 0);
    await expect(knex('accounts').pluck('id')).resolves.toEqual([1]);
  });

  it('streams in a transaction across ORMs, and goes on there when the reader leaves', async () => {
    await createDatabase(target).transaction(async (tx) => {
      const bound = tx.use(knexBridge);
      for await (const _ of bound.raw(MSSQL.series(1_000_000)).stream()) break;
      await bound('accounts').insert({ id: 2, n: 0 });
    });
    await expect(knex('accounts').orderBy('id').pluck('id')).resolves.toEqual([1, 2]);
  });

  /** Ends the connection of a transaction; resolves when it is known to be gone. */
  async function die(client: Knex.Client): Promise<void> {
    const lent = await client.acquireConnection();
    const ended = once(lent, 'end');
    sockets.at(-1)?.destroy();
    await ended;
  }
});

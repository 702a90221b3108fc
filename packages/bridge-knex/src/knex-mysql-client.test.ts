import type { Socket } from 'node:net';
import type { BridgeTarget } from '@dbmanager/core';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { Knex } from 'knex';
import { bridgeTarget, MARIADB, rejection, type SqlDatabase, until } from '../../../test/support/sql-engines.js';
import { knexBridge } from './knex-bridge.js';

MARIADB.describe('Knex, for what only MySQL has,', () => {
  let database: SqlDatabase;
  let connection: TestConnection<unknown>;
  let target: BridgeTarget;
  let knex: Knex;

  beforeAll(async () => {
    database = await MARIADB.create();
  });
  afterAll(() => database.drop());

  beforeEach(async () => {
    connection = await database.open({ maxOpenConns: 4, acquireTimeoutMs: 5_000 });
    target = bridgeTarget(connection);
    knex = knexBridge.open(target);
    await knex.schema.createTable('accounts', (table) => {
      table.integer('id').primary();
      table.integer('n').notNullable();
    });
    await knex('accounts').insert([
      { id: 1, n: 0 },
      { id: 2, n: 0 },
    ]);
  });

  afterEach(async () => {
    await knex.schema.dropTable('accounts');
    await until(() => target.counts.inUse === 0);
    await connection.close();
  });

  it('runs nothing outside a transaction that a deadlock has ended, and does not report it as committed', async () => {
    const touched = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
    const work = (own: 0 | 1, first: number, second: number) =>
      knex.transaction(async (trx) => {
        await trx('accounts').where({ id: first }).increment('n');
        touched[own].resolve();
        await touched[1 - own]?.promise;
        // Its caller takes no notice.
        await trx('accounts')
          .where({ id: second })
          .increment('n')
          .catch((error) => expect(error).toMatchObject({ errno: 1213 }));
        await trx('accounts')
          .insert({ id: 10 + own, n: 0 })
          .catch((error) => expect(error).toMatchObject({ code: 'DBM_TRANSACTION_ABORTED' }));
      });
    const results = await Promise.allSettled([work(0, 1, 2), work(1, 2, 1)]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const winner = results[0]?.status === 'fulfilled' ? 0 : 1;
    expect(results[1 - winner]).toMatchObject({ reason: { code: 'DBM_TRANSACTION_ABORTED' } });
    await expect(knex('accounts').orderBy('id')).resolves.toEqual([
      { id: 1, n: 1 },
      { id: 2, n: 1 },
      { id: 10 + winner, n: 0 },
    ]);
  });

  it('lends the connection of a deadlock to the next as if nothing had been', async () => {
    const lent = await knex.client.acquireConnection();
    const run = (sql: string) => new Promise((resolve) => lent.query(sql, resolve));
    await run('BEGIN');
    const deadlock = `BEGIN NOT ATOMIC SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213; END`;
    expect(await run(deadlock)).toMatchObject({ errno: 1213 });
    expect(await run('SELECT 1')).toMatchObject({ code: 'DBM_TRANSACTION_ABORTED' });
    await run('ROLLBACK');
    expect(await run('SELECT 1')).toBeNull();
    await knex.client.releaseConnection(lent);
    await expect(knex('accounts').pluck('id')).resolves.toEqual([1, 2]);
  });

  it('stops a statement on the server at its timeout, and goes on with the connection', async () => {
    const error = await rejection(knex.raw('SELECT SLEEP(60)').timeout(50, { cancel: true }));
    expect(error.message).toMatch(/timeout of 50ms/i);
    await expect(knex('accounts').pluck('id')).resolves.toEqual([1, 2]);
    expect(connection.lanes.stats()).toMatchObject({ destroyed: 0, inUse: 0 });
  });

  it('says that it does not know when the connection dies in COMMIT, and that it is lost when it died before', async () => {
    const dying = (die: (stream: Socket) => void) =>
      rejection(
        knex.transaction(async (trx) => {
          await trx('accounts').increment('n');
          const { stream } = await trx.client.acquireConnection();
          die(stream);
        }),
      );
    const inCommit = await dying((stream) => {
      const { write } = stream;
      stream.write = (...args: unknown[]) => {
        const sent = Reflect.apply(write, stream, args);
        stream.destroy();
        return sent;
      };
    });
    expect(inCommit).toMatchObject({ code: 'DBM_COMMIT_UNKNOWN' });
    const before = await dying((stream) => stream.destroy());
    expect(before.message).toMatch(/closed state|Connection lost|stream was destroyed/);
  });

  it('knows that it talks to MariaDB without asking', () => {
    expect(knex.client).toMatchObject({ isMariaDB: true, dialect: 'mysql', driverName: 'mysql2' });
  });
});

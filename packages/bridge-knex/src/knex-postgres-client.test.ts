import type { BridgeTarget, SqlEngine } from '@dbmanager/core';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { Knex } from 'knex';
import { bridgeTarget, POSTGRES, rejection, type SqlDatabase, until } from '../../../test/support/sql-engines.js';
import { knexBridge } from './knex-bridge.js';

POSTGRES.describe('Knex, for what only a server has,', () => {
  let database: SqlDatabase;
  let connection: TestConnection<unknown>;
  let target: BridgeTarget;
  let knex: Knex;

  async function backendOf(handle: Knex): Promise<number> {
    const { rows } = await handle.raw('select pg_backend_pid() as pid');
    return rows[0].pid;
  }

  beforeAll(async () => {
    database = await POSTGRES.create();
  }, 60_000);

  afterAll(async () => {
    await database?.drop();
  });

  beforeEach(async () => {
    connection = await database.open({ maxOpenConns: 2, acquireTimeoutMs: 5_000 });
    target = bridgeTarget(connection);
    knex = knexBridge.open(target);
  });

  afterEach(async () => {
    await until(() => target.counts.inUse === 0 && target.counts.pending === 0);
    await connection.close();
  });

  /** How each lease was given back: with which error, and whether the connection had nothing under way. */
  function recordReleases(): { error: unknown; idle: boolean }[] {
    const releases: { error: unknown; idle: boolean }[] = [];
    const recording: BridgeTarget = {
      ...target,
      async acquire(options) {
        const lease = await target.acquire(options);
        for (const how of ['release', 'discard'] as const) {
          const giveBack = lease[how].bind(lease);
          lease[how] = (error) => {
            releases.push({ error, idle: (lease.connection as { readyForQuery: boolean }).readyForQuery });
            giveBack(error);
          };
        }
        return lease;
      },
    };
    knex = knexBridge.open(recording);
    return releases;
  }

  it('cancels a statement on the server, and uses its connection again', async () => {
    const releases = recordReleases();
    const pid = await backendOf(knex);
    const error = await rejection(knex.raw('select pg_sleep(30)').timeout(50, { cancel: true }));
    expect(error.message).toMatch(/query timeout of 50ms exceeded/);
    await until(() => target.counts.inUse === 0);
    expect(releases.at(-1)).toEqual({ error: undefined, idle: true });
    await expect(backendOf(knex)).resolves.toBe(pid);
    expect(connection.lanes.stats().destroyed).toBe(0);
  });

  /** A handle whose cancel requests do what `cancel` does. */
  function openWithCancel(cancel: (connection: unknown) => Promise<void>): Knex {
    const sql = { ...target.engine.sql, cancel } as SqlEngine<unknown>;
    return knexBridge.open({ ...target, engine: { ...target.engine, sql } });
  }

  it('waits until a cancelled statement has ended', async () => {
    const { sql } = target.engine;
    const handle = openWithCancel(async (connection) => {
      setImmediate(() => void sql?.cancel?.(connection));
    });
    let ended = false;
    handle.client.once('query-error', () => {
      ended = true;
    });
    await rejection(handle.raw('select pg_sleep(30)').timeout(50, { cancel: true }));
    expect(ended).toBe(true);
  });

  it('gives a connection up whose statement does not end though cancelled', async () => {
    const handle = openWithCancel(() => Promise.resolve());
    const error = await rejection(handle.raw('select pg_sleep(1.5)').timeout(10, { cancel: true }));
    expect(error.message).toMatch(/cancelling of query failed/);
    await until(() => connection.lanes.stats().closedBy.error === 1);
  });

  it('closes the connection of a statement that was given up and not cancelled', async () => {
    await rejection(knex.raw('select pg_sleep(0.2)').timeout(10));
    await until(() => connection.lanes.stats().closedBy.error === 1);
    expect(target.counts).toMatchObject({ inUse: 0 });
  });

  it('never reports a transaction as committed that the server rolled back', async () => {
    const error = await rejection(
      knex.transaction(async (trx) => {
        await rejection(trx.raw('select 1 / 0'));
      }),
    );
    expect(error).toMatchObject({ code: 'DBM_TRANSACTION_ABORTED' });
    expect(error.message).not.toMatch(/^COMMIT/);
  });

  it('says that the outcome is not known when the connection dies during COMMIT', async () => {
    await knex.schema.createTable('slow_commits', (table) => table.increments('id'));
    await knex.raw(`create function dally() returns trigger language plpgsql as
      'begin perform pg_sleep(30); return null; end'`);
    await knex.raw(`create constraint trigger dally after insert on slow_commits deferrable initially deferred
      for each row execute function dally()`);
    const committing = rejection(
      knex.transaction(async (trx) => {
        await trx('slow_commits').insert({ id: 1 });
      }),
    );
    const busy = `select pid from pg_stat_activity where query = 'COMMIT;' and state = 'active' and datname = current_database()`;
    let pid: number | undefined;
    while (pid === undefined) pid = (await knex.raw(busy)).rows[0]?.pid;
    await knex.raw('select pg_terminate_backend(?)', [pid]);
    await expect(committing).resolves.toMatchObject({ code: 'DBM_COMMIT_UNKNOWN' });
  });

  it('tells the reader of a stream when its connection dies, and frees the pool', async () => {
    const read = async () => {
      let seen = 0;
      for await (const row of knex
        .raw('select pg_backend_pid() as pid, n from generate_series(1, 100000) n')
        .stream()) {
        if (++seen === 5) await knex.raw('select pg_terminate_backend(?)', [(row as { pid: number }).pid]);
      }
    };
    await expect(rejection(read())).resolves.toMatchObject({
      message: expect.stringMatching(/terminat|EPIPE|ECONNRESET/),
    });
    await until(() => target.counts.inUse === 0);
    await expect(knex.raw('select 1')).resolves.toMatchObject({ rowCount: 1 });
  });

  it('gives the connection of a stream that was left early back only when its cursor is closed', async () => {
    const releases = recordReleases();
    // The portion after the first takes longer than anything else would wait for.
    const slow = 'select n, case when n > 10 then pg_sleep(0.12) end from generate_series(1, 100) as n';
    for await (const _ of knex.raw(slow).stream({ highWaterMark: 10 })) break;
    await until(() => target.counts.inUse === 0);
    expect(releases).toEqual([{ error: undefined, idle: true }]);
  });

  it('gives back only its own when a connection is given back twice', async () => {
    const own = await knex.client.acquireConnection();
    await knex.client.releaseConnection(own);
    const next = await knex.client.acquireConnection();
    await knex.client.releaseConnection(own);
    expect(target.counts.inUse).toBe(1);
    await knex.client.releaseConnection(next);
    expect(target.counts.inUse).toBe(0);
  });

  it('tells the pool of an error that ends a connection', async () => {
    const releases = recordReleases();
    await rejection(knex.raw('select 1 / 0'));
    const fatal = await rejection(knex.raw('select pg_terminate_backend(pg_backend_pid())'));
    await until(() => releases.length === 2);
    expect(releases.map(({ error }) => error)).toEqual([undefined, fatal]);
    await until(() => connection.lanes.stats().destroyed === 1);
    await expect(knex.raw('select 1')).resolves.toMatchObject({ rowCount: 1 });
  });

  it('sends type parsers with the statements of one handle only', async () => {
    const literal = knexBridge.open(target, { types: { getTypeParser: () => (value) => `<${value}>` } });
    const select = (handle: Knex) => handle.select(handle.raw('1 as n')).first<{ n: unknown }>();
    await expect(select(literal)).resolves.toEqual({ n: '<1>' });
    await expect(select(knex)).resolves.toEqual({ n: 1 });
    for await (const row of literal.raw('select 2 as n').stream()) expect(row).toEqual({ n: '<2>' });
  });

  it('sends no statement of its own', async () => {
    const sent: string[] = [];
    const lease = await target.acquire();
    const client = lease.connection as { query(config: { text: string }, ...rest: unknown[]): unknown };
    const { query } = client;
    client.query = function (config, ...rest) {
      sent.push(config.text);
      return query.call(this, config, ...rest);
    };
    lease.release();
    await knex.raw('select 1');
    await knex.transaction((trx) => trx.raw('select 2'));
    expect(sent).toEqual(['select 1', 'BEGIN;', 'select 2', 'COMMIT;']);
  });

  it('says that it cannot cancel on a connection that is not its own', async () => {
    const lease = await target.acquire();
    const foreign = knex.raw('select pg_sleep(0.1)').connection(lease.connection).timeout(10, { cancel: true });
    await expect(rejection(foreign)).resolves.toMatchObject({ message: expect.stringMatching(/cancelling.*failed/) });
    lease.discard();
  });

  it('tells leak reports what a connection was last used for, without values', async () => {
    await connection.close();
    connection = await database.open({ leakDetectionMs: 60_000 });
    target = bridgeTarget(connection);
    knex = knexBridge.open(target);
    const own = await knex.client.acquireConnection();
    await knex.raw("select 'secret', ? as n", ['secret']).connection(own);
    expect(connection.lanes.write.borrows()).toMatchObject([{ lastStatement: 'select ?, $1 as n' }]);
    await knex('pg_class').select('oid').where('relname', 'secret').connection(own);
    expect(connection.lanes.write.borrows()).toMatchObject([
      { lastStatement: 'select "oid" from "pg_class" where "relname" = $1' },
    ]);
    await knex.client.releaseConnection(own);
  });

  it('refuses a connection that was given back', async () => {
    const own = await knex.client.acquireConnection();
    await knex.client.releaseConnection(own);
    await expect(rejection(knex.raw('select 1').connection(own))).resolves.toMatchObject({
      message: expect.stringMatching(/given back|released/),
    });
  });

  it('keeps the marks of Knex from the connection itself', async () => {
    const own = await knex.client.acquireConnection();
    own.__knex__disposed = undefined;
    expect('__knexUid' in own).toBe(true);
    await knex.client.releaseConnection(own);
    const lease = await target.acquire();
    expect(Object.keys(lease.connection as object).filter((key) => key.startsWith('__knex'))).toEqual([]);
    lease.release();
  });
});

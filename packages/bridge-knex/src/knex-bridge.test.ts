import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BridgeTarget, isDbManagerError } from '@dbmanager/core';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Knex } from 'knex';
import {
  bridgeTarget,
  COCKROACHDB,
  codeOf,
  MARIADB,
  MSSQL,
  PGBOUNCER,
  rejection,
  SQL_ENGINES,
  type SqlDatabase,
  until,
} from '../../../test/support/sql-engines.js';
import { knexBridge } from './knex-bridge.js';
import type { KnexBridgeOptions } from './knex-options.js';

interface Item {
  id: number;
  name: string;
  amount: number;
  at: Date | number | null;
}

/** A statement that takes longer to be stopped, on a busy machine, has its connection closed. */
const STOP_LIMIT_MS = 1_000;

/** The rows of a raw statement, which Knex gives as the driver does. */
function rowsOfRaw(engine: string, result: unknown): unknown {
  if (engine === 'postgres') return (result as { readonly rows: unknown }).rows;
  return engine === 'mariadb' ? (result as readonly unknown[])[0] : result;
}

for (const engine of [...SQL_ENGINES, MARIADB, MSSQL, COCKROACHDB, PGBOUNCER]) {
  engine.describe('Knex', () => {
    let database: SqlDatabase;
    let connection: TestConnection<unknown>;
    let target: BridgeTarget;
    let knex: Knex;

    function open(options?: KnexBridgeOptions): Knex {
      return knexBridge.open(target, options);
    }

    async function openConnection(options: object = {}): Promise<void> {
      connection = await database.open({ maxOpenConns: 4, acquireTimeoutMs: 5_000, ...options });
      target = bridgeTarget(connection);
      knex = open();
    }

    async function names(): Promise<string[]> {
      return knex<Item>('items').orderBy('id').pluck('name');
    }

    beforeAll(async () => {
      database = await engine.create();
      await openConnection();
      await knex.schema.createTable('items', (table) => {
        table.increments('id');
        table.string('name').unique();
        table.integer('amount').notNullable().defaultTo(0);
        table.timestamp('at', { precision: 3 });
      });
      await connection.close();
    }, 60_000);

    afterAll(async () => {
      await database?.drop();
    });

    beforeEach(async () => {
      await openConnection();
      await knex('items').del();
    });

    afterEach(async () => {
      await until(() => target.counts.inUse === 0 && target.counts.pending === 0);
      await connection.close();
    });

    describe('statements', () => {
      it('inserts, selects, updates and deletes', async () => {
        await knex<Item>('items').insert([
          { name: 'a', amount: 1 },
          { name: 'b', amount: 2 },
        ]);
        await expect(knex<Item>('items').where({ name: 'a' }).update({ amount: 5 })).resolves.toBe(1);
        await expect(knex<Item>('items').where({ name: 'b' }).del()).resolves.toBe(1);
        const row = await knex<Item>('items').where('amount', '>', 1).first('name', 'amount');
        expect(row).toEqual({ name: 'a', amount: 5 });
      });

      if (engine.returning) {
        it('returns what an insert and an update ask for', async () => {
          const [inserted] = await knex<Item>('items').insert({ name: 'a', amount: 1 }).returning(['name', 'amount']);
          expect(inserted).toEqual({ name: 'a', amount: 1 });
          const updated = await knex<Item>('items').update({ amount: 2 }).returning('amount');
          expect(updated).toEqual([{ amount: 2 }]);
          await expect(
            knex<Item>('items').where({ name: 'nobody' }).update({ amount: 2 }).returning('amount'),
          ).resolves.toEqual([]);
        });
      }

      it('runs raw statements with bindings', async () => {
        const result: unknown = await knex.raw('select ? as a, ?? from ?? where 1 = 0', ['x', 'name', 'items']);
        expect(rowsOfRaw(engine.name, result)).toEqual([]);
      });

      it('gives the same instant back under another time zone', async () => {
        const zone = process.env.TZ;
        const at = new Date('2024-07-01T12:34:56.500Z');
        try {
          process.env.TZ = 'America/New_York';
          await knex<Item>('items').insert({ name: 'a', at });
          process.env.TZ = 'Asia/Tokyo';
          const row = await knex<Item>('items').first('at');
          expect(new Date(row?.at as Date | number).toISOString()).toBe(at.toISOString());
        } finally {
          if (zone === undefined) delete process.env.TZ;
          else process.env.TZ = zone;
        }
      });

      it('rejects with the error of the driver, and the connection is used again', async () => {
        await knex<Item>('items').insert({ name: 'a' });
        const error = await rejection(knex<Item>('items').insert({ name: 'a' }));
        expect(codeOf(error)).toMatch(engine.uniqueViolation);
        expect(isDbManagerError(error)).toBe(false);
        expect(connection.lanes.stats().destroyed).toBe(0);
      });

      it('runs 64 queries at once on four connections', async () => {
        const results = await Promise.all(
          Array.from({ length: 64 }, (_, n) => knex.select(knex.raw('? as n', [`${n}`])).first<{ n: string }>()),
        );
        expect(results.map((row) => Number(row.n))).toEqual(Array.from({ length: 64 }, (_, n) => n));
        expect(connection.lanes.stats().created).toBeLessThanOrEqual(4);
      });

      it('leaves nothing borrowed after a hundred errors', async () => {
        const errors = await Promise.all(
          Array.from({ length: 100 }, () => rejection(knex.raw('select * from no_such_table'))),
        );
        expect(errors).toHaveLength(100);
        await until(() => target.counts.inUse === 0);
        expect(connection.lanes.stats()).toMatchObject({ dirtyReleases: 0, destroyed: 0 });
      });

      it('passes identifiers and responses through the options of Knex', async () => {
        const shouting = open({
          wrapIdentifier: (value, wrap) => wrap(value.toLowerCase()),
          postProcessResponse: (rows) => (Array.isArray(rows) ? rows.map((row) => ({ ...row, seen: true })) : rows),
        });
        await knex<Item>('items').insert({ name: 'a' });
        await expect(shouting('ITEMS').select('NAME')).resolves.toEqual([{ name: 'a', seen: true }]);
      });

      it('keeps its place for handles made with user parameters', async () => {
        const tenant = knex.withUserParams({ tenant: 1 });
        await tenant<Item>('items').insert({ name: 'a' });
        await expect(names()).resolves.toEqual(['a']);
        expect(tenant.userParams).toEqual({ tenant: 1 });
      });
    });

    describe('transactions', () => {
      it('commit what their callback did', async () => {
        await knex.transaction((trx) => trx<Item>('items').insert({ name: 'a' }));
        await expect(names()).resolves.toEqual(['a']);
      });

      it('roll back on a throw, with that very error', async () => {
        const failure = new Error('of the application');
        const error = await rejection(
          knex.transaction(async (trx) => {
            await trx<Item>('items').insert({ name: 'a' });
            throw failure;
          }),
        );
        expect(error).toBe(failure);
        await expect(names()).resolves.toEqual([]);
      });

      it('are invisible to others until the commit', async () => {
        await knex.transaction(async (trx) => {
          await trx<Item>('items').insert({ name: 'a' });
          await expect(names()).resolves.toEqual([]);
        });
        await expect(names()).resolves.toEqual(['a']);
      });

      it('work without a callback', async () => {
        const trx = await knex.transaction();
        await trx<Item>('items').insert({ name: 'a' });
        await trx.commit();
        const other = await knex.transaction();
        await other<Item>('items').insert({ name: 'b' });
        await other.rollback();
        await expect(names()).resolves.toEqual(['a']);
        await expect(rejection(trx('items'))).resolves.toMatchObject({ message: expect.stringContaining('complete') });
      });

      it('nest as savepoints, each rolled back alone', async () => {
        await knex.transaction(async (trx) => {
          await trx<Item>('items').insert({ name: 'outer' });
          await rejection(
            trx.transaction(async (inner) => {
              await inner<Item>('items').insert({ name: 'undone' });
              throw new Error('inner');
            }),
          );
          await trx.transaction(async (inner) => {
            await inner<Item>('items').insert({ name: 'kept' });
            await inner.transaction((deepest) => deepest<Item>('items').insert({ name: 'deepest' }));
          });
        });
        await expect(names()).resolves.toEqual(['outer', 'kept', 'deepest']);
      });

      it('run two at a time', async () => {
        const both = ['a', 'b'].map((name) =>
          knex.transaction(async (trx) => {
            await trx<Item>('items').insert({ name });
            await trx<Item>('items').where({ name }).update({ amount: 1 });
          }),
        );
        await Promise.all(both);
        await expect(names()).resolves.toHaveLength(2);
      });

      it('tell at once of a statement outside them that would wait for them', async () => {
        await connection.close();
        await openConnection({ maxOpenConns: 1 });
        const error = await rejection(
          knex.transaction(async (trx) => {
            await trx<Item>('items').insert({ name: 'a' });
            await knex<Item>('items').insert({ name: 'b' });
          }),
        );
        expect(error).toMatchObject({ code: 'DBM_POOL_DEADLOCK' });
        expect(error.message).not.toContain('insert');
        await expect(names()).resolves.toEqual([]);
      });

      it('go on when their handle is destroyed meanwhile', async () => {
        const handle = open();
        await handle.transaction(async (trx) => {
          await handle.destroy();
          await trx<Item>('items').insert({ name: 'a' });
        });
        await expect(names()).resolves.toEqual(['a']);
      });

      it('that are left open by a raw BEGIN do not reach the next borrower', async () => {
        // SQL Server says by an error that it is left open.
        await Promise.allSettled([knex.raw(engine.begin)]);
        await until(() => target.counts.inUse === 0);
        await knex<Item>('items').insert({ name: 'a' });
        const fresh = open();
        await expect(fresh<Item>('items').pluck('name')).resolves.toEqual(['a']);
      });
    });

    describe('streams', () => {
      it('give every row and the connection back once', async () => {
        const other = await target.acquire();
        let count = 0;
        for await (const row of knex
          .select('n')
          .from(knex.raw(`(${engine.series(2_000)}) as s`))
          .stream()) {
          count += row.n > 0 ? 1 : 0;
        }
        expect(count).toBe(2_000);
        await until(() => target.counts.inUse === 1);
        expect(other.released).toBe(false);
        other.release();
      });

      it('left early give the connection back, usable', async () => {
        let seen = 0;
        for await (const _ of knex.raw(engine.series(1_000_000)).stream({ highWaterMark: 10 })) {
          if (++seen === 10) break;
        }
        const leftAt = performance.now();
        await until(() => target.counts.inUse === 0);
        const stoppedInTime = performance.now() - leftAt < STOP_LIMIT_MS;
        await expect(Promise.all(Array.from({ length: 8 }, names))).resolves.toHaveLength(8);
        if (stoppedInTime) expect(connection.lanes.stats().destroyed).toBe(0);
      });

      it('destroyed before they have a connection give it back', async () => {
        await connection.close();
        await openConnection({ maxOpenConns: 1 });
        const blocker = await target.acquire();
        const stream = knex.raw(engine.series(100)).stream();
        stream.destroy();
        await new Promise((resolve) => stream.once('close', resolve));
        blocker.release();
        await until(() => target.counts.inUse === 0 && target.counts.pending === 0);
        await expect(names()).resolves.toEqual([]);
      });

      it('that fail half-way give the error and the connection back', async () => {
        const read = async () => {
          let last = 0;
          for await (const row of knex.raw(engine.failingSeries).stream()) last = row.n;
          return last;
        };
        const error = await rejection(read());
        expect(error.message).toMatch(engine.failure);
        await until(() => target.counts.inUse === 0);
        await expect(names()).resolves.toEqual([]);
      });

      it('that cannot begin give the error and the connection back', async () => {
        const read = async () => {
          for await (const row of knex.raw('select * from no_such_table').stream()) return row;
        };
        await expect(rejection(read())).resolves.toMatchObject({ message: expect.stringContaining('no_such_table') });
        await until(() => target.counts.inUse === 0);
      });

      it('inside a transaction leave it going', async () => {
        await knex.transaction(async (trx) => {
          await trx<Item>('items').insert({ name: 'a' });
          for await (const _ of trx.raw(engine.series(1_000)).stream({ highWaterMark: 10 })) break;
          await trx<Item>('items').insert({ name: 'b' });
        });
        await expect(names()).resolves.toEqual(['a', 'b']);
      });
    });

    describe('destroy', () => {
      it('only detaches: the pool and other handles go on', async () => {
        const other = open();
        await knex.destroy();
        await expect(other<Item>('items').pluck('name')).resolves.toEqual([]);
        await expect(rejection(knex<Item>('items'))).resolves.toMatchObject({ code: 'DBM_CLOSED' });
        expect(connection.lanes.stats().destroyed).toBe(0);
        knex.initialize();
        await expect(names()).resolves.toEqual([]);
      });

      it('calls back', async () => {
        await new Promise<void>((resolve) => knex.destroy(resolve));
        await expect(rejection(knex('items'))).resolves.toMatchObject({ code: 'DBM_CLOSED' });
        knex.initialize();
      });
    });

    describe('the handle', () => {
      it('shows the counts of the shared pool where Knex has its own', async () => {
        const { pool } = knex.client;
        const lease = await target.acquire();
        expect([pool.numUsed(), pool.numPendingAcquires(), pool.numPendingCreates()]).toEqual([1, 0, 0]);
        expect(pool.numFree()).toBe(target.counts.idle);
        lease.release();
      });

      it('lends its connection to code that asks the client for one', async () => {
        const own = await knex.client.acquireConnection();
        await knex.raw('select 1').connection(own);
        expect(target.counts.inUse).toBeLessThanOrEqual(1);
        await knex.client.releaseConnection(own);
        await knex.client.releaseConnection(own);
        await until(() => target.counts.inUse === 0);
      });

      it.each(['connection', 'connectionPool', 'pool', 'acquireConnectionTimeout', 'client', 'searchPath'])(
        'refuses the option %s',
        (option) => {
          const options = { [option]: {} } as KnexBridgeOptions;
          expect(() => open(options)).toThrow(expect.objectContaining({ code: 'DBM_INVALID_OPTION', option }));
        },
      );
    });

    describe('schema', () => {
      it('alters tables and keeps their rows', async () => {
        await knex.schema.createTable('parents', (table) => table.increments('id'));
        await knex.schema.createTable('children', (table) => {
          table.increments('id');
          table.integer('parent').unsigned().references('id').inTable('parents');
          table.string('gone');
        });
        try {
          await knex('parents').insert({});
          await knex('children').insert({ parent: 1, gone: 'x' });
          await knex.schema.alterTable('children', (table) => {
            table.dropColumn('gone');
            table.string('added').defaultTo('y');
          });
          await expect(knex('children')).resolves.toEqual([{ id: 1, parent: 1, added: 'y' }]);
          await expect(rejection(knex('children').insert({ parent: 99 }))).resolves.toMatchObject({
            message: expect.stringMatching(/foreign key/i),
          });
        } finally {
          await knex.schema.dropTable('children').dropTable('parents');
        }
      });

      it('migrates up and down', async () => {
        const directory = await mkdtemp(join(tmpdir(), 'dbmanager-migrations-'));
        await writeFile(
          join(directory, '1_plants.cjs'),
          `exports.up = (knex) => knex.schema.createTable('plants', (table) => { table.increments('id'); });
           exports.down = (knex) => knex.schema.dropTable('plants');`,
        );
        const config = { directory, loadExtensions: ['.cjs'] };
        try {
          await knex.migrate.latest(config);
          await expect(knex.schema.hasTable('plants')).resolves.toBe(true);
          await knex.migrate.rollback(config);
          await expect(knex.schema.hasTable('plants')).resolves.toBe(false);
        } finally {
          await knex.schema.dropTableIfExists('knex_migrations').dropTableIfExists('knex_migrations_lock');
          await rm(directory, { recursive: true });
        }
      });
    });
  });
}

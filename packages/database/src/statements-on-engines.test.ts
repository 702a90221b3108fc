import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { BridgeTarget } from '@dbmanager/core';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  bridgeTarget,
  COCKROACHDB,
  MARIADB,
  MSSQL,
  PGBOUNCER,
  POSTGRES,
  rejection,
  SQLITE,
  type SqlDatabase,
  type SqlTestEngine,
  until,
} from '../../../test/support/sql-engines.js';
import { createDatabase, type Database } from './database.js';
import { sql } from './sql-template.js';

const HEAP_LIMIT = 64 * 2 ** 20;

/** A result that would not fit into the limit: rows, and the characters that each has besides its number. */
interface Volume {
  readonly rows: number;
  readonly width: number;
}

const A_MILLION: Volume = { rows: 1_000_000, width: 100 };
/** The same driver on another way, or a stand-in, which is slow: fewer rows, but longer ones. */
const LONG_ROWS: Volume = { rows: 50_000, width: 2_000 };
const VOLUMES: ReadonlyMap<SqlTestEngine, Volume> = new Map([
  [SQLITE, A_MILLION],
  [POSTGRES, A_MILLION],
  [MARIADB, A_MILLION],
]);
/** Elsewhere it is asked for with `returning`, or `output`. */
const TELLS_LAST_ID = [SQLITE, MARIADB];
/** What a column of the type integer is called. */
const INTEGER: Readonly<Record<string, string>> = { postgres: 'int4', sqlite: 'INTEGER', mariadb: 'LONG' };

/** Where a statement can be stopped as it runs. */
const SLEEPS: Readonly<Record<string, string>> = {
  postgres: 'select pg_sleep(60)',
  mariadb: 'select sleep(60)',
  mssql: "waitfor delay '00:01:00'",
};

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapInUse(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

async function all<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const row of rows) found.push(row);
  return found;
}

for (const engine of [SQLITE, POSTGRES, COCKROACHDB, PGBOUNCER, MARIADB, MSSQL]) {
  engine.describe('statements', () => {
    let files: SqlDatabase;
    let connection: TestConnection<unknown>;
    let target: BridgeTarget;
    let db: Database;

    beforeAll(async () => {
      files = await engine.create();
      connection = await files.open({});
      const owner = createDatabase(bridgeTarget(connection));
      await owner.execute('create table users (id integer primary key, name varchar(50))');
      await connection.close();
    }, 60_000);

    afterAll(async () => {
      await files?.drop();
    });

    beforeEach(async () => {
      connection = await files.open({ maxOpenConns: 2, acquireTimeoutMs: 5_000 });
      target = bridgeTarget(connection);
      db = createDatabase(target);
      await db.execute('delete from users');
      await db.execute('insert into users (id, name) values (?, ?), (?, ?)', [1, 'ann', 2, 'bob']);
    });

    afterEach(async () => {
      await until(() => target.counts.inUse === 0 && target.counts.pending === 0);
      await connection.close();
      const { created, destroyed, dirtyReleases } = connection.lanes.stats();
      expect({ destroyed, dirtyReleases }).toEqual({ destroyed: created, dirtyReleases: 0 });
    });

    it('seeds 1: Results: have rows, the rows affected, the last id where the engine tells one, and how long it took', async () => {
      await db.execute(`create table counted (id ${engine.identityColumn}, name varchar(50))`);
      try {
        const insert = 'insert into counted (name) values (?)';
        const { rowsAffected, lastInsertId, durationMs } = await db.execute(insert, ['ann']);
        expect(rowsAffected).toBe(1);
        expect(durationMs).toBeGreaterThan(0);
        const rows = await db.query<{ id: number; name: string }>('select id, name from counted');
        expect(rows).toEqual([{ id: expect.any(Number), name: 'ann' }]);
        expect(lastInsertId).toBe(TELLS_LAST_ID.includes(engine) ? rows[0]?.id : undefined);
        expect((await db.execute(insert, ['bob'])).rowsAffected).toBe(1);
        const update = await db.execute('update counted set name = ?', ['eve']);
        expect(update).toEqual({ rowsAffected: 2, lastInsertId: undefined, durationMs: expect.any(Number) });
        expect((await db.execute('delete from counted where id < 0')).rowsAffected).toBe(0);
      } finally {
        await db.execute('drop table counted');
      }
    });

    describe('with named parameters', () => {
      it('take each value by its name, as often as it stands there, but in no literal and no comment', async () => {
        const text = `select ':name' as literal, name /* :id */ from users
          where id = :id and name = :name and :id = id -- :nothing`;
        await expect(db.query(text, { name: 'bob', id: 2 })).resolves.toEqual([{ literal: ':name', name: 'bob' }]);
      });

      it.each([
        ['a name without a value', 'select :id, :name', { id: 1 }, ':name'],
        ['a value that is undefined', 'select :id', { id: undefined }, ':id'],
        ['an inherited property', 'select :toString', {}, ':toString'],
        ['a value without a name', 'select :id', { id: 1, nmae: 'x' }, ':nmae'],
      ])('refuse %s before anything is sent', async (_what, text, params, named) => {
        const error = await rejection(db.query(text, params));
        expect(error).toMatchObject({ code: 'DBM_INVALID_OPTION', option: 'params' });
        expect(error.message).toContain(named);
        expect(target.counts.open).toBeLessThanOrEqual(1);
      });
    });

    describe('as templates', () => {
      it('take values, parts, names and lists in place', async () => {
        const hostile = "bob' or 1=1 --";
        await db.execute(sql`update users set name = ${hostile} where id = ${2}`);
        const wanted = sql`name <> ${'nobody'}`;
        const table = sql.identifier('users');
        const found = db.query(
          sql`select name from ${table} where ${wanted} and id in (${sql.join([2, 3])}) and name = ${hostile}`,
        );
        await expect(found).resolves.toEqual([{ name: hostile }]);
      });

      it('are taken by every method, with their options', async () => {
        const one = sql`select name from users where id = ${1}`;
        await expect(db.queryOne(one, { timeout: '5s' })).resolves.toEqual({ name: 'ann' });
        await expect(db.queryOneOrThrow(one)).resolves.toEqual({ name: 'ann' });
        await expect(all(db.stream(one))).resolves.toEqual([{ name: 'ann' }]);
        await db.transaction(async (tx) => expect(await tx.query(one)).toEqual([{ name: 'ann' }]));
        const gone = db.execute(sql`delete from users where id = ${1}`, { signal: AbortSignal.abort() });
        await expect(rejection(gone)).resolves.toMatchObject({ code: 'DBM_ABORTED' });
      });
    });

    describe('seeds 2: QueryOptions: read-only', () => {
      it('read, and refuse to write', async () => {
        await expect(db.query('select id from users order by id', [], { readOnly: true })).resolves.toHaveLength(2);
        const writing = db.execute('delete from users where id = ?', [1], { readOnly: true });
        await expect(rejection(writing)).resolves.toMatchObject({ code: 'DBM_READ_ONLY' });
        await expect(db.query('select id from users')).resolves.toHaveLength(2);
        const rows = await all(db.stream('select id from users', [], { readOnly: true }));
        expect(rows).toHaveLength(2);
      });

      it('are refused in a transaction that may write, and allowed in one that may not', async () => {
        const read = ['select id from users', [], { readOnly: true }] as const;
        await db.transaction({ readOnly: true }, async (tx) => expect(await tx.query(...read)).toHaveLength(2));
        const mixed = rejection(db.transaction((tx) => tx.query(...read)));
        await expect(mixed).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED', option: 'readOnly' });
      });
    });

    it.each([['soon'], [-1], [Number.NaN]])('seeds 2: QueryOptions: refuse the timeout %s', async (timeout) => {
      await expect(rejection(db.query('select 1', [], { timeout }))).resolves.toMatchObject({
        code: 'DBM_INVALID_OPTION',
        option: 'timeout',
      });
    });

    it('take a limit that is longer than any that the server knows', async () => {
      await expect(db.query('select id from users', [], { timeout: '1000h' })).resolves.toHaveLength(2);
      const patient = await files.open({ queryTimeoutMs: 3_600_000_000 });
      try {
        const own = createDatabase(bridgeTarget(patient));
        await expect(own.query('select id from users')).resolves.toHaveLength(2);
        await expect(own.transaction((tx) => tx.query('select id from users'))).resolves.toHaveLength(2);
      } finally {
        await patient.close();
      }
    });

    describe('seeds 2: Store: a view with a context', () => {
      const sleep = SLEEPS[engine.name];

      if (sleep !== undefined) {
        it('are stopped by its signal alone, and those beside them go on', async () => {
          const [mine, other] = [new AbortController(), new AbortController()];
          const [stopped, going] = [mine, other].map(({ signal }) => rejection(db.withContext(signal).query(sleep)));
          await until(() => target.counts.inUse === 2);
          mine.abort();
          await expect(stopped).resolves.toMatchObject({ code: 'DBM_ABORTED' });
          expect(target.counts.inUse).toBe(1);
          await expect(db.query('select id from users')).resolves.toHaveLength(2);
          other.abort();
          await expect(going).resolves.toMatchObject({ code: 'DBM_ABORTED' });
        });

        it('seeds 2: QueryOptions: stop at the timeout of the call, and the connection goes on', async () => {
          const late = await rejection(db.query(sleep, [], { timeout: 50 }));
          expect(late).toMatchObject({ code: 'DBM_QUERY_TIMEOUT' });
          await expect(db.query('select id from users')).resolves.toHaveLength(2);
        });
      }

      it('end when its signal is aborted, and those of others do not', async () => {
        const controller = new AbortController();
        const view = db.withContext(controller.signal);
        await expect(view.query('select id from users')).resolves.toHaveLength(2);
        controller.abort();
        const ended = [
          view.query('select 1'),
          view.execute('delete from users', [], { signal: new AbortController().signal }),
          all(view.stream('select 1')),
          view.transaction(async () => {}),
          view.begin(),
          view.withContext(new AbortController().signal).query('select 1'),
        ];
        for (const work of ended) await expect(rejection(work)).resolves.toMatchObject({ code: 'DBM_ABORTED' });
        await expect(db.query('select id from users')).resolves.toHaveLength(2);
      });
    });

    describe('seeds 3: Rows: a stream', () => {
      it('give the connection back when the loop is left early', async () => {
        let read = 0;
        for await (const _row of db.stream(engine.series(100_000))) {
          read += 1;
          expect(target.counts.inUse).toBe(1);
          if (read === 10) break;
        }
        expect(read).toBe(10);
        expect(target.counts.inUse).toBe(0);
        await expect(db.query('select id from users')).resolves.toHaveLength(2);
      });

      it('tell the columns, also of no rows', async () => {
        const stream = db.stream('select id, name from users where id = ?', [1]);
        const columns = await stream.columns();
        expect(columns.map(({ name }) => name)).toEqual(['id', 'name']);
        const integer = INTEGER[engine.name];
        if (integer !== undefined) expect(columns[0]?.type).toBe(integer);
        await expect(all(stream)).resolves.toEqual([{ id: 1, name: 'ann' }]);
        if (integer === undefined) return;
        await using none = db.stream('select id from users where id = 9');
        await expect(none.columns()).resolves.toEqual([{ name: 'id', type: integer }]);
      });

      it('hold nothing before they are read, and nothing after they are closed', async () => {
        const stream = db.stream(engine.series(1_000));
        expect(target.counts.inUse).toBe(0);
        await stream.columns();
        expect(target.counts.inUse).toBe(1);
        await stream.close();
        expect(target.counts.inUse).toBe(0);
        const again = rejection(all(stream));
        await expect(again).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED', connectionName: 'test' });
      });

      it('reject with the error of the row that failed', async () => {
        const error = await rejection(all(db.stream(engine.failingSeries)));
        expect(error).toMatchObject({ code: 'DBM_QUERY_FAILED' });
        expect(target.counts.inUse).toBe(0);
      });

      it('are part of the transaction that they are asked of', async () => {
        await db.transaction(async (tx) => {
          await tx.execute('insert into users (id, name) values (3, ?)', ['eve']);
          const rows = await all(tx.stream('select id from users order by id'));
          expect(rows).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
          for await (const row of tx.stream('select id from users order by id')) {
            expect(row).toEqual({ id: 1 });
            break;
          }
          await expect(tx.query('select id from users')).resolves.toHaveLength(3);
        });
      });

      const { rows, width } = VOLUMES.get(engine) ?? LONG_ROWS;

      it(`stay in bounded memory over ${rows} rows`, async () => {
        const text = `select n, '${'x'.repeat(width)}' as filling from (${engine.series(rows)}) as numbers`;
        const before = heapInUse();
        let most = before;
        let read = 0;
        let sum = 0;
        for await (const { n, filling } of db.stream<{ n: number; filling: string }>(text)) {
          read += 1;
          sum += n;
          if (filling.length !== width) throw new Error(`row ${read} has ${filling.length} characters`);
          if (read % (rows / 10) === 0) most = Math.max(most, heapInUse());
        }
        expect({ read, sum }).toEqual({ read: rows, sum: (rows * (rows + 1)) / 2 });
        expect(most - before).toBeLessThan(HEAP_LIMIT);
      }, 600_000);
    });
  });
}

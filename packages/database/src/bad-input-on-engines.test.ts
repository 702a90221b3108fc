import type { IsolationLevel } from '@dbmanager/core';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
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
} from '../../../test/support/sql-engines.js';
import { createDatabase, type Database } from './database.js';
import type { QueryOptions } from './query-options.js';
import { sql } from './sql-template.js';
import type { QueryParams } from './statement-text.js';
import type { TransactionOptions } from './transaction-options.js';

/** T-SQL knows no limit to the statements of a text. */
const ONE_STATEMENT = [SQLITE, POSTGRES, COCKROACHDB, PGBOUNCER, MARIADB];

const CIRCULAR: { self?: unknown } = {};
CIRCULAR.self = CIRCULAR;

const NOTHING = async (): Promise<void> => {};

async function read(rows: AsyncIterable<unknown>): Promise<void> {
  for await (const _row of rows);
}

for (const engine of [SQLITE, POSTGRES, COCKROACHDB, PGBOUNCER, MARIADB, MSSQL]) {
  engine.describe('bad input', () => {
    let files: SqlDatabase;
    let connection: TestConnection<unknown>;
    let db: Database;

    beforeAll(async () => {
      files = await engine.create();
      connection = await files.open({ maxOpenConns: 1 });
      db = createDatabase(bridgeTarget(connection));
      await db.execute('create table items (id integer primary key)');
    }, 60_000);

    // None of it has cost the connection.
    afterAll(async () => {
      await expect(db.query('select id from items')).resolves.toEqual([]);
      expect(connection.lanes.stats()).toMatchObject({ created: connection.lanes.stats().open, dirtyReleases: 0 });
      await connection.close();
      await files.drop();
    });

    /** What the caller gets, whichever way he asks. */
    async function refusals(sql: string, params?: QueryParams, options?: QueryOptions) {
      const asked: (() => Promise<unknown>)[] = [
        () => db.query(sql, params, options),
        () => db.execute(sql, params, options),
        // Twice, as the second time it is prepared.
        () => read(db.stream(sql, params, options)),
        () => read(db.stream(sql, params, options)),
        () => db.withContext(new AbortController().signal).query(sql, params, options),
        () => db.transaction((tx) => tx.query(sql, params, options)),
        () => db.prepare(sql).query(params, options),
      ];
      const errors: unknown[] = [];
      for (const ask of asked) errors.push(await rejection(Promise.resolve().then(ask)));
      return errors;
    }

    /** What callers without types may give. */
    const transact = (options: object) => db.transaction(options, NOTHING);
    const view = () => db.withContext(new AbortController().signal);

    const refused = (code: string, option?: string) =>
      expect.objectContaining({ code, option, connectionName: 'test' });

    describe.each<[what: string, sql: string, params: QueryParams]>([
      ['fewer values than parameters', 'select ? as a, ? as b', [1]],
      ['more values than parameters', 'select ? as a', [1, 2]],
      ['values for a name that is not there', 'select :a as a', { a: 1, b: 2 }],
      ['no value for a name', 'select :a as a', {}],
      ['names for parameters by position', 'select ? as a', { a: 1 }],
      ['a function', 'select ? as a', [() => 1]],
      ['a symbol', 'select :a as a', { a: Symbol('a') }],
      ['an invalid date', 'select ? as a', [new Date(Number.NaN)]],
      // What callers without types may give.
      ['null', 'select ? as a', null as unknown as QueryParams],
      ['a value that is in no list', 'select ? as a', 5 as unknown as QueryParams],
    ])('%s', (_what, sql, params) => {
      it('is refused as values that cannot be meant', async () => {
        for (const error of await refusals(sql, params)) expect(error).toEqual(refused('DBM_INVALID_OPTION', 'params'));
      });
    });

    it('refuses values where there are no parameters', async () => {
      const sql = 'select 1 as a';
      for (const error of await refusals(sql, [1])) expect(error).toEqual(refused('DBM_INVALID_OPTION', 'params'));
    });

    // What callers without types may give.
    it.each<[what: string, option: string, options: unknown]>([
      ['a misspelt name', 'timeoutt', { timeoutt: 5 }],
      ['an option of transactions', 'isolation', { isolation: 'serializable' }],
      ['a controller for a signal', 'signal', { signal: new AbortController() }],
      ['null for a signal', 'signal', { signal: null }],
      ['a text that is no duration', 'timeout', { timeout: 'soon' }],
      ['a time below 0', 'timeout', { timeout: -1 }],
      ['no number', 'timeout', { timeout: Number.NaN }],
      ['a time without end', 'timeout', { timeout: Number.POSITIVE_INFINITY }],
      ['null for a time', 'timeout', { timeout: null }],
      ['a text for true', 'readOnly', { readOnly: 'false' }],
      ['a number for true', 'readOnly', { readOnly: 1 }],
      ['a misspelt name of the cache', 'tll', { cache: { tll: '5s' } }],
      ['a text for options', 'options', '5s'],
      ['a function for options', 'options', NOTHING],
      ['null for options', 'options', null],
    ])('refuses %s with a statement', async (_what, option, options) => {
      for (const error of await refusals('select 1 as a', [], options as QueryOptions)) {
        expect(error).toEqual(refused('DBM_INVALID_OPTION', option));
      }
    });

    it('refuses a view that is bound to no signal', () => {
      for (const none of [undefined, null, new AbortController()]) {
        expect(() => db.withContext(none as unknown as AbortSignal)).toThrow(refused('DBM_INVALID_OPTION', 'signal'));
      }
    });

    it('refuses a value that has no text', async () => {
      const expected = engine === SQLITE ? refused('DBM_INVALID_OPTION', 'params') : refused('DBM_QUERY_FAILED');
      for (const error of await refusals('select ? as a', [CIRCULAR])) expect(error).toEqual(expected);
    });

    // The stand-in for SQL Server stores it as SQLite does, where it is the type of a key alone that is kept.
    if (engine !== MSSQL) {
      it('refuses a value of another type', async () => {
        for (const error of await refusals('insert into items (id) values (?)', ['no number'])) {
          expect(error).toEqual(refused('DBM_QUERY_FAILED'));
        }
      });
    }

    it('refuses a text that some engines would run up to its NUL only', async () => {
      for (const error of await refusals("delete from items \0 where note = 'old'")) {
        expect(error).toEqual(refused('DBM_INVALID_OPTION', 'sql'));
      }
    });

    it.each([[5], [undefined], [null], [{ sql: 'select 1' }]])('refuses the statement %s', async (sql) => {
      const error = await rejection(db.query(sql as unknown as string));
      expect(error).toEqual(refused('DBM_INVALID_OPTION', 'sql'));
    });

    it.each<[what: string, option: string, ask: () => unknown]>([
      ['a prepared statement that is no text', 'sql', () => db.prepare(5 as unknown as string)],
      ['values beside those of a template', 'params', () => db.query(sql`select ${1} as a`, [1] as QueryOptions)],
      [
        'an isolation level that is none, whatever it says',
        'isolation',
        () => db.transaction({ isolation: 'serializable; drop table items' as IsolationLevel }, async () => {}),
      ],
      ['a transaction by hand of such a level', 'isolation', () => db.begin({ isolation: 'weird' as IsolationLevel })],
      ['a transaction without its function', 'work', () => db.transaction({} as () => Promise<void>)],
      ['a nested one without its function', 'work', () => db.transaction((tx) => tx.transaction({} as typeof NOTHING))],
      ['an option that there is not', 'isolationLevel', () => transact({ isolationLevel: 'serializable' })],
      ['a function for options', 'options', () => db.begin(NOTHING as TransactionOptions)],
      ['a controller for its signal', 'signal', () => transact({ signal: new AbortController() })],
      ['no number of attempts', 'retry', () => transact({ retry: null })],
      ['a delay below 0', 'retry', () => transact({ retry: { attempts: 1, baseMs: -1 } })],
      ['a delay that is a text', 'retry', () => transact({ retry: { attempts: 1, baseMs: '5' } })],
      ['a misspelt delay', 'base', () => transact({ retry: { attempts: 1, base: 5 } })],
      ['a text for true', 'readOnly', () => transact({ readOnly: 'yes' })],
      ['null for options', 'options', () => transact(null as unknown as object)],
      ['a misspelt option in a view', 'timeoutt', () => view().begin({ timeoutt: 5 } as TransactionOptions)],
      ['a function for options in a view', 'options', () => view().begin(NOTHING as TransactionOptions)],
      [
        'a controller for a signal in a view',
        'signal',
        () => view().begin({ signal: new AbortController() as unknown as AbortSignal }),
      ],
    ])('refuses %s', async (_what, option, ask) => {
      const error = await rejection(Promise.resolve().then(ask));
      expect(error).toEqual(refused('DBM_INVALID_OPTION', option));
    });

    it('takes undefined for no options of a transaction', async () => {
      for (const each of [db, view()]) {
        await expect(each.transaction(undefined as unknown as object, async () => 1)).resolves.toBe(1);
      }
    });

    if (ONE_STATEMENT.includes(engine)) {
      it('refuses a second statement in a text with values, and runs none', async () => {
        for (const error of await refusals(
          'insert into items (id) values (?); insert into items (id) values (2)',
          [1],
        )) {
          expect(error).toEqual(refused('DBM_SYNTAX'));
        }
      });
    }

    it('refuses a statement after close()', async () => {
      const own = await files.open({ maxOpenConns: 1 });
      const closed = createDatabase(bridgeTarget(own));
      const statement = closed.prepare('select ? as a');
      await closed.query('select 1 as a');
      await own.close();
      for (const late of [closed.query('select 1'), statement.query([1]), closed.transaction(async () => {})]) {
        expect(await rejection(late)).toEqual(refused('DBM_CLOSED'));
      }
    });
  });
}

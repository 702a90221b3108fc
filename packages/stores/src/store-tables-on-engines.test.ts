import { Migrations } from '@dbmanager/migrations';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { rejection } from '../../../test/support/sql-engines.js';
import { STORE_ENGINES, StoreBench } from '../../../test/support/store-engines.js';
import { StoreLease } from './store-lease.js';
import { storeMigration } from './store-migration.js';
import { PLUGIN_TABLES, STORE_TABLES } from './store-tables.js';
import type { Stores } from './stores.js';

const FRAMEWORK = STORE_TABLES.filter((table) => !PLUGIN_TABLES.includes(table)).map(({ name }) => name);
const PLUGINS = PLUGIN_TABLES.map(({ name }) => name);

for (const engine of STORE_ENGINES) {
  engine.describe('Tables of the stores', () => {
    let bench: StoreBench;
    let stores: Stores;

    /** Those of the tables that are there. */
    async function present(prefix = ''): Promise<string[]> {
      const there = STORE_TABLES.map(async ({ name }) => {
        const found = await bench.database.query(`select count(*) as n from ${prefix}${name}`).catch(() => undefined);
        return found === undefined ? [] : [name];
      });
      return (await Promise.all(there)).flat();
    }

    beforeAll(async () => {
      bench = await StoreBench.open(engine);
      stores = bench.stores();
    }, 60_000);

    afterEach(async () => {
      await stores.dropTables();
    });

    afterAll(async () => {
      await bench?.close();
    });

    describe('seeds 0: Tables: they', () => {
      it('are created, twice without harm, dropped, twice without harm, and created anew', async () => {
        expect(STORE_TABLES.map(({ name }) => name)).toEqual(
          expect.arrayContaining([
            'sessions',
            'access_tokens',
            'tenants',
            'workload_metrics',
            'rate_limits',
            ...PLUGINS,
          ]),
        );
        await stores.createTables();
        await stores.tenants.save({ id: 't1', name: 'One', hosts: ['a.com'] });
        await stores.createTables();
        await expect(present()).resolves.toEqual([...FRAMEWORK, ...PLUGINS]);
        await expect(stores.tenants.load('t1')).resolves.toBeDefined();
        await stores.dropTables();
        await stores.dropTables();
        await expect(present()).resolves.toEqual([]);
        await stores.createTables();
        await expect(stores.tenants.load('t1')).resolves.toBeUndefined();
      });

      it('of plugins are created and dropped on their own, rows and all', async () => {
        await stores.createTables({ tables: 'plugins' });
        await expect(present()).resolves.toEqual(PLUGINS);
        const { database } = bench;
        await database.execute('insert into plugins (name, version, enabled, error_count) values (?, ?, ?, ?)', [
          'p1',
          '1.0',
          true,
          0,
        ]);
        const hook =
          'insert into plugin_hooks (plugin_name, hook_type, priority, execution_count, total_duration_ms, error_count) values (?, ?, 0, 0, 0, 0)';
        await database.execute(hook, ['p1', 'startup']);
        await expect(rejection(database.execute(hook, ['p2', 'startup']))).resolves.toMatchObject({
          code: 'DBM_FOREIGN_KEY_VIOLATION',
        });
        const event =
          'insert into plugin_events (event_name, publisher_plugin, subscriber_plugin, created_at) values (?, ?, ?, ?)';
        await database.execute(event, ['e', 'p1', 'p1', bench.clock.now]);
        await database.execute(
          'insert into plugin_storage (plugin_name, storage_key, storage_value, created_at, updated_at) values (?, ?, ?, 0, 0)',
          ['p1', 'k', '"v"'],
        );
        await database.execute(
          'insert into plugin_metrics (plugin_name, metric_name, metric_value, tags, recorded_at) values (?, ?, ?, ?, 0)',
          ['p1', 'm', 1.5, null],
        );
        await stores.dropTables({ tables: 'plugins' });
        await expect(present()).resolves.toEqual([]);
      });

      it('but for those of plugins are created on their own, too', async () => {
        await stores.createTables({ tables: 'framework' });
        await expect(present()).resolves.toEqual(FRAMEWORK);
      });

      it('of another prefix are others', async () => {
        const app = bench.stores({ prefix: 'app_' });
        await app.createTables();
        await stores.createTables({ tables: 'framework' });
        await app.sessions.save({ id: 's1', data: {}, expiresAt: new Date(bench.clock.now + 1) });
        await expect(app.sessions.load('s1')).resolves.toBeDefined();
        await expect(stores.sessions.load('s1')).resolves.toBeUndefined();
        await app.dropTables();
        await expect(present('app_')).resolves.toEqual([]);
        await expect(present()).resolves.toEqual(FRAMEWORK);
      });

      it('are created by several at once', async () => {
        await Promise.all(Array.from({ length: 4 }, () => bench.stores().createTables()));
        await expect(present()).resolves.toEqual([...FRAMEWORK, ...PLUGINS]);
      });

      it('are created and dropped by a migration', async () => {
        const { type } = bench.target;
        const migrations = new Migrations(bench.target, {
          migrations: [stores.migration(1, 'framework'), storeMigration({ type, version: 2, tables: 'plugins' })],
        });
        await migrations.up();
        await expect(present()).resolves.toEqual([...FRAMEWORK, ...PLUGINS]);
        await migrations.down();
        await expect(present()).resolves.toEqual(FRAMEWORK);
        await migrations.goto(null);
        await expect(present()).resolves.toEqual([]);
      });
    });

    it('that are missing are told, with how to create them', async () => {
      const expected = {
        code: 'DBM_STORE_TABLE',
        connectionName: 'test',
        message: expect.stringContaining('createTables()'),
      };
      const missing = (table: string, call: Promise<unknown>) =>
        expect(rejection(call)).resolves.toMatchObject({ ...expected, table });
      const expiresAt = new Date(bench.clock.now + 1);
      const token = 'abcdefghijklmnop';
      await missing('sessions', stores.sessions.load('s1'));
      await missing('sessions', stores.sessions.save({ id: 's1', data: {}, expiresAt }));
      await missing('access_tokens', stores.accessTokens.validate(token));
      await missing('tenants', stores.tenants.save({ id: 't1', name: 'One' }));
      await missing('workload_metrics', stores.workloadMetrics.list('t1', expiresAt, expiresAt));
      const inTransaction = bench.database.transaction((tx) => stores.on(tx).sessions.load('s1'));
      await missing('sessions', inTransaction);
    });

    describe('a lease', () => {
      const lease = (owner: string) => new StoreLease({ context: bench.context, name: 'clean-up', owner });

      beforeEach(() => stores.createTables({ tables: 'framework' }));

      it('is one owner’s until its time is over, or it is given up', async () => {
        const [one, other] = [lease('one'), lease('other')];
        await expect(one.take(1_000)).resolves.toBe(true);
        await expect(other.take(1_000)).resolves.toBe(false);
        bench.clock.now += 999;
        await expect(one.take(1_000)).resolves.toBe(true);
        bench.clock.now += 999;
        await expect(other.take(1_000)).resolves.toBe(false);
        bench.clock.now += 1;
        await expect(other.take(1_000)).resolves.toBe(true);
        await one.give();
        await expect(one.take(1_000)).resolves.toBe(false);
        await other.give();
        await expect(one.take(1_000)).resolves.toBe(true);
      });

      it('is got by one of many that take it at once, when it is new and when it is over', async () => {
        for (let round = 0; round < 2; round++) {
          const owners = Array.from({ length: 8 }, (_, n) => lease(`owner ${n}`));
          const taken = await Promise.all(owners.map((each) => each.take(1_000)));
          expect(taken.filter(Boolean)).toHaveLength(1);
          bench.clock.now += 1_000;
        }
      });
    });
  });
}

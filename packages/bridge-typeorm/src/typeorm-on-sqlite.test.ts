import type { BridgeTarget } from '@dbmanager/core';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { type DataSource, EntitySchema } from 'typeorm';
import { bridgeTarget, rejection, SQLITE, type SqlDatabase, until } from '../../../test/support/sql-engines.js';
import { typeormBridge } from './typeorm-bridge.js';
import type { TypeormBridgeOptions } from './typeorm-options.js';

const Entry = new EntitySchema<{ id: number; count: number | bigint }>({
  name: 'entry',
  columns: { id: { type: Number, primary: true }, count: { type: Number, default: 0 } },
});

SQLITE.describe('TypeORM, for what only SQLite has,', () => {
  let database: SqlDatabase;
  let connection: TestConnection<unknown>;
  let target: BridgeTarget;
  let ds: DataSource;

  const open = (options: TypeormBridgeOptions = { entities: [Entry] }) => typeormBridge.open(target, options);
  const entries = () => ds.getRepository(Entry);

  async function openConnection(options: object = {}): Promise<void> {
    connection = await database.open({ maxOpenConns: 4, acquireTimeoutMs: 5_000, ...options });
    target = bridgeTarget(connection);
    ds = await open();
  }

  beforeAll(async () => {
    database = await SQLITE.create();
    await openConnection();
    await ds.synchronize();
    await connection.close();
  });

  afterAll(async () => {
    await database?.drop();
  });

  beforeEach(async () => {
    await openConnection();
    await entries().createQueryBuilder().delete().execute();
  });

  afterEach(async () => {
    await until(() => target.counts.inUse === 0 && target.counts.pending === 0);
    await connection.close();
  });

  it('reads beside a write that is under way', async () => {
    await ds.transaction(async (manager) => {
      await manager.insert(Entry, { id: 1 });
      await expect(entries().count()).resolves.toBe(0);
    });
    await expect(entries().count()).resolves.toBe(1);
  });

  it('runs transactions that are begun at once one after the other', async () => {
    await Promise.all(
      Array.from({ length: 10 }, (_, id) =>
        ds.transaction(async (manager) => {
          const { count } = (await manager.findOneBy(Entry, { id: 99 })) ?? { count: 0 };
          await manager.save(Entry, { id: 99, count: Number(count) + 1 });
          await manager.insert(Entry, { id });
        }),
      ),
    );
    await expect(entries().findOneBy({ id: 99 })).resolves.toEqual({ id: 99, count: 10 });
  });

  it('gives integers that a number cannot hold as bigints, and others as numbers', async () => {
    await ds.query('insert into entry (id, count) values (1, 9007199254740993), (2, 5)');
    await expect(entries().find({ order: { id: 'ASC' } })).resolves.toEqual([
      { id: 1, count: 9007199254740993n },
      { id: 2, count: 5 },
    ]);
    await entries().insert({ id: 3, count: 9007199254740995n });
    await expect(entries().findOneBy({ count: 9007199254740995n })).resolves.toMatchObject({ id: 3 });
  });

  it('tells ids of inserts', async () => {
    await expect(ds.query('insert into entry (id) values (?)', [7])).resolves.toBe(7);
  });

  it('enforces foreign keys again after a migration that was never ended', async () => {
    const runner = ds.createQueryRunner();
    await runner.beforeMigration();
    await runner.startTransaction();
    await expect(runner.query('pragma foreign_keys')).resolves.toEqual([{ foreign_keys: 0 }]);
    await runner.release();
    await expect(ds.query('pragma foreign_keys')).resolves.toEqual([{ foreign_keys: 1 }]);
  });

  it('runs on a database in memory', async () => {
    await connection.close();
    await openConnection({ filepath: ':memory:' });
    await ds.synchronize();
    await entries().insert({ id: 1 });
    await expect(entries().count()).resolves.toBe(1);
  });

  it('writes after a stream in the same transaction that was left early', async () => {
    // So slow that the next rows are still being read ahead.
    const slow = `(select n, (${SQLITE.series(200_000).replace('select n from', 'select count(*) from')}) from (${SQLITE.series(100)}))`;
    await ds.transaction(async (manager) => {
      for await (const _ of await manager.createQueryBuilder().select('*').from(slow, 's').stream()) break;
      await manager.query('insert into entry (id) values (3)');
    });
    await expect(entries().count()).resolves.toBe(1);
  });

  it.each(['key', 'prepareDatabase', 'enableWAL', 'timeout', 'statementCacheSize', 'types', 'parseInt8'])(
    'refuses the option %s',
    async (option) => {
      const options = { [option]: true } as TypeormBridgeOptions;
      await expect(rejection(open(options))).resolves.toMatchObject({ code: 'DBM_INVALID_OPTION', option });
    },
  );

  it('refuses entities of another database file', async () => {
    const Elsewhere = new EntitySchema({
      name: 'elsewhere',
      database: 'elsewhere.db',
      columns: { id: { type: Number, primary: true } },
    });
    await expect(rejection(open({ entities: [Elsewhere] }))).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
  });

  it('refuses named placeholders, as TypeORM does', async () => {
    const named = ds.createQueryRunner().query('select :id', { id: 1 });
    await expect(rejection(named)).resolves.toMatchObject({ name: 'NamedPlaceholdersNotSupportedError' });
  });

  it('tells subscribers and loggers of queries', async () => {
    const logged: string[] = [];
    const note = (what: string) => (_: unknown, sql: unknown) => void logged.push(`${what} ${sql}`);
    const noted = (sql: string) => void logged.push(sql);
    const nothing = () => {};
    const logger = {
      logQuery: noted,
      logQueryError: note('error'),
      logQuerySlow: note('slow'),
      logSchemaBuild: nothing,
      logMigration: nothing,
      log: nothing,
    };
    const watched = await open({ entities: [Entry], logger, maxQueryExecutionTime: Number.MIN_VALUE });
    await watched.query('select 1');
    await rejection(watched.query('select nothing'));
    expect(logged).toEqual(['select 1', 'slow select 1', 'select nothing', 'error select nothing']);
  });
});

/** @jest-environment ./test/support/new-york-environment.js */
import type { BridgeTarget } from '@dbmanager/core';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { type DataSource, EntitySchema } from 'typeorm';
import { bridgeTarget, MSSQL, rejection, type SqlDatabase, until } from '../../../test/support/sql-engines.js';
import { typeormBridge } from './typeorm-bridge.js';
import type { TypeormBridgeOptions } from './typeorm-options.js';

interface Thing {
  id: number;
  day: string;
  hour: string;
  at: Date;
}

const Things = new EntitySchema<Thing>({
  name: 'thing',
  columns: {
    id: { type: 'int', primary: true },
    day: { type: 'date' },
    hour: { type: 'time', precision: 0 },
    at: { type: 'datetime2', precision: 3 },
  },
});

const CREATE =
  'create table thing (id integer primary key, day date not null, hour time(0) not null, at datetime2(3) not null)';

MSSQL.describe('TypeORM, for what only SQL Server has,', () => {
  let database: SqlDatabase;
  let connection: TestConnection<unknown>;
  let target: BridgeTarget;
  let ds: DataSource;

  const open = (options: TypeormBridgeOptions = { entities: [Things] }) => typeormBridge.open(target, options);
  const things = () => ds.getRepository(Things);
  const thing = (id: number): Thing => ({
    id,
    day: '2024-03-10',
    hour: '23:30:15',
    at: new Date('2024-11-03T05:30:00.789Z'),
  });

  async function openConnection(options: object = {}): Promise<void> {
    connection = await database.open({ maxOpenConns: 2, acquireTimeoutMs: 5_000, ...options });
    target = bridgeTarget(connection);
    ds = await open();
  }

  beforeAll(async () => {
    database = await MSSQL.create();
    await openConnection();
    await ds.query(CREATE);
    await connection.close();
  }, 60_000);

  afterAll(() => database?.drop());

  beforeEach(async () => {
    await openConnection();
    await ds.query('delete from thing');
  });

  afterEach(async () => {
    await until(() => target.counts.inUse === 0 && target.counts.pending === 0);
    await connection.close();
    const { created, destroyed } = connection.lanes.stats();
    expect(destroyed).toBe(created);
  });

  it.each([true, false])('keeps days, times of day and instants, far from UTC, with use_utc %s', async (useUtc) => {
    await connection.close();
    await openConnection({ useUtc });
    expect(thing(1).at.getTimezoneOffset()).not.toBe(0);
    await things().insert(thing(1));
    await expect(things().find()).resolves.toEqual([thing(1)]);
    const text = await ds.query(
      'select convert(varchar(10), day, 23) as day, convert(varchar(8), hour, 108) as hour from thing',
    );
    expect(text).toEqual([{ day: '2024-03-10', hour: '23:30:15' }]);
  });

  it('gives back, and undoes, what a query runner holds that is released in a transaction', async () => {
    const runner = ds.createQueryRunner();
    await runner.startTransaction();
    await runner.manager.insert(Things, thing(1));
    await runner.release();
    await until(() => target.counts.inUse === 0);
    await expect(things().count()).resolves.toBe(0);
  });

  it('goes on with a query runner whose stream was left, in a transaction too', async () => {
    const runner = ds.createQueryRunner();
    const leave = async () => {
      for await (const _ of await runner.stream(MSSQL.series(1_000_000))) break;
    };
    await leave();
    await runner.startTransaction();
    await runner.manager.insert(Things, thing(1));
    await leave();
    await runner.manager.insert(Things, thing(2));
    await runner.commitTransaction();
    await runner.release();
    await expect(things().count()).resolves.toBe(2);
    expect(connection.lanes.stats()).toMatchObject({ destroyed: 0 });
  });

  it('rejects what TypeORM alone would wait for: a transaction on a data source that was destroyed', async () => {
    const runner = ds.createQueryRunner();
    await ds.destroy();
    await expect(rejection(runner.startTransaction())).resolves.toMatchObject({ message: /not connected/i });
    await ds.initialize();
  });

  it('rejects what TypeORM alone would wait for: a savepoint of a transaction that is over', async () => {
    const runner = ds.createQueryRunner();
    await runner.startTransaction();
    await runner.manager.insert(Things, thing(1));
    await rejection(runner.query('set xact_abort on; insert into thing select * from thing'));
    await expect(rejection(runner.startTransaction())).resolves.toBeInstanceOf(Error);
    await expect(rejection(runner.commitTransaction())).resolves.toMatchObject({ code: 'DBM_TRANSACTION_ABORTED' });
    await runner.release();
    await expect(things().count()).resolves.toBe(0);
  });

  it('takes of the options of its driver those alone that change no connection', async () => {
    const own = { disableOutputReturning: true } as const;
    const silent = await open({ name: 'silent', entities: [Things], options: own });
    await silent.getRepository(Things).insert(thing(1));
    expect(silent.createQueryBuilder().insert().into(Things).values(thing(2)).getSql()).not.toMatch(/output/i);
    const refused = open({ name: 'zone', options: { useUTC: false } as TypeormBridgeOptions['options'] & object });
    await expect(rejection(refused)).resolves.toMatchObject({ code: 'DBM_INVALID_OPTION', option: 'options.useUTC' });
  });
});

import type { BridgeTarget } from '@dbmanager/core';
import { Transaction, TransactionRunner } from '@dbmanager/database';
import type { TestConnection } from '@dbmanager/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { type DataSource, EntitySchema, type Logger } from 'typeorm';
import { bridgeTarget, COCKROACHDB, rejection, type SqlDatabase, until } from '../../../test/support/sql-engines.js';
import { typeormBridge } from './typeorm-bridge.js';
import type { TypeormBridgeOptions } from './typeorm-options.js';

interface Account {
  id: number;
  balance: number;
}

const Account = new EntitySchema<Account>({
  name: 'account',
  columns: { id: { type: 'int4', primary: true }, balance: { type: 'int4' } },
});

COCKROACHDB.describe('TypeORM', () => {
  let database: SqlDatabase;
  let connection: TestConnection<unknown>;
  let target: BridgeTarget;
  let ds: DataSource;
  let sent: string[];

  const open = (options: TypeormBridgeOptions = {}) => {
    const logger = { logQuery: (query: string) => void sent.push(query), logQueryError() {} } as unknown as Logger;
    return typeormBridge.open(target, { entities: [Account], logger, ...options });
  };
  const balances = async () =>
    (await ds.getRepository(Account).find({ order: { id: 'ASC' } })).map(({ balance }) => balance);

  beforeAll(async () => {
    database = await COCKROACHDB.create();
  }, 60_000);
  afterAll(() => database?.drop());

  beforeEach(async () => {
    sent = [];
    connection = await database.open({ maxOpenConns: 2, acquireTimeoutMs: 5_000 });
    target = bridgeTarget(connection);
    ds = await open();
    await ds.query('create table account (id int primary key, balance int not null)');
    await ds.getRepository(Account).insert([
      { id: 1, balance: 10 },
      { id: 2, balance: 10 },
    ]);
  });
  afterEach(async () => {
    await ds.query('drop table account');
    await ds.destroy();
    await until(() => target.counts.inUse === 0 && target.counts.pending === 0);
    await connection.close();
  });

  it('is driven by its own driver, which changes no setting of a shared connection', () => {
    expect(ds.options.type).toBe('cockroachdb');
    expect(sent.filter((query) => /^set/i.test(query))).toEqual([]);
  });

  it('reads, writes, and streams', async () => {
    await ds.getRepository(Account).increment({ id: 1 }, 'balance', 5);
    expect(await balances()).toEqual([15, 10]);
    const stream = await ds.createQueryBuilder(Account, 'a').orderBy('id').stream();
    const rows: unknown[] = [];
    for await (const row of stream) rows.push(row);
    expect(rows).toHaveLength(2);
  });

  it('commits and rolls back, nested too, without the savepoint for sending statements again', async () => {
    await ds.transaction('SERIALIZABLE', async (manager) => {
      await manager.increment(Account, { id: 1 }, 'balance', 1);
      await rejection(
        manager.transaction(async (nested) => {
          await nested.increment(Account, { id: 2 }, 'balance', 1);
          throw new Error('undo');
        }),
      );
    });
    expect(await balances()).toEqual([11, 10]);
    expect(sent.filter((query) => query.includes('cockroach_restart'))).toEqual([]);
    await rejection(
      ds.transaction(async (manager) => {
        await manager.clear(Account);
        throw new Error('undo');
      }),
    );
    expect(await balances()).toEqual([11, 10]);
  });

  it('tells of a COMMIT that did not commit', async () => {
    const work = ds.transaction(async (manager) => {
      await rejection(manager.query('select nothing'));
    });
    await expect(work).rejects.toMatchObject({ code: 'DBM_TRANSACTION_ABORTED' });
  });

  it('sends nothing again by itself when a transaction loses to another one', async () => {
    const serializable = async (runner: ReturnType<DataSource['createQueryRunner']>) => {
      await runner.startTransaction('SERIALIZABLE');
      await runner.query('select sum(balance) from account');
    };
    const [one, other] = [ds.createQueryRunner(), ds.createQueryRunner()];
    await serializable(one);
    await serializable(other);
    await one.query('insert into account values (3, 1)');
    await other.query('insert into account values (4, 1)');
    await one.commitTransaction();
    await one.release();
    await expect(other.commitTransaction()).rejects.toMatchObject({ driverError: { code: '40001' } });
    await other.rollbackTransaction();
    await other.release();
    expect(sent.filter((query) => query.includes('(4, 1)'))).toHaveLength(1);
  });

  it('runs in a transaction of ours', async () => {
    const opened = { handle: ds, options: undefined };
    const runner = new TransactionRunner({ target: { ...target, opened: () => opened }, Handle: Transaction });
    const work = runner.run({}, async (tx) => {
      await tx.use(typeormBridge).getRepository(Account).update({ id: 1 }, { balance: 99 });
      throw new Error('undo');
    });
    await expect(work).rejects.toThrow('undo');
    expect(await balances()).toEqual([10, 10]);
  });

  it.each(['timeTravelQueries', 'maxTransactionRetries'])('refuses %s', async (option) => {
    const options = { [option]: 1 } as TypeormBridgeOptions;
    await expect(open(options)).rejects.toMatchObject({ code: 'DBM_INVALID_OPTION', option });
  });
});

import { type BridgeTarget, isDbManagerError, type Row, Secret, seededRandom } from '@dbmanager/core';
import { Transaction, TransactionRunner } from '@dbmanager/database';
import { describeWithCockroachdb, TestConnection } from '@dbmanager/testkit';
import { expect, it } from '@jest/globals';
import { cockroachdbProvider } from './cockroachdb-provider.js';

const ACCOUNTS = 4;
const TRANSFERS = 40;

describeWithCockroachdb('transactions of the type cockroachdb', (server) => {
  it('seeds 3: CockroachDB: are repeated as a whole until they no longer lose to one another, and nothing is lost or done twice', async () => {
    const database = await server().createDatabase();
    const { password, ...rest } = server().connection(database);
    const connection = await TestConnection.open(cockroachdbProvider, {
      ...rest,
      password: new Secret(password),
      maxOpenConns: 8,
    });
    const { lanes, engine } = connection;
    const target: BridgeTarget = {
      name: lanes.name,
      type: lanes.config.type,
      engine,
      config: lanes.config,
      closing: new AbortController().signal,
      acquire: (options) => lanes.acquire(options),
      counts: lanes.counts,
      holding: (work) => lanes.holding(work),
    };
    const runner = new TransactionRunner({ target, Handle: Transaction, random: seededRandom(1) });
    await server().query('CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL)', [], database);
    await server().query(`INSERT INTO accounts SELECT n, 100 FROM generate_series(1, ${ACCOUNTS}) AS n`, [], database);

    let lost = 0;
    /** Reads both balances and writes what follows from them, as an application does. */
    const transfer = async (tx: Transaction, from: number, to: number) => {
      const balance = async (id: number) => {
        const [row] = (await tx.query('SELECT balance FROM accounts WHERE id = ?', [id])) as unknown as [Row];
        return Number(row.balance);
      };
      const [left, right] = [await balance(from), await balance(to)];
      await tx.execute('UPDATE accounts SET balance = ? WHERE id = ?', [left - 1, from]);
      await tx.execute('UPDATE accounts SET balance = ? WHERE id = ?', [right + 1, to]);
    };
    const transfers = Array.from({ length: TRANSFERS }, (_, n) => {
      const from = (n % ACCOUNTS) + 1;
      const to = ((n + 1) % ACCOUNTS) + 1;
      const options = { isolation: 'serializable', retry: { attempts: 200, baseMs: 1, maxMs: 20 } } as const;
      return runner.run(options, async (tx) => {
        try {
          await transfer(tx, from, to);
        } catch (error) {
          if (isDbManagerError(error, 'DBM_SERIALIZATION_FAILURE')) lost++;
          throw error;
        }
      });
    });
    await Promise.all(transfers);

    expect(lost).toBeGreaterThan(0);
    const kept = await server().query('SELECT balance::int AS balance FROM accounts ORDER BY id', [], database);
    expect(kept).toEqual(Array(ACCOUNTS).fill({ balance: 100 }));
    await connection.close();
    await server().dropDatabase(database);
  });
});

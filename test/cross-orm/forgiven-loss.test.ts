import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { ALL_SQL_ENGINES, type SqlTestEngine, type TestServer } from '../support/sql-engines.js';
import { Bank, entry } from './bank.js';
import type { Hands } from './hands.js';
import { participantsOn } from './participants.js';

const inServers = ALL_SQL_ENGINES.filter(({ server }) => server !== undefined);
/** What names of savepoints begin with. */
const PREFIXES: Readonly<Record<string, string>> = {
  Knex: 'knex',
  TypeORM: 'typeorm',
  MikroORM: 'mikroorm',
  Kysely: 'kysely',
  Drizzle: 'drizzle',
};
/** Those whose savepoints a statement can end. */
const withRelease = ALL_SQL_ENGINES.filter(({ name }) => name !== 'mssql');

for (const engine of inServers) {
  describeWithBank(engine, 'A connection that is lost in a nested transaction, whose error is forgiven', (bank) => {
    const own = participantsOn(engine).filter(({ silentOutcome, nests }) => silentOutcome !== true && nests !== false);

    it.each(own.map(({ name }) => name))('never has a transaction of %s alone seem committed', async (name) => {
      const { hands } = bank().open.get(name) ?? { hands: undefined };
      await neverSeemsCommitted((work) => (hands as Hands).transaction(work));
    });

    it.each(participantsOn(engine))('never has a transaction of all seem committed, nested by $name', async (by) => {
      await neverSeemsCommitted((work) => bank().connection.transaction((tx) => work(by.bind(tx))));
    });

    async function neverSeemsCommitted(transact: (work: (hands: Hands) => Promise<void>) => Promise<void>) {
      let forgiven: unknown;
      const transaction = transact(async (outer) => {
        await outer.insert(entry(1, 'outer'));
        try {
          await outer.transaction(async (inner) => {
            await killAll(engine.server as TestServer);
            await inner.insert(entry(2, 'inner'));
          });
        } catch (error) {
          forgiven = error;
        }
      });
      await expect(transaction).rejects.toThrow();
      expect(forgiven).toHaveProperty('message');
      expect(await bank().outside.entries()).toEqual([]);
      await bank().idle();
    }

    async function killAll(server: TestServer): Promise<void> {
      for (const backend of await bank().backends()) await bank().execute(server.kill(backend));
    }
  });
}

for (const engine of withRelease) {
  describeWithBank(engine, 'A nested transaction that cannot be undone, whose error is forgiven', (bank) => {
    it.each(participantsOn(engine))('is not committed with the transaction around it, nested by $name', async (by) => {
      const forgiven = new Error('forgiven');
      const transaction = bank().connection.transaction(async (tx) => {
        const nested = by.bind(tx).transaction(async (inner) => {
          await inner.insert(entry(1, 'inner'));
          // Its name is not told: it is the first of this transaction.
          const savepoint = `${PREFIXES[by.name] ?? 'dbm'}_1`;
          await tx.execute(`release savepoint ${savepoint}`);
          throw forgiven;
        });
        await nested.catch(() => {});
      });
      await expect(transaction).rejects.toThrow();
      expect(await bank().outside.entries()).toEqual([]);
      await bank().idle();
    });
  });
}

for (const engine of ALL_SQL_ENGINES.filter(({ name }) => name === 'mariadb')) {
  describeWithBank(engine, 'A transaction that the server has rolled back, whose nested ones cannot begin', (bank) => {
    /** Those that begin and end their own by themselves: ours would refuse the text that stands for a deadlock. */
    const own = participantsOn(engine).filter(({ name }) => ['Knex', 'TypeORM', 'MikroORM'].includes(name));

    it.each(own.map(({ name }) => name))('keeps nothing of what %s does after it', async (name) => {
      const { hands } = bank().open.get(name) ?? { hands: undefined };
      const transaction = (hands as Hands).transaction(async (outer) => {
        await outer.insert(entry(1, 'before'));
        const deadlock = "begin not atomic rollback; signal sqlstate '40001' set mysql_errno = 1213; end";
        await expect(outer.value(deadlock)).rejects.toThrow();
        await expect(outer.transaction((inner) => inner.insert(entry(2, 'nested')))).rejects.toThrow();
        await outer.insert(entry(3, 'after')).catch(() => {});
      });
      await expect(transaction).rejects.toThrow();
      expect(await bank().outside.entries()).toEqual([]);
      await bank().idle();
    });
  });
}

/** A suite with a bank of its own, which is as new for each test. */
function describeWithBank(engine: SqlTestEngine, title: string, suite: (bank: () => Bank) => void): void {
  engine.describe(title, () => {
    let bank: Bank;

    beforeAll(async () => {
      bank = await Bank.open(engine, { maxOpenConns: 2 });
    }, 60_000);

    afterAll(() => bank?.close());
    beforeEach(() => bank.reset());

    suite(() => bank);
  });
}

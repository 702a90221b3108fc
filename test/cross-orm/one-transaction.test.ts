/** @jest-environment ./test/support/new-york-environment.js */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { ConnectionTransaction } from 'dbmanager';
import { ALL_SQL_ENGINES, COCKROACHDB, PGBOUNCER, rejection } from '../support/sql-engines.js';
import { Bank, comparable, entry } from './bank.js';
import type { Hands } from './hands.js';
import { participantsOn } from './participants.js';

/** Where the server tells by what it knows a transaction. */
interface Identity {
  readonly transaction: string;
  readonly backend: string;
  /** How many transactions have written the entries, where rows tell; in a nested one they bear the id of its savepoint. */
  readonly writers?: string;
}

const IDENTITIES: Readonly<Record<string, Identity>> = {
  postgres: {
    transaction: 'select pg_current_xact_id()::text as value',
    backend: 'select pg_backend_pid() as value',
    writers: 'select count(distinct xmin::text)::int as value from entries',
  },
  mariadb: {
    transaction: `select cast(trx_id as char) as value from information_schema.innodb_trx
      where trx_mysql_thread_id = connection_id()`,
    backend: 'select connection_id() as value',
  },
};

for (const engine of [...ALL_SQL_ENGINES, COCKROACHDB, PGBOUNCER]) {
  const PARTICIPANTS = participantsOn(engine);
  const NAMES = PARTICIPANTS.map(({ name }) => name);
  const PAIRS = NAMES.flatMap((outer) => NAMES.map((inner) => [outer, inner] as const));

  engine.describe('One transaction of every ORM', () => {
    let bank: Bank;

    const bindAll = (tx: ConnectionTransaction) => PARTICIPANTS.map((participant) => participant.bind(tx));

    /** Each ORM writes an entry under its name, with an id of its place in the table. */
    async function writeAll(tx: ConnectionTransaction): Promise<readonly Hands[]> {
      const all = bindAll(tx);
      for (const [id, hands] of all.entries()) await hands.insert(entry(id, NAMES[id] as string));
      return all;
    }

    const bound = (tx: ConnectionTransaction, name: string): Hands => bindAll(tx)[NAMES.indexOf(name)] as Hands;

    beforeAll(async () => {
      bank = await Bank.open(engine);
    }, 60_000);

    afterAll(async () => {
      await bank?.close();
    });

    beforeEach(async () => {
      await bank.reset();
    });

    afterEach(async () => {
      await bank.idle();
    });

    it('is read by all of them before it is committed, value by value, and by nobody outside', async () => {
      const written = comparable(NAMES.map((name, id) => entry(id, name)));
      expect(new Date(2024, 6, 1).getTimezoneOffset()).toBe(240);
      await bank.connection.transaction(async (tx) => {
        for (const hands of await writeAll(tx)) expect(comparable(await hands.entries())).toEqual(written);
        await expect(bank.seen()).resolves.toEqual([]);
        for (const { hands } of bank.open.values()) await expect(hands.entries()).resolves.toEqual([]);
      });
      expect(comparable(await bank.outside.entries())).toEqual(written);
      for (const { hands } of bank.open.values()) expect(comparable(await hands.entries())).toEqual(written);
    });

    it('leaves nothing when it throws, and the error is the one that was thrown', async () => {
      const reason = new Error('no');
      const work = bank.connection.transaction(async (tx) => {
        await writeAll(tx);
        for (const hands of bindAll(tx)) await hands.deposit(1, 1);
        throw reason;
      });
      await expect(work).rejects.toBe(reason);
      await expect(bank.seen()).resolves.toEqual([]);
      await expect(bank.outside.balance(1)).resolves.toBe(1_000);
    });

    it('adds up what each of them changes', async () => {
      await bank.connection.transaction(async (tx) => {
        for (const [index, hands] of bindAll(tx).entries()) {
          await hands.deposit(1, 1);
          await expect(hands.balance(1)).resolves.toBe(1_001 + index);
        }
      });
      await expect(bank.outside.balance(1)).resolves.toBe(1_000 + NAMES.length);
    });

    it.each(PAIRS)('nested by %s: what %s does in it is undone alone', async (nesting, writing) => {
      await bank.connection.transaction(async (tx) => {
        await writeAll(tx);
        const undone = rejection(
          bound(tx, nesting).transaction(async (inner) => {
            await inner.insert(entry(100, 'undone'));
            // The handle is the outer one's: where the code runs decides.
            await bound(tx, writing).insert(entry(101, 'undone'));
            await bound(tx, writing).deposit(1, 50);
            await inner.deposit(1, 50);
            await expect(inner.balance(1)).resolves.toBe(1_100);
            throw new Error('undone');
          }),
        );
        await expect(undone).resolves.toMatchObject({ message: 'undone' });
        await bound(tx, nesting).transaction(async (inner) => {
          await inner.deposit(1, 7);
          await bound(tx, writing).insert(entry(102, 'kept'));
        });
        await bound(tx, writing).deposit(2, 1);
      });
      await expect(bank.seen()).resolves.toEqual([...NAMES, 'kept']);
      await expect(bank.balances()).resolves.toEqual([1_007, 1_001, 1_000, 1_000, 1_000, 1_000]);
    });

    it('nests one ORM in the other as deep as there are ORMs', async () => {
      const reason = new Error('undone');
      await bank.connection.transaction(async (tx) => {
        /** Each level undoes, or keeps, what is below it. */
        const descend = async (level: number): Promise<void> => {
          const name = NAMES[level];
          if (name === undefined) return;
          const work = bound(tx, name).transaction(async (inner) => {
            await inner.insert(entry(level, name));
            await descend(level + 1);
            if (level === 3) throw reason;
          });
          if (level === 3) await expect(work).rejects.toBe(reason);
          else await work;
        };
        await descend(0);
      });
      await expect(bank.seen()).resolves.toEqual(NAMES.slice(0, 3));
    });

    it('takes what all of them send at once, one after the other', async () => {
      await bank.connection.transaction(async (tx) => {
        const all = bindAll(tx).filter((_, index) => engine.name !== 'sqlite' || NAMES[index] !== 'driver');
        const nested = all.map((hands, index) =>
          hands.transaction(async (inner) => {
            await inner.insert(entry(index, 'kept'));
            await inner.deposit(1, 1);
          }),
        );
        const undone = all.map((hands, index) =>
          rejection(
            hands.transaction(async (inner) => {
              await inner.insert(entry(100 + index, 'undone'));
              await inner.deposit(1, 100);
              throw new Error('undone');
            }),
          ),
        );
        await Promise.all([...nested, ...undone]);
      });
      const kept = await bank.seen();
      expect(new Set(kept)).toEqual(new Set(['kept']));
      await expect(bank.outside.balance(1)).resolves.toBe(1_000 + kept.length);
    });

    const identity = IDENTITIES[engine.name];
    if (identity !== undefined) {
      it('seeds 4: Many ORMs, one pool: has one transaction id and one backend for all, nested ones too', async () => {
        const ids = new Set<unknown>();
        const pids = new Set<unknown>();
        const look = async (hands: Hands) => {
          ids.add(await hands.value(identity.transaction));
          pids.add(await hands.value(identity.backend));
        };
        await bank.connection.transaction(async (tx) => {
          for (const hands of await writeAll(tx)) {
            await look(hands);
            await hands.transaction(look);
          }
        });
        expect(ids.size).toBe(1);
        expect(pids.size).toBe(1);
        const { writers } = identity;
        if (writers !== undefined) await expect(bank.outside.value(writers)).resolves.toBe(1);
      });
    }
  });
}

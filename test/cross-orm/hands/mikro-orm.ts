import { EntitySchema, LockMode, raw, types } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { EngineName, Entry, Hands } from '../hands.js';

interface Account {
  id: number;
  balance: number;
}

const accounts = new EntitySchema<Account>({
  name: 'Account',
  tableName: 'accounts',
  properties: { id: { type: types.integer, primary: true, autoincrement: false }, balance: { type: types.integer } },
});

const entriesOf = (tags: typeof types.array | typeof types.json) =>
  new EntitySchema<Entry>({
    name: 'Entry',
    tableName: 'entries',
    properties: {
      id: { type: types.integer, primary: true, autoincrement: false },
      writer: { type: types.text },
      big: { type: types.bigint },
      at: { type: types.datetime, length: 6 },
      day: { type: types.date },
      json: { type: types.json },
      bytes: { type: types.blob },
      tags: { type: tags },
    },
  });

/** The entities of the tests, by engine; of these only PostgreSQL has arrays. */
export const MIKRO_ORM_ENTITIES = {
  postgres: [accounts, entriesOf(types.array)],
  mariadb: [accounts, entriesOf(types.json)],
  mssql: [accounts, entriesOf(types.json)],
  sqlite: [accounts, entriesOf(types.json)],
} as const;

/** MikroORM at work, always by its unit of work. Its identity map may be stale, as others write too: everything is read anew. */
export function mikroOrmHands(em: SqlEntityManager, engine: EngineName): Hands {
  const [, entries] = MIKRO_ORM_ENTITIES[engine];
  return {
    async insert(entry) {
      em.create(entries, { ...entry, bytes: Buffer.from(entry.bytes) });
      await em.flush();
    },
    entries: () => em.find(entries, {}, { orderBy: { id: 'asc' }, refresh: true }),
    async deposit(id, amount) {
      if (engine === 'mssql') {
        // Not every server that speaks its protocol heeds the hint that MikroORM locks rows with.
        await em.nativeUpdate(accounts, { id }, { balance: raw<number>('balance + ?', [amount]) });
        return;
      }
      await em.transactional(async (own) => {
        const account = await own.findOneOrFail(accounts, id, { refresh: true, lockMode: LockMode.PESSIMISTIC_WRITE });
        account.balance += amount;
      });
    },
    balance: async (id) => (await em.findOneOrFail(accounts, id, { refresh: true })).balance,
    async value(sql) {
      const [row] = await em.execute<{ value: unknown }[]>(sql);
      return row?.value;
    },
    transaction: (work) => em.transactional((inner) => work(mikroOrmHands(inner, engine))),
  };
}

/** MikroORM at work outside transactions: each piece of work gets a fork, as each request of a service does. */
export function forkingHands(em: SqlEntityManager, engine: EngineName): Hands {
  const hands = () => mikroOrmHands(em.fork(), engine);
  return {
    insert: (entry) => hands().insert(entry),
    entries: () => hands().entries(),
    deposit: (account, amount) => hands().deposit(account, amount),
    balance: (account) => hands().balance(account),
    value: (sql) => hands().value(sql),
    transaction: (work) => hands().transaction(work),
  };
}

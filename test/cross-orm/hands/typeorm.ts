import { type EntityManager, EntitySchema, type EntitySchemaColumnOptions } from 'typeorm';
import type { EngineName, Entry, Hands } from '../hands.js';

interface Account {
  id: number;
  balance: number;
}

const accounts = new EntitySchema<Account>({
  name: 'Account',
  tableName: 'accounts',
  columns: { id: { type: 'integer', primary: true }, balance: { type: 'integer' } },
});

const big: EntitySchemaColumnOptions = {
  type: 'bigint',
  transformer: { to: (value) => String(value), from: (value) => BigInt(value) },
};

const COLUMNS: Record<EngineName, Record<'at' | 'day' | 'json' | 'bytes' | 'tags', EntitySchemaColumnOptions>> = {
  postgres: {
    at: { type: 'timestamptz' },
    day: { type: 'date' },
    json: { type: 'jsonb' },
    bytes: { type: 'bytea' },
    tags: { type: 'text', array: true },
  },
  mariadb: {
    at: { type: 'datetime', precision: 6 },
    day: { type: 'date' },
    json: { type: 'json' },
    bytes: { type: 'blob' },
    tags: { type: 'json' },
  },
  mssql: {
    at: { type: 'datetime2', precision: 6 },
    day: { type: 'date' },
    json: { type: 'simple-json' },
    bytes: { type: 'varbinary', length: 'max' },
    tags: { type: 'simple-json' },
  },
  sqlite: {
    at: { type: 'integer', transformer: { to: (at: Date) => at.getTime(), from: (at) => new Date(Number(at)) } },
    day: { type: 'text' },
    json: { type: 'simple-json' },
    bytes: { type: 'blob' },
    tags: { type: 'simple-json' },
  },
};

const entriesOf = (engine: EngineName) =>
  new EntitySchema<Entry>({
    name: 'Entry',
    tableName: 'entries',
    columns: { id: { type: 'integer', primary: true }, writer: { type: 'text' }, big, ...COLUMNS[engine] },
  });

/** The entities of the tests, by engine. */
export const TYPEORM_ENTITIES = {
  postgres: [accounts, entriesOf('postgres')],
  mariadb: [accounts, entriesOf('mariadb')],
  mssql: [accounts, entriesOf('mssql')],
  sqlite: [accounts, entriesOf('sqlite')],
} as const;

/** TypeORM at work. */
export function typeormHands(manager: EntityManager, engine: EngineName): Hands {
  const [, entries] = TYPEORM_ENTITIES[engine];
  return {
    insert: (entry) => manager.save(entries, { ...entry, bytes: Buffer.from(entry.bytes) }),
    entries: () => manager.find(entries, { order: { id: 'ASC' } }),
    deposit: (id, amount) => manager.increment(accounts, { id }, 'balance', amount),
    balance: async (id) => (await manager.findOneByOrFail(accounts, { id })).balance,
    async value(sql) {
      const [row] = await manager.query(sql);
      return row.value;
    },
    transaction: (work) => manager.transaction((inner) => work(typeormHands(inner, engine))),
  };
}

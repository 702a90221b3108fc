import { knexBridge } from '@dbmanager/bridge-knex';
import type { Knex } from 'knex';
import type { Item, Items, OpenOrm, OrmUnderTest } from './orm-under-test.js';

/** What the drivers give: `bigint` as text or, where it is too large for a number, as bigint; dates of SQLite as numbers. */
interface Row extends Omit<Item, 'big' | 'at'> {
  readonly big: string | bigint;
  readonly at: Date | number;
}

/** Knex in the suite. */
export const knexUnderTest: OrmUnderTest = {
  name: 'Knex',
  types: knexBridge.types,
  checksOutOn: knexBridge.types,
  streamsOn: knexBridge.types,
  open: async (connection, key) => openOn(connection.use(knexBridge, undefined, key)),
  bind: (tx) => itemsOf(tx.use(knexBridge)),
};

function openOn(knex: Knex): OpenOrm {
  return {
    handle: knex,
    items: itemsOf(knex),
    createTable: () =>
      knex.schema.createTable('items', (table) => {
        table.integer('id').primary();
        table.string('name').notNullable().unique();
        table.bigInteger('big').notNullable();
        table.timestamp('at', { precision: 3 }).notNullable();
        table.jsonb('json').notNullable();
        table.binary('bytes').notNullable();
      }),
    close: () => knex.destroy(),
    async checkOut() {
      const connection: unknown = await knex.client.acquireConnection();
      // On SQLite only what may write takes a connection until it is given back.
      await knex('items').connection(connection).where('id', '<', 0).del();
      return { release: () => knex.client.releaseConnection(connection) };
    },
    async *stream() {
      for await (const { name } of knex('items').select('name').orderBy('id').stream()) yield name;
    },
  };
}

function itemsOf(knex: Knex): Items {
  const table = () => knex<Row>('items');
  return {
    // As text: Knex itself fails with a TypeError where it quotes a bigint in the message of an error.
    insert: ({ json, big, at, ...item }) =>
      knex('items').insert({
        ...item,
        big: String(big),
        // Knex sends a Date to SQL Server as the type datetime, which counts in 300ths of a second.
        at: knex.client.dialect === 'mssql' ? at.toISOString() : at,
        json: JSON.stringify(json),
      }),
    async find(id) {
      const row = await table().where({ id }).first();
      if (row === undefined) return undefined;
      const json = typeof row.json === 'string' ? JSON.parse(row.json) : row.json;
      return { ...row, json, big: BigInt(row.big), at: new Date(row.at) };
    },
    names: async () => (await table().orderBy('id').select('name')).map(({ name }) => name),
    rename: async (id, name) => table().where({ id }).update({ name }),
    remove: async (id) => table().where({ id }).del(),
    raw: async (sql) => knex.raw(sql),
    transaction: (work) => knex.transaction((tx) => work(itemsOf(tx))),
  };
}

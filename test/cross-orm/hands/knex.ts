import type { Knex } from 'knex';
import type { EngineName, Hands } from '../hands.js';
import { ROW_CODECS } from './rows.ts';

/** Knex at work. */
export function knexHands(knex: Knex, engine: EngineName): Hands {
  const { toRow, fromRow } = ROW_CODECS[engine];
  return {
    insert: async (entry) => knex('entries').insert(toRow(entry)),
    entries: async () => (await knex('entries').select('*').orderBy('id')).map(fromRow),
    deposit: async (id, amount) => knex('accounts').where({ id }).increment('balance', amount),
    async balance(id) {
      const row = await knex('accounts').where({ id }).first('balance');
      return row.balance;
    },
    async value(sql) {
      const result = await knex.raw(sql);
      const [row] = result.rows ?? result;
      // mysql2 gives a list of the rows and the columns.
      return (Array.isArray(row) ? row[0] : row).value;
    },
    transaction: (work) => knex.transaction((trx) => work(knexHands(trx, engine))),
  };
}

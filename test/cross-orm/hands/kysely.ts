import { CompiledQuery, type Kysely } from 'kysely';
import type { EngineName, Hands } from '../hands.js';
import { type EntryRow, ROW_CODECS } from './rows.ts';

/** The tables as Kysely sees them. */
export interface KyselyTables {
  entries: { [Column in keyof EntryRow]: unknown };
  accounts: { id: number; balance: number };
}

/** Kysely at work. */
export function kyselyHands(db: Kysely<KyselyTables>, engine: EngineName): Hands {
  const { toRow, fromRow } = ROW_CODECS[engine];
  return {
    insert: (entry) => db.insertInto('entries').values(toRow(entry)).execute(),
    entries: async () => (await db.selectFrom('entries').selectAll().orderBy('id').execute()).map(fromRow),
    deposit: (id, amount) =>
      db
        .updateTable('accounts')
        .set((column) => ({ balance: column('balance', '+', amount) }))
        .where('id', '=', id)
        .execute(),
    async balance(id) {
      const row = await db.selectFrom('accounts').select('balance').where('id', '=', id).executeTakeFirstOrThrow();
      return row.balance;
    },
    async value(sql) {
      const { rows } = await db.executeQuery<{ value: unknown }>(CompiledQuery.raw(sql));
      return rows[0]?.value;
    },
    transaction: (work) => db.transaction().execute((trx) => work(kyselyHands(trx, engine))),
  };
}

import type { Queryable } from '@dbmanager/database';
import type { EngineName, Hands } from '../hands.js';
import { type EntryRow, ROW_CODECS } from './rows.ts';

/** The Database API, or a transaction of it, at work. */
export interface Statements extends Pick<Queryable, 'query' | 'queryOne' | 'execute'> {
  transaction<T>(work: (tx: Statements) => Promise<T>): Promise<T>;
}

/** dbmanager's own statements. */
export function databaseHands(db: Statements, engine: EngineName): Hands {
  const { toRow, fromRow } = ROW_CODECS[engine];
  return {
    insert(entry) {
      const row = toRow(entry);
      const columns = Object.keys(row);
      const places = columns.map(() => '?').join(', ');
      return db.execute(`insert into entries (${columns.join(', ')}) values (${places})`, Object.values(row));
    },
    entries: async () => (await db.query<EntryRow>('select * from entries order by id')).map(fromRow),
    deposit: (id, amount) => db.execute('update accounts set balance = balance + ? where id = ?', [amount, id]),
    async balance(id) {
      const row = await db.queryOne<{ balance: number }>('select balance from accounts where id = ?', [id]);
      return row?.balance ?? Number.NaN;
    },
    value: async (sql) => (await db.queryOne<{ value: unknown }>(sql))?.value,
    transaction: (work) => db.transaction((tx) => work(databaseHands(tx, engine))),
  };
}

import { SqlError } from '../sql-error.js';
import { quoted } from '../tsql/sqlite-names.js';
import type { BulkLoad } from '../wire/bulk-load.js';
import type { BatchRunner } from './batch-runner.js';
import { checkWritable, contextOf } from './query-runner.js';
import { translateError } from './sqlite-errors.js';

/** Inserts the rows that follow an INSERT BULK, all or none. */
export async function insertBulk(runner: BatchRunner, { columns, rows }: BulkLoad): Promise<void> {
  const { session, signal, sink } = runner;
  const name = session.bulkTable;
  if (name === undefined) throw new SqlError(4022, 'Bulk load data was expected but not sent.', { reach: 'batch' });
  session.bulkTable = undefined;
  const target = runner.table(name);
  const places = columns.map(() => '?').join(', ');
  const sql = `INSERT INTO ${target.sqlName} (${columns.map(quoted).join(', ')}) VALUES (${places})`;
  const insert = () => {
    const statement = session.sqlite.prepare(sql);
    for (const row of rows) statement.run(...row);
  };
  try {
    if (!target.temporary) checkWritable(session);
    if (target.temporary) insert();
    else await session.current.write(signal, insert);
  } catch (error) {
    throw translateError(error, contextOf(session, { verb: 'INSERT', target }));
  }
  session.rowCount = rows.length;
  sink.done({ rowCount: rows.length });
}

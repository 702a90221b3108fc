// SQL Server: Knex, the Database API and node-mssql's own pool on one pool, and what becomes of a transaction that the server
// has rolled back by itself.
import { fileURLToPath } from 'node:url';
import { ConnectionManager, isDbManagerError } from 'dbmanager';

const mgr = await ConnectionManager.load(fileURLToPath(new URL('./dbmanager.yaml', import.meta.url)));
await mgr.connect();
try {
  const shop = mgr.get('shop');
  const db = shop.database();
  await db.execute('drop table if exists stock');
  await db.execute('create table stock (item nvarchar(40) not null primary key, pieces int not null)');
  await shop
    .knex()('stock')
    .insert([
      { item: 'chair', pieces: 4 },
      { item: 'lamp', pieces: 10 },
    ]);

  await shop.transaction(async (tx) => {
    await tx.execute('update stock set pieces = pieces - 1 where item = ?', ['lamp']);
    await tx.knex()('stock').where({ item: 'chair' }).decrement('pieces', 1);
  });

  try {
    await shop.transaction(async (tx) => {
      await tx.execute('set xact_abort on');
      await tx.execute('update stock set pieces = 0');
      // The lamp is there already: SQL Server rolls everything back. That this code overlooks it makes nothing worse.
      await tx.execute('insert into stock values (?, 1)', ['lamp']).catch(() => undefined);
      await tx.execute('delete from stock');
    });
  } catch (error) {
    if (!isDbManagerError(error)) throw error;
    console.log('after the error:', error.code);
  }

  const request = shop.native('mssql').request().input('least', 1);
  const { recordset } = await request.query('select item, pieces from stock where pieces >= @least order by item');
  console.log('stock, by node-mssql:', JSON.stringify(recordset));

  const { inUse, max } = shop.stats().pool;
  console.log(`connections in use now: ${inUse} of ${max}`);
} finally {
  await mgr.close();
}

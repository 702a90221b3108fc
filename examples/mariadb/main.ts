// MariaDB or MySQL: Knex, the Database API and mysql2's own pool on one pool, and a deadlock that is repeated.
import { fileURLToPath } from 'node:url';
import { ConnectionManager } from 'dbmanager';

const mgr = await ConnectionManager.load(fileURLToPath(new URL('./dbmanager.yaml', import.meta.url)));
await mgr.connect();
try {
  const shop = mgr.get('shop');
  const knex = shop.knex();
  await knex.schema.dropTableIfExists('stock');
  await knex.schema.createTable('stock', (table) => {
    table.string('item', 40).primary();
    table.integer('pieces').notNullable();
  });
  await knex('stock').insert([
    { item: 'lamp', pieces: 10 },
    { item: 'chair', pieces: 10 },
  ]);

  // Each locks one row and then wants the other's: the server gives one of them up, and `retry` runs it again.
  let bothLocked: () => void = () => {};
  const locked = new Promise<void>((resolve) => {
    bothLocked = resolve;
  });
  let [attempts, locks] = [0, 0];
  const swap = (from: string, to: string) =>
    shop.transaction({ retry: 3 }, async (tx) => {
      attempts++;
      await tx.execute('update stock set pieces = pieces - 1 where item = ?', [from]);
      if (++locks === 2) bothLocked();
      await locked;
      await tx.knex()('stock').where({ item: to }).increment('pieces', 1);
    });
  await Promise.all([swap('lamp', 'chair'), swap('chair', 'lamp')]);
  console.log('two transactions in a deadlock took', attempts, 'attempts');

  const [rows] = await shop.native('mariadb').promise().query('select item, pieces from stock order by item');
  console.log('stock, by mysql2:', JSON.stringify(rows));

  const { inUse, max } = shop.stats().pool;
  console.log(`connections in use now: ${inUse} of ${max}`);
} finally {
  await mgr.close();
}

// One pool per database, under every door: Knex, the native handle and the Database API on one SQLite database.
import { fileURLToPath } from 'node:url';
import { ConnectionManager } from 'dbmanager';

const mgr = await ConnectionManager.load(fileURLToPath(new URL('./dbmanager.yaml', import.meta.url)));
await mgr.connect();
try {
  const primary = mgr.get('primary');

  const knex = primary.knex();
  await knex.schema.createTable('users', (table) => {
    table.increments('id');
    table.string('name').notNullable();
    table.boolean('active').notNullable();
  });
  await knex('users').insert([
    { name: 'Ada', active: true },
    { name: 'Grace', active: true },
    { name: 'Konrad', active: false },
  ]);
  const active = await knex('users').where({ active: true }).select('name');
  console.log('active users, by Knex:', active.map(({ name }) => name).join(', '));

  const db = mgr.getDefaultDatabase();
  await db.transaction(async (tx) => {
    const { rowsAffected } = await tx.execute('update users set active = ? where name = ?', [1, 'Konrad']);
    console.log('rows changed in a transaction:', rowsAffected);
  });

  const count = await primary
    .native('sqlite')
    .read((handle) => handle.prepare('select count(*) as n from users').get());
  console.log('rows, by better-sqlite3:', JSON.stringify(count));

  const { open, max } = primary.stats().pool;
  console.log(`connections open for all of them: ${open} of ${max}`);
} finally {
  await mgr.close();
}

// One transaction across five ORMs and plain SQL, on one connection of one pool: one COMMIT, or nothing.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Connection, ConnectionManager } from 'dbmanager';
import { Account, Customer, orders, type Tables } from './tables.ts';

const folder = await mkdtemp(join(tmpdir(), 'dbmanager-example-'));
const mgr = await ConnectionManager.load(fileURLToPath(new URL('./dbmanager.yaml', import.meta.url)), {
  env: { SHOP_DATABASE: join(folder, 'shop.db') },
});
await mgr.connect();
try {
  const primary = mgr.get('primary');
  await createTables(primary);

  await sell(primary, { customer: 1, name: 'Ada', item: 'lamp', price: 30 });
  console.log('sold:', await describe(primary));

  const error = await sell(primary, { customer: 2, name: 'Grace', item: 'piano', price: 900 }).catch((e: Error) => e);
  console.log('not sold:', error instanceof Error ? error.message : error);
  console.log('nothing of it is left:', await describe(primary));

  const { open, max } = primary.stats().pool;
  console.log(`connections open for all of them: ${open} of at most ${max}`);
} finally {
  await mgr.close();
  await rm(folder, { recursive: true });
}

interface Sale {
  readonly customer: number;
  readonly name: string;
  readonly item: string;
  readonly price: number;
}

async function sell(primary: Connection, { customer, name, item, price }: Sale): Promise<void> {
  await primary.transaction({ isolation: 'serializable', timeout: '5s', retry: 3 }, async (tx) => {
    await tx.typeorm().insert(Customer, { id: customer, name });
    tx.mikroorm().create(Account, { customer, balance: -price }); // flushed before COMMIT
    await tx.drizzle('sqlite').insert(orders).values({ customer, item });
    await tx
      .knex()('ledger')
      .insert({ entry: `${name} bought a ${item} for ${price}` });

    // Whatever fails in here takes only itself with it.
    await tx
      .transaction(async (inner) => {
        await inner.knex()('ledger').insert({ entry: 'a voucher' });
        throw new Error('no voucher');
      })
      .catch(() => {});

    const { numUpdatedRows } = await tx
      .kysely<Tables>()
      .updateTable('stock')
      .set((eb) => ({ left: eb('left', '-', 1) }))
      .where('item', '=', item)
      .where('left', '>', 0)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows === 0n) throw new Error(`no ${item} left`);

    const [inside] = await tx.query<{ n: number }>('select count(*) as n from ledger');
    const outside = await primary.knex()('ledger').count({ n: '*' }).first();
    console.log('entries of the ledger, inside and outside:', inside?.n, outside?.n);
  });
}

/** Each ORM makes its own tables on the shared pool. */
async function createTables(primary: Connection): Promise<void> {
  await primary.typeorm({ entities: [Customer], synchronize: true });
  const orm = await primary.mikroorm({ entities: [Account] });
  await orm.schema.create();
  const knex = primary.knex();
  await knex.schema.createTable('ledger', (table) => void table.text('entry'));
  await knex.schema.createTable('orders', (table) => {
    table.increments('id');
    table.integer('customer').notNullable();
    table.text('item').notNullable();
  });
  await primary
    .kysely<Tables>()
    .schema.createTable('stock')
    .addColumn('item', 'text')
    .addColumn('left', 'integer')
    .execute();
  await primary.kysely<Tables>().insertInto('stock').values({ item: 'lamp', left: 1 }).execute();
}

/** What every ORM sees of its own table. */
async function describe(primary: Connection): Promise<string> {
  const customers = await (await primary.typeorm()).manager.find(Customer);
  const accounts = await (await primary.mikroorm()).em.fork().findAll(Account);
  const sold = await primary.drizzle('sqlite').select().from(orders);
  const stock = await primary.kysely<Tables>().selectFrom('stock').selectAll().execute();
  const ledger = await primary.knex()('ledger').pluck('entry');
  return JSON.stringify({
    customers: customers.map(({ name }) => name),
    balances: accounts.map(({ balance }) => balance),
    orders: sold.map(({ item }) => item),
    stock: stock.map(({ left }) => left),
    ledger,
  });
}

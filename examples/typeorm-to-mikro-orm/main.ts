// A service moves from TypeORM to MikroORM in three steps, on one pool and one set of tables: see step-1.ts to step-3.ts.
// Each step is put to the same use here, on what the one before has left.
import { fileURLToPath } from 'node:url';
import { ConnectionManager } from 'dbmanager';
import type { Billing } from './billing.ts';
import * as step1 from './step-1.ts';
import * as step2 from './step-2.ts';
import * as step3 from './step-3.ts';

const FIRST = 1;

const mgr = await ConnectionManager.load(fileURLToPath(new URL('./dbmanager.yaml', import.meta.url)));
await mgr.connect();
try {
  const connection = mgr.get('billing');
  console.log('all in TypeORM:');
  await use(await step1.createBilling(connection), 'Ada');
  console.log('invoices in MikroORM:');
  await use(await step2.createBilling(connection), 'Grace');
  console.log('all in MikroORM:');
  await use(await step3.createBilling(connection), 'Joan');
  const { open, max } = connection.stats().pool;
  console.log(`connections open for both: ${open} of ${max}`);
} finally {
  await mgr.close();
}

async function use(billing: Billing, name: string): Promise<void> {
  const customer = await billing.register(name);
  await billing.bill(customer, 40);
  await billing.bill(customer, 30);
  // Beyond the credit: the invoice and what is owed by it are both taken back, whichever ORMs wrote them.
  await billing.bill(customer, 50).catch((error: Error) => console.log(`  refused: ${error.message}`));
  console.log(`  ${await billing.statement(customer)}`);
  // The first customer, whom step 1 has written, goes on with every step.
  if (customer === FIRST) return;
  await billing.bill(FIRST, 10);
  console.log(`  ${await billing.statement(FIRST)}`);
}

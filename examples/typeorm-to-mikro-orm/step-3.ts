// Step 3: all of it MikroORM. Nothing mentions TypeORM any more; it can be uninstalled.
import type { Connection } from 'dbmanager';
import { assertCredit, type Billing, statementOf } from './billing.ts';
import { Customer, Invoice } from './mikro-orm-entities.ts';

export async function createBilling(connection: Connection): Promise<Billing> {
  const orm = await connection.mikroorm({ entities: [Customer, Invoice] });
  return {
    async register(name) {
      const em = orm.em.fork();
      const customer = em.create(Customer, { name });
      await em.flush();
      return customer.id;
    },

    bill: (id, amount) =>
      orm.em.fork().transactional(async (em) => {
        const customer = await em.findOneOrFail(Customer, { id });
        em.create(Invoice, { amount, customer });
        customer.owes += amount;
        assertCredit(customer);
      }),

    async statement(id) {
      const em = orm.em.fork();
      const customer = await em.findOneOrFail(Customer, { id });
      const invoices = await em.find(Invoice, { customer }, { orderBy: { id: 'asc' } });
      return statementOf(customer, invoices);
    },
  };
}

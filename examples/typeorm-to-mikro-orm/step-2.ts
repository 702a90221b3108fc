// Step 2: invoices have moved to MikroORM, customers not yet. What writes both does so in one transaction across the two.
// The service can run like this in production for as long as the move takes.
import type { Connection } from 'dbmanager';
import { assertCredit, type Billing, statementOf } from './billing.ts';
import { Customer, Invoice } from './mikro-orm-entities.ts';
import { CustomerSchema } from './typeorm-entities.ts';

export async function createBilling(connection: Connection): Promise<Billing> {
  const typeorm = await connection.typeorm();
  const orm = await connection.mikroorm({ entities: [Customer, Invoice] });
  return {
    async register(name) {
      const { id } = await typeorm.manager.save(CustomerSchema, { name });
      return id;
    },

    bill: (id, amount) =>
      connection.transaction(async (tx) => {
        const customer = await tx.typeorm().findOneByOrFail(CustomerSchema, { id });
        tx.mikroorm().create(Invoice, { amount, customer: id }); // written before COMMIT
        customer.owes += amount;
        await tx.typeorm().save(CustomerSchema, customer);
        assertCredit(customer);
      }),

    async statement(id) {
      const customer = await typeorm.manager.findOneByOrFail(CustomerSchema, { id });
      const invoices = await orm.em.fork().find(Invoice, { customer: id }, { orderBy: { id: 'asc' } });
      return statementOf(customer, invoices);
    },
  };
}

// Step 1: all of it TypeORM, as before. Only the DataSource comes from dbmanager now, and with it the pool.
import type { Connection } from 'dbmanager';
import { assertCredit, type Billing, statementOf } from './billing.ts';
import { CustomerSchema, InvoiceSchema } from './typeorm-entities.ts';

export async function createBilling(connection: Connection): Promise<Billing> {
  const typeorm = await connection.typeorm({ entities: [CustomerSchema, InvoiceSchema], synchronize: true });
  return {
    async register(name) {
      const { id } = await typeorm.manager.save(CustomerSchema, { name });
      return id;
    },

    bill: (id, amount) =>
      typeorm.transaction(async (manager) => {
        const customer = await manager.findOneByOrFail(CustomerSchema, { id });
        await manager.insert(InvoiceSchema, { amount, customer });
        customer.owes += amount;
        await manager.save(CustomerSchema, customer);
        assertCredit(customer);
      }),

    async statement(id) {
      const customer = await typeorm.manager.findOneByOrFail(CustomerSchema, { id });
      const invoices = await typeorm.manager.find(InvoiceSchema, { where: { customer: { id } }, order: { id: 'asc' } });
      return statementOf(customer, invoices);
    },
  };
}

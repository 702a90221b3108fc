import { defineEntity, p } from '@mikro-orm/core';

/** The tables as TypeORM has made them: nothing is moved but the code. */
export const Customer = defineEntity({
  name: 'Customer',
  tableName: 'customers',
  properties: {
    id: p.integer().primary(),
    name: p.text(),
    owes: p.integer().default(0),
  },
});

export const Invoice = defineEntity({
  name: 'Invoice',
  tableName: 'invoices',
  properties: {
    id: p.integer().primary(),
    amount: p.integer(),
    customer: () => p.manyToOne(Customer),
  },
});

import { EntitySchema } from 'typeorm';

export interface Customer {
  readonly id: number;
  readonly name: string;
  owes: number;
}

export interface Invoice {
  readonly id: number;
  readonly amount: number;
  readonly customer: Customer;
}

export const CustomerSchema = new EntitySchema<Customer>({
  name: 'Customer',
  tableName: 'customers',
  columns: {
    id: { type: 'integer', primary: true, generated: 'increment' },
    name: { type: 'text' },
    owes: { type: 'integer', default: 0 },
  },
});

export const InvoiceSchema = new EntitySchema<Invoice>({
  name: 'Invoice',
  tableName: 'invoices',
  columns: {
    id: { type: 'integer', primary: true, generated: 'increment' },
    amount: { type: 'integer' },
  },
  relations: {
    customer: { type: 'many-to-one', target: 'Customer', joinColumn: { name: 'customer_id' }, nullable: false },
  },
});

// Each ORM knows tables of its own, in its own way.
import { defineEntity, p } from '@mikro-orm/core';
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { EntitySchema } from 'typeorm';

/** TypeORM */
export interface Customer {
  readonly id: number;
  readonly name: string;
}
export const Customer = new EntitySchema<Customer>({
  name: 'customers',
  columns: { id: { type: 'integer', primary: true }, name: { type: 'text' } },
});

/** MikroORM */
export const Account = defineEntity({
  name: 'Account',
  tableName: 'accounts',
  properties: { customer: p.integer().primary(), balance: p.integer() },
});

/** Drizzle */
export const orders = sqliteTable('orders', {
  id: integer().primaryKey(),
  customer: integer().notNull(),
  item: text().notNull(),
});

/** Kysely */
export interface Tables {
  stock: { item: string; left: number };
}

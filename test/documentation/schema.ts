import { boolean, pgTable, serial, text } from 'drizzle-orm/pg-core';

/** The schema that the page on Drizzle imports. */
export const users = pgTable('users', {
  id: serial('id').primaryKey(),
  name: text('name').notNull(),
  active: boolean('active'),
});

import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

export const stock = sqliteTable('stock', {
  item: text().primaryKey(),
  left: integer().notNull(),
});

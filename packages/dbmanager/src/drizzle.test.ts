import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { sql } from 'drizzle-orm';
import { integer, sqliteTable } from 'drizzle-orm/sqlite-core';
import { BRIDGES } from './bridges.js';
import { ConnectionManager } from './connection-manager.js';

const plants = sqliteTable('plants', { id: integer().primaryKey() });
const invoices = sqliteTable('invoices', { id: integer().primaryKey() });

describe('Drizzle of a connection', () => {
  let manager: ConnectionManager;
  const connection = () => manager.get('primary');

  beforeEach(async () => {
    manager = ConnectionManager.from(
      { connections: { primary: { type: 'sqlite', filepath: ':memory:' } } },
      { ambientTransactions: true },
    );
    await manager.connect();
    await connection().drizzle('sqlite').run(sql`create table plants (id integer primary key)`);
    await connection().drizzle('sqlite').run(sql`create table invoices (id integer primary key)`);
  });

  afterEach(async () => {
    await manager.close();
  });

  it('may be the default ORM', () => {
    expect(BRIDGES.map(({ name }) => name)).toContain('drizzle');
  });

  it('is one for each name, with the schema it was opened with', async () => {
    const garden = connection().drizzle('sqlite', { schema: { plants }, name: 'garden' });
    const billing = connection().drizzle('sqlite', { schema: { invoices }, name: 'billing' });
    expect(connection().drizzle({ name: 'garden' })).toBe(garden);
    expect(connection().drizzle('sqlite', { schema: { plants }, name: 'garden' })).toBe(garden);
    await expect(garden.query.plants.findMany()).resolves.toEqual([]);
    await expect(billing.query.invoices.findMany()).resolves.toEqual([]);
    expect(() => connection().drizzle('sqlite', { schema: { invoices }, name: 'garden' })).toThrow(
      expect.objectContaining({ code: 'DBM_INVALID_OPTION' }),
    );
  });

  it('has the same schema in a transaction, by name', async () => {
    connection().drizzle('sqlite', { schema: { plants }, name: 'garden' });
    await connection().transaction(async (tx) => {
      const garden = tx.drizzle<'sqlite', { plants: typeof plants }>('sqlite', { name: 'garden' });
      await garden.insert(plants).values({ id: 1 });
      await expect(garden.query.plants.findMany()).resolves.toEqual([{ id: 1 }]);
      await expect(tx.query('select id from plants')).resolves.toEqual([{ id: 1 }]);
    });
  });

  it('is the ambient transaction’s inside of one', async () => {
    const error = new Error('undone');
    const work = connection().transaction(async () => {
      await connection().drizzle('sqlite').insert(plants).values({ id: 1 });
      throw error;
    });
    await expect(work).rejects.toBe(error);
    await expect(connection().drizzle('sqlite').$count(plants)).resolves.toBe(0);
  });

  it('is refused for another type than the connection has', async () => {
    const refused = { code: 'DBM_UNSUPPORTED', connectionName: 'primary' };
    expect(() => connection().drizzle('postgres')).toThrow(expect.objectContaining(refused));
    await expect(connection().transaction(async (tx) => tx.drizzle('postgres'))).rejects.toMatchObject(refused);
  });
});

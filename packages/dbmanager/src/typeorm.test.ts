import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { EntitySchema } from 'typeorm';
import { rejection, SQL_ENGINES, type SqlDatabase } from '../../../test/support/sql-engines.js';
import type { Connection } from './connection.js';
import { ConnectionManager, type ConnectionManagerOptions } from './connection-manager.js';

const Plant = new EntitySchema<{ id: number }>({ name: 'plants', columns: { id: { type: Number, primary: true } } });
const Invoice = new EntitySchema<{ id: number }>({
  name: 'invoices',
  columns: { id: { type: Number, primary: true } },
});

for (const engine of SQL_ENGINES) {
  engine.describe('Connection.typeorm', () => {
    let files: SqlDatabase;
    let manager: ConnectionManager;
    let connection: Connection;

    async function connect(options: ConnectionManagerOptions = {}): Promise<void> {
      const config = files.config({ maxOpenConns: 4 });
      manager = new ConnectionManager({ defaultConnection: 'test', connections: [config] }, options);
      await manager.connect();
      connection = manager.get('test');
    }

    beforeAll(async () => {
      files = await engine.create();
      await connect();
      await connection.typeorm({ entities: [Plant, Invoice], synchronize: true });
      await manager.close();
    }, 60_000);

    afterAll(async () => {
      await files?.drop();
    });

    beforeEach(async () => {
      await connect();
      await connection.database().execute('delete from plants');
    });

    afterEach(async () => {
      await manager.close();
      const { created, destroyed } = connection.stats().pool;
      expect(created).toBe(destroyed);
    });

    it('is the same each time, and another for each name', async () => {
      const options = () => ({ entities: [Plant] });
      const plants = await connection.typeorm(options());
      const billing = await connection.typeorm({ entities: [Invoice], name: 'billing' });
      await expect(connection.typeorm()).resolves.toBe(plants);
      await expect(connection.typeorm(options())).resolves.toBe(plants);
      await expect(connection.typeorm({ name: 'billing' })).resolves.toBe(billing);
      expect([plants, billing].map((each) => each.hasMetadata(Plant))).toEqual([true, false]);
      expect(() => connection.typeorm({ entities: [Invoice] })).toThrow(
        expect.objectContaining({ code: 'DBM_INVALID_OPTION' }),
      );
    });

    it('is not kept when opening it failed', async () => {
      const refused = connection.typeorm({ entities: [Plant], poolSize: 5 } as object);
      await expect(rejection(refused)).resolves.toMatchObject({ code: 'DBM_INVALID_OPTION', option: 'poolSize' });
      await expect(connection.typeorm({ entities: [Plant] })).resolves.toBeDefined();
    });

    it('takes part in transactions, by its name', async () => {
      await connection.typeorm({ entities: [Plant] });
      await connection.typeorm({ entities: [Invoice], name: 'billing' });
      const failure = new Error('of the application');
      const failing = connection.transaction(async (tx) => {
        await tx.typeorm().insert(Plant, { id: 1 });
        await tx.typeorm({ name: 'billing' }).insert(Invoice, { id: 1 });
        await expect(tx.knex()('plants').pluck('id')).resolves.toEqual([1]);
        await expect(tx.knex()('invoices').pluck('id')).resolves.toEqual([1]);
        throw failure;
      });
      await expect(rejection(failing)).resolves.toBe(failure);
      await expect(connection.knex()('invoices').pluck('id')).resolves.toEqual([]);
    });

    it('is the transaction`s where transactions are ambient', async () => {
      await manager.close();
      await connect({ ambientTransactions: true });
      const outside = await connection.typeorm({ entities: [Plant] });
      await rejection(
        connection.transaction(async () => {
          const inside = await connection.typeorm();
          await inside.getRepository(Plant).insert({ id: 1 });
          await expect(inside.getRepository(Plant).count()).resolves.toBe(1);
          await expect(outside.getRepository(Plant).count()).resolves.toBe(0);
          throw new Error('undone');
        }),
      );
      await expect(outside.getRepository(Plant).count()).resolves.toBe(0);
    });
  });
}

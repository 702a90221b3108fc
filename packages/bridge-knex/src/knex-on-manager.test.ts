import { ConnectionManager, ManagedConnection } from '@dbmanager/core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import {
  MARIADB,
  MSSQL,
  rejection,
  SQL_ENGINES,
  SQL_PROVIDERS,
  type SqlDatabase,
} from '../../../test/support/sql-engines.js';
import { knexBridge } from './knex-bridge.js';

for (const engine of [...SQL_ENGINES, MARIADB, MSSQL]) {
  engine.describe('Knex of a manager', () => {
    let database: SqlDatabase;
    let manager: ConnectionManager;

    beforeAll(async () => {
      database = await engine.create();
    }, 60_000);

    afterAll(async () => {
      await database?.drop();
    });

    beforeEach(async () => {
      manager = new ConnectionManager(
        { defaultConnection: undefined, connections: [database.config({ maxOpenConns: 4 })] },
        { providers: SQL_PROVIDERS, createConnection: (setup) => new ManagedConnection(setup) },
      );
      await manager.connect();
    });

    afterEach(async () => {
      await manager.close();
    });

    const knex = () => manager.get('test').use(knexBridge);
    const answer = () => knex().select(knex().raw('1 as one')).first<{ one: number }>();

    it('is the same each time', () => {
      expect(knex()).toBe(knex());
    });

    it('survives a reconnect', async () => {
      const before = knex();
      await manager.reconnect('test');
      await expect(before.select(before.raw('1 as one')).first()).resolves.toEqual({ one: 1 });
    });

    it('is one of several on one pool, each detached alone', async () => {
      const reports = manager.get('test').use(knexBridge, {}, 'reports');
      expect(reports).not.toBe(knex());
      await reports.destroy();
      await expect(answer()).resolves.toEqual({ one: 1 });
    });

    it('is refused once the manager is closed, and holds nothing open', async () => {
      const handle = knex();
      await expect(answer()).resolves.toEqual({ one: 1 });
      await expect(manager.close()).resolves.toMatchObject({ drained: true });
      await expect(rejection(handle.raw('select 1'))).resolves.toMatchObject({ code: 'DBM_CLOSED' });
    });
  });
}

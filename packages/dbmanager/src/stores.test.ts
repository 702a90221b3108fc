import { FakeClock } from '@dbmanager/testkit';
import { describe, expect, it } from '@jest/globals';
import { ConnectionManager } from './index.js';

const HOUR = 3_600_000;

function later(): Date {
  return new Date(Date.now() + HOUR);
}

describe('Stores of a connection', () => {
  it('keep what the application gives them, under the prefix that it names', async () => {
    const manager = await ConnectionManager.open({ filepath: ':memory:' });
    const stores = manager.getDefault().stores({ prefix: 'app_' });
    await stores.createTables();
    await stores.sessions.save({ id: 's1', data: { cart: [1] }, expiresAt: later() });
    await expect(manager.getDefault().stores({ prefix: 'app_' }).sessions.load('s1')).resolves.toMatchObject({
      data: { cart: [1] },
    });
    await expect(manager.getDefaultDatabase().query('select id from app_sessions')).resolves.toEqual([{ id: 's1' }]);
    await manager.close();
    await expect(stores.sessions.load('s1')).rejects.toMatchObject({ code: 'DBM_CLOSED' });
  });

  it('are created by a migration', async () => {
    const manager = await ConnectionManager.open({ filepath: ':memory:' });
    const connection = manager.getDefault();
    await connection.migrations({ migrations: [connection.stores().migration(1)] }).up();
    await expect(connection.stores().tenants.load('t1')).resolves.toBeUndefined();
    await manager.close();
  });

  it('work in the ambient transaction', async () => {
    const config = { connections: { main: { type: 'sqlite', filepath: ':memory:' } } };
    const manager = ConnectionManager.from(config, { ambientTransactions: true });
    await manager.connect();
    const connection = manager.get('main');
    const stores = connection.stores();
    await stores.createTables();
    const undone = connection.transaction(async () => {
      await stores.tenants.save({ id: 't1', name: 'One', hosts: ['a.com'] });
      await expect(stores.tenants.loadByHost('a.com')).resolves.toBeDefined();
      throw new Error('no');
    });
    await expect(undone).rejects.toThrow('no');
    await expect(stores.tenants.load('t1')).resolves.toBeUndefined();
    await manager.close();
  });

  it('stop cleaning up when the manager closes', async () => {
    const clock = new FakeClock();
    const config = { connections: { main: { type: 'sqlite', filepath: ':memory:' } } };
    const manager = ConnectionManager.from(config, { clock });
    const before = clock.pendingTimers;
    manager.get('main').stores().startCleanUp({ interval: '1h' });
    expect(clock.pendingTimers).toBe(before + 1);
    await manager.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it('are refused where there is no SQL', async () => {
    const config = { connections: { keys: { type: 'kv', filepath: 'keys' } } };
    const manager = ConnectionManager.from(config);
    expect(() => manager.get('keys').stores()).toThrow(
      expect.objectContaining({ code: 'DBM_UNSUPPORTED', connectionName: 'keys' }),
    );
    await manager.close();
  });
});

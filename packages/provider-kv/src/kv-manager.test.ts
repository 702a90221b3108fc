import {
  ConnectionManager,
  ManagedConnection,
  NotSqlDatabaseError,
  type RegisterOptions,
  resolveConfig,
} from '@dbmanager/core';
import { createDatabase } from '@dbmanager/database';
import { afterAll, describe, expect, it } from '@jest/globals';
import { ClassicLevel } from 'classic-level';
import { all, TemporaryFolder } from '../test/kv-fixture.js';
import { keyValueStore, kvProvider } from './index.js';

const folder = new TemporaryFolder();
afterAll(() => folder[Symbol.dispose]());

function manager(connections: object) {
  const { config } = resolveConfig({ connections }, { providers: [kvProvider] });
  return new ConnectionManager(config, {
    providers: [kvProvider],
    createConnection: (setup) => new ManagedConnection(setup),
  });
}

describe('a manager', () => {
  it('opens, watches, counts, reconnects and closes a key-value database', async () => {
    const filepath = folder.newPath();
    const mgr = manager({ cache: { type: 'leveldb', filepath, max_open_conns: 4 } });
    await mgr.connect();
    const connection = mgr.get('cache');
    const store = keyValueStore<number>(connection);
    await store.transaction(async (tx) => tx.set('a', 1));
    await connection.healthCheck();
    await using snapshot = await store.snapshot();
    expect(connection.stats()).toMatchObject({
      type: 'kv',
      health: { status: 'healthy', state: 'ready' },
      pool: { max: 4, inUse: 1, down: false },
      transactions: { outcomes: { committed: 1 } },
      identity: { system: 'leveldb', namespace: filepath },
    });
    await connection.reconnect();
    expect(await store.get('a')).toBe(1);
    expect(await snapshot.get('a')).toBe(1);
    await snapshot.close();
    expect(await mgr.close()).toMatchObject({ drained: true });
    const { created, destroyed } = connection.stats().pool;
    expect(created).toBe(destroyed);
    await expect(store.get('a')).rejects.toMatchObject({ code: 'DBM_CLOSED' });
    await new ClassicLevel(filepath).close();
  });

  it('ends what is still held when the time to drain is over', async () => {
    const mgr = manager({ cache: { type: 'kv', filepath: folder.newPath(), drain_timeout: '1ms' } });
    await mgr.connect();
    const store = keyValueStore<number>(mgr.get('cache'));
    await store.set('a', 1);
    const snapshot = await store.snapshot();
    const scan = store.scan();
    await scan.next();
    expect(await mgr.close()).toMatchObject({ drained: false, held: { cache: [{}, {}] } });
    await expect(snapshot.get('a')).rejects.toMatchObject({ code: 'DBM_LEASE_RELEASED' });
    await snapshot.close();
    await scan.return(undefined);
  });

  it('refuses SQL there', async () => {
    const mgr = manager({ cache: { type: 'kv', filepath: folder.newPath() } });
    await mgr.connect();
    const connection = mgr.get('cache');
    const failing = async () => createDatabase(connection).query('SELECT 1');
    await expect(failing()).rejects.toBeInstanceOf(NotSqlDatabaseError);
    await mgr.close();
  });

  it('works on a database that the caller has opened, and leaves it open', async () => {
    const handle = new ClassicLevel(folder.newPath());
    await handle.open();
    const mgr = manager({});
    const options: RegisterOptions = { type: 'kv', handle, max_open_conns: 2 };
    const store = keyValueStore<number>(await mgr.register('mine', options));
    await store.set('a', 1, { ttlMs: 60_000 });
    expect(await all(store.keys())).toEqual(['a']);
    await mgr.close();
    expect(handle.status).toBe('open');
    await handle.close();
  });

  it('says so when the caller has closed that database', async () => {
    const handle = new ClassicLevel(folder.newPath());
    await handle.open();
    const mgr = manager({});
    const connection = await mgr.register('mine', { type: 'kv', handle });
    await handle.close();
    await expect(connection.healthCheck()).rejects.toMatchObject({ cause: { code: 'DBM_CONNECTION_LOST' } });
    await expect(keyValueStore(connection).get('a')).rejects.toMatchObject({ code: 'DBM_CONNECTION_LOST' });
    await mgr.close();
  });
});

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { ConnectionManager, DbManagerError, NoDatabaseManager } from './index.js';

const folder = mkdtempSync(join(tmpdir(), 'dbmanager-database-'));
afterAll(() => rmSync(folder, { recursive: true }));

const code = (expected: string) => expect.objectContaining({ code: expected });

describe('seeds 0: connect/close/ping/stats/isConnected: the database of a connection', () => {
  it('is connected from connect() to close(), answers a ping, and shows its counters', async () => {
    const mgr = ConnectionManager.from({ connections: { main: { type: 'sqlite', filepath: ':memory:' } } });
    await mgr.connect();
    const db = mgr.getDefaultDatabase();
    expect(db.isConnected).toBe(true);
    await expect(db.ping()).resolves.toBeUndefined();
    await db.query('select 1');
    expect(db.stats()).toMatchObject({ name: 'main', type: 'sqlite', pool: { open: 1, inUse: 0, idle: 1 } });
    await mgr.close();
    expect(db.isConnected).toBe(false);
    await expect(db.ping()).rejects.toThrow(code('DBM_CLOSED'));
    await expect(db.query('select 1')).rejects.toThrow(code('DBM_CLOSED'));
  });

  it('is not connected where the database does not answer, and a ping says why', async () => {
    const main = { type: 'sqlite', filepath: join(folder, 'none', 'app.db'), startup: 'lazy' };
    const mgr = ConnectionManager.from({ connections: { main } });
    await mgr.connect();
    const db = mgr.getDefaultDatabase();
    expect(db.isConnected).toBe(false);
    await expect(db.ping()).rejects.toThrow(code('DBM_HEALTH_CHECK_FAILED'));
    await mgr.close();
  });

  it('ends a ping with the signal of the call, and with that of its view', async () => {
    const mgr = await ConnectionManager.open({ filepath: ':memory:' });
    const db = mgr.getDefaultDatabase();
    await expect(db.ping(AbortSignal.abort())).rejects.toThrow(code('DBM_ABORTED'));
    const view = db.withContext(AbortSignal.abort());
    await expect(view.ping()).rejects.toThrow(code('DBM_ABORTED'));
    await expect(db.ping({ timeout: 5 } as unknown as AbortSignal)).rejects.toThrow(code('DBM_INVALID_OPTION'));
    expect([view.isConnected, view.orm, view.stats().name]).toEqual([true, db.orm, 'main']);
    await expect(db.ping()).resolves.toBeUndefined();
    await mgr.close();
  });
});

describe('seeds 2: Store: a manager that could not start', () => {
  it('can be tried again', async () => {
    const filepath = join(folder, 'later', 'app.db');
    const mgr = ConnectionManager.from({ connections: { main: { type: 'sqlite', filepath } } });
    await expect(mgr.connect()).rejects.toThrow(code('DBM_STARTUP_FAILED'));
    mkdirSync(join(folder, 'later'));
    await mgr.connect();
    await expect(mgr.getDefaultDatabase().query('select 1 as one')).resolves.toEqual([{ one: 1 }]);
    await mgr.close();
  });
});

describe('seeds 3: Factory: ConnectionManager.open', () => {
  it('makes SQLite when no type is named', async () => {
    const mgr = await ConnectionManager.open({ filepath: join(folder, 'app.db') });
    expect(mgr.get('main').type).toBe('sqlite');
    await expect(mgr.getDefaultDatabase().query('select 1 as one')).resolves.toEqual([{ one: 1 }]);
    await mgr.close();
  });

  it('makes what is named, under the name that is given', async () => {
    const mgr = await ConnectionManager.open({ name: 'cache', type: 'kv', filepath: join(folder, 'kv') });
    expect([...mgr.getAll()].map(([name, { type }]) => [name, type])).toEqual([['cache', 'kv']]);
    await mgr.close();
  });

  it.each([
    ['an unknown type', { type: 'oracle' }, 'DBM_CONFIG_INVALID'],
    ['SQLite without a file', {}, 'DBM_CONFIG_INVALID'],
    ['what cannot be connected', { filepath: join(folder, 'none', 'app.db') }, 'DBM_STARTUP_FAILED'],
  ])('refuses %s, with nothing left open', async (_what, options, expected) => {
    await expect(ConnectionManager.open(options)).rejects.toThrow(code(expected));
  });
});

describe('seeds 0: no-op manager: a manager without a database', () => {
  const mgr = new NoDatabaseManager();
  const db = mgr.getDefaultDatabase();

  it('starts and stops, and has nothing to show', async () => {
    const own = new NoDatabaseManager();
    await own.connect();
    expect(own.stats()).toMatchObject({ totalConnections: 0, connections: {} });
    await expect(own.healthCheck()).resolves.toEqual([]);
    await expect(own.close()).resolves.toMatchObject({ drained: true });
    expect(own.getDefaultDatabase().isConnected).toBe(false);
  });

  it.each<[call: string, make: () => unknown]>([
    ['get', () => mgr.get('main')],
    ['getDefault', () => mgr.getDefault()],
    ['setDefaultDatabase', () => mgr.setDefaultDatabase('main')],
    ['migrations', () => mgr.migrations()],
    ['register', () => mgr.register()],
    ['reconnect', () => mgr.reconnect('main')],
    ['query', () => db.query('select 1')],
    ['queryOne', () => db.queryOne('select 1')],
    ['queryOneOrThrow', () => db.queryOneOrThrow('select 1')],
    ['execute', () => db.execute('delete from users')],
    ['stream', () => db.stream('select 1')],
    ['prepare', () => db.prepare('select 1')],
    ['transaction', () => db.transaction(async () => {})],
    ['begin', () => db.begin()],
    ['ping', () => db.ping()],
    ['stats', () => db.stats()],
    ['orm', () => db.orm],
    ['handle', () => db.handle()],
    ['query of a view', () => db.withContext(new AbortController().signal).query('select 1')],
  ])('says at %s that no database is configured', async (_call, make) => {
    const error = await Promise.resolve()
      .then(make)
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DbManagerError);
    expect(error).toMatchObject({ code: 'DBM_NO_DATABASE', message: 'no database is configured', retryable: false });
  });
});

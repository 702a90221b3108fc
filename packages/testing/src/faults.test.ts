import { type AnyProvider, isDbManagerError } from '@dbmanager/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import { PROVIDERS } from 'dbmanager';
import { withFaults } from './faults.js';
import { fillPool } from './full-pool.js';
import { type TestManager, type TestManagerOptions, testManager } from './test-manager.js';

const sqlite = PROVIDERS.find(({ type }) => type === 'sqlite') as AnyProvider;
const schema = 'create table notes (text text not null)';

describe('withFaults', () => {
  let manager: TestManager | undefined;
  afterEach(async () => {
    const pools = [...(manager?.getAll().values() ?? [])];
    await manager?.close();
    manager = undefined;
    for (const pool of pools) expect(pool.stats().pool.destroyed).toBe(pool.stats().pool.created);
  });

  async function open(options: TestManagerOptions = {}) {
    const { provider, faults } = withFaults(sqlite);
    manager = await testManager({ schema, providers: [provider], ...options });
    const connection = manager.getDefault();
    return { faults, connection, db: connection.database(), manager };
  }

  it('changes nothing until it is told to', async () => {
    const { connection, db, faults } = await open();
    await db.execute('insert into notes values (?)', ['by hand']);
    await connection.knex()('notes').insert({ text: 'by Knex' });
    expect(await db.query('select text from notes order by text')).toEqual([{ text: 'by Knex' }, { text: 'by hand' }]);
    // The schema, two of the Database API, and Knex, which works on sessions on SQLite.
    expect(faults.statements).toBe(4);
  });

  it('loses the connection at the nth statement, and the next one finds another', async () => {
    const { db, connection, faults } = await open({ readers: true });
    const { destroyed } = connection.stats().pool;
    faults.loseConnectionAt(2);
    await db.execute('insert into notes values (?)', ['first']);
    await expect(db.execute('insert into notes values (?)', ['second'])).rejects.toMatchObject({
      code: 'DBM_CONNECTION_LOST',
      connectionName: 'main',
    });
    await db.execute('insert into notes values (?)', ['third']);
    expect(await db.query('select text from notes')).toEqual([{ text: 'first' }, { text: 'third' }]);
    expect(connection.stats().pool.destroyed).toBeGreaterThan(destroyed);
  });

  it('rolls back a transaction whose connection it loses', async () => {
    const { db, connection, faults } = await open();
    faults.loseConnectionAt(2);
    const work = db.transaction(async (tx) => {
      await tx.execute('insert into notes values (?)', ['first']);
      await tx.execute('insert into notes values (?)', ['second']);
    });
    await expect(work).rejects.toMatchObject({ code: 'DBM_CONNECTION_LOST' });
    expect(await db.query('select * from notes')).toEqual([]);
    expect(connection.stats().transactions.outcomes.failed).toBe(1);
  });

  it.each([true, false])('fails a COMMIT whose outcome nobody knows: applied %p', async (applied) => {
    const { db, faults } = await open();
    faults.failCommit({ applied });
    const work = db.transaction((tx) => tx.execute('insert into notes values (?)', ['perhaps']));
    const error = await work.catch((reason: unknown) => reason);
    expect(isDbManagerError(error, 'DBM_COMMIT_UNKNOWN')).toBe(true);
    expect(await db.query('select * from notes')).toHaveLength(applied ? 1 : 0);
    await db.transaction((tx) => tx.execute('insert into notes values (?)', ['for certain']));
  });

  it('fails the COMMIT of a transaction that an ORM works in', async () => {
    const { connection, db, faults } = await open();
    faults.failCommit();
    const work = connection.transaction((tx) => tx.knex()('notes').insert({ text: 'by Knex' }));
    await expect(work).rejects.toMatchObject({ code: 'DBM_COMMIT_UNKNOWN' });
    expect(await db.query('select * from notes')).toEqual([]);
  });

  it('refuses connects so often as it is told', async () => {
    const { provider, faults } = withFaults(sqlite);
    faults.refuseConnects(2);
    manager = await testManager({ providers: [provider], connections: { main: { retry_delay: '10ms' } } });
    expect(await manager.getDefaultDatabase().query('select 1 as one')).toEqual([{ one: 1 }]);
    expect(manager.getDefault().stats().pool.createFailures).toBe(2);
  });

  it('refuses health checks while the server is down', async () => {
    const { connection, faults } = await open();
    faults.refuseConnects();
    await expect(connection.healthCheck()).rejects.toMatchObject({ code: 'DBM_HEALTH_CHECK_FAILED' });
    faults.acceptConnects();
    await connection.healthCheck();
  });

  it('answers slowly, and queries time out', async () => {
    const { db, faults } = await open();
    faults.statementDelayMs = 1_000_000_000;
    await expect(db.query('select 1', [], { timeout: 20 })).rejects.toMatchObject({ code: 'DBM_QUERY_TIMEOUT' });
    faults.reset();
    expect(await db.query('select 1 as one')).toEqual([{ one: 1 }]);
  });
});

describe('fillPool', () => {
  it.each([false, true])('leaves nothing of a pool, readers %p, until it is released', async (readers) => {
    await using manager = await testManager({ schema, readers });
    const connection = manager.getDefault();
    await using full = await fillPool(connection);
    expect(connection.counts.inUse).toBe(connection.counts.max);
    const waiting = connection.database().query('select 1 as one');
    while (connection.counts.pending === 0) await new Promise((resolve) => setImmediate(resolve));
    await full.release();
    expect(await waiting).toEqual([{ one: 1 }]);
  });

  it('leaves as many as it is told', async () => {
    await using manager = await testManager({ readers: true, connections: { main: { max_open_conns: 4 } } });
    const connection = manager.getDefault();
    await using _full = await fillPool(connection, { leave: 1 });
    expect(connection.counts.inUse).toBe(3);
    await expect(fillPool(connection, { leave: 9 })).rejects.toMatchObject({ code: 'DBM_INVALID_OPTION' });
  });
});

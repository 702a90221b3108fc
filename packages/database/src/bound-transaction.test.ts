import {
  type Bridge,
  type BridgeTarget,
  isDbManagerError,
  type OpenedHandle,
  type TransactionOutcome,
  type TransactionTarget,
} from '@dbmanager/core';
import { FakeProvider, TestConnection } from '@dbmanager/testkit';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { bridgeTarget, rejection } from '../../../test/support/sql-engines.js';
import { createDatabase, type Database } from './database.js';

interface FakeOptions {
  readonly note?: string;
}

/** What an ORM would be: it keeps what it was bound with. */
interface FakeHandle {
  readonly tx: TransactionTarget;
  readonly options: FakeOptions | undefined;
  readonly opened: OpenedHandle | undefined;
}

const fakeBridge: Bridge<string, FakeOptions, FakeHandle> = {
  name: 'fake-orm',
  types: ['fake'],
  open: () => 'the handle of the connection',
  bind: (tx, options, opened) => ({ tx, options, opened }),
};

describe('what bridges are given of a transaction', () => {
  let connection: TestConnection<unknown>;
  let target: BridgeTarget;
  let db: Database;
  let ends: string[];

  const listen = (name: string, tx: TransactionTarget) =>
    tx.onEnd((outcome: TransactionOutcome) => void ends.push(`${name} ${outcome}`));

  beforeEach(async () => {
    ends = [];
    const provider = new FakeProvider();
    connection = (await TestConnection.open(provider, {})) as unknown as TestConnection<unknown>;
    target = bridgeTarget(connection);
    db = createDatabase(target);
    await db.execute('CREATE TABLE items (id int)');
  });

  afterEach(() => connection.close());

  const keys = async () => (await db.query('SELECT id FROM items')).map(({ id }) => id);

  it('is the same handle for the same key, with the options of the connection’s own', async () => {
    const opened = { handle: 'opened', options: { note: 'as opened' } };
    const database = createDatabase({
      ...target,
      acquire: target.acquire,
      holding: target.holding,
      opened: () => opened,
    });
    await database.transaction(async (tx) => {
      const handle = tx.use(fakeBridge);
      expect(tx.use(fakeBridge)).toBe(handle);
      expect(handle).toMatchObject({ options: { note: 'as opened' }, opened });
      expect(tx.use(fakeBridge, { note: 'other' }, 'second')).toMatchObject({ options: { note: 'other' } });
      await tx.transaction(async (inner) => expect(inner.use(fakeBridge)).not.toBe(handle));
    });
  });

  it('is refused for an ORM that cannot take part', async () => {
    const { bind: _, ...withoutBind } = fakeBridge;
    await db.transaction(async (tx) => {
      expect(() => tx.use(withoutBind)).toThrow('cannot take part');
      expect(() => tx.use({ ...fakeBridge, types: ['other'] })).toThrow('cannot take part');
      expect(() => tx.native()).toThrow('no native handle');
    });
  });

  it('is what to do before COMMIT, in order, also what is added meanwhile', async () => {
    await db.transaction(async (tx) => {
      const { tx: bound } = tx.use(fakeBridge);
      bound.beforeCommit(async () => {
        await bound.session.query({ sql: 'INSERT INTO items (id) VALUES (?)', params: [1] });
        bound.beforeCommit(async () => {
          await tx.execute('INSERT INTO items (id) VALUES (?)', [2]);
        });
      });
    });
    await expect(keys()).resolves.toEqual([1, 2]);
  });

  it('rolls all back when what was to be done before COMMIT fails', async () => {
    const failure = new Error('of a flush');
    const failing = db.transaction(async (tx) => {
      const { tx: bound } = tx.use(fakeBridge);
      listen('whole', bound);
      await tx.execute('INSERT INTO items (id) VALUES (?)', [1]);
      bound.beforeCommit(() => Promise.reject(failure));
    });
    await expect(rejection(failing)).resolves.toBe(failure);
    await expect(keys()).resolves.toEqual([]);
    expect(ends).toEqual(['whole rolled_back']);
  });

  it('does what a nested one wants done before it is kept, and tells each of its own end', async () => {
    await db.transaction(async (tx) => {
      listen('whole', tx.use(fakeBridge).tx);
      await tx.transaction(async (inner) => {
        const { tx: bound } = inner.use(fakeBridge);
        listen('kept', bound);
        bound.beforeCommit(async () => void (await inner.execute('INSERT INTO items (id) VALUES (?)', [1])));
      });
      const undone = tx.transaction(async (inner) => {
        listen('undone', inner.use(fakeBridge).tx);
        throw new Error('undone');
      });
      await rejection(undone);
      expect(ends).toEqual(['kept committed', 'undone rolled_back']);
    });
    expect(ends).toEqual(['kept committed', 'undone rolled_back', 'whole committed']);
    await expect(keys()).resolves.toEqual([1]);
  });

  it('has a session that cannot end the transaction, and names that are its own', async () => {
    await db.transaction(async (tx) => {
      const { session, ...bound } = { session: tx.use(fakeBridge).tx.session, tx: tx.use(fakeBridge).tx };
      for (const ending of [session.begin(), session.commit(), session.rollback()]) {
        expect(isDbManagerError(await rejection(ending), 'DBM_UNSUPPORTED')).toBe(true);
      }
      session.release();
      await session.query({ sql: 'INSERT INTO items (id) VALUES (?)', params: [1] });
      const names = ['mikro', 'a-prefix-that-is-longer-than-any-engine-takes'].map((prefix) =>
        bound.tx.savepointName(prefix),
      );
      expect(names[0]).toBe('mikro_1');
      expect(names[1]).toMatch(/^a-prefix.*_2$/);
      expect(names[1]).toHaveLength(32);
    });
  });

  it('lets an ORM make savepoints with the session, alone in its scope', async () => {
    await db.transaction(async (tx) => {
      const { tx: bound } = tx.use(fakeBridge);
      const nested = bound.scope(async (inner) => {
        const name = inner.savepointName('orm');
        await inner.session.savepoint(name);
        await inner.session.query({ sql: 'INSERT INTO items (id) VALUES (?)', params: [1] });
        await inner.session.rollbackTo(name);
        await inner.session.releaseSavepoint(name);
      });
      await Promise.all([nested, tx.execute('INSERT INTO items (id) VALUES (?)', [2])]);
    });
    await expect(keys()).resolves.toEqual([2]);
  });

  it('is dead after the end', async () => {
    const handles: FakeHandle[] = [];
    await db.transaction(async (tx) => {
      handles.push(tx.use(fakeBridge));
      await tx.transaction(async (inner) => void handles.push(inner.use(fakeBridge)));
    });
    for (const { tx } of handles) {
      expect(tx.ended).toBe(true);
      expect(() => tx.connection).toThrow('has ended');
      expect(() => tx.now(() => 1)).toThrow('has ended');
      for (const late of [tx.session.query({ sql: 'SELECT 1 AS a' }), tx.turn(async () => 1), tx.enter()]) {
        expect(isDbManagerError(await rejection(late), 'DBM_LEASE_RELEASED')).toBe(true);
      }
    }
  });

  it('streams in its turn', async () => {
    await db.transaction(async (tx) => {
      const { session } = tx.use(fakeBridge).tx;
      await tx.execute('INSERT INTO items (id) VALUES (?)', [1]);
      for await (const row of session.stream({ sql: 'SELECT id FROM items' })) {
        expect(row).toEqual({ id: 1 });
        await expect(rejection(tx.query('SELECT 1 AS a'))).resolves.toMatchObject({ code: 'DBM_UNSUPPORTED' });
      }
      await tx.query('SELECT 1 AS a');
    });
  });
});

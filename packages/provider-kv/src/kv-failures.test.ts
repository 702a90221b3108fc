import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { testConfig } from '@dbmanager/testkit';
import { afterAll, describe, expect, it } from '@jest/globals';
import { ClassicLevel } from 'classic-level';
import { all, KvFixture, TemporaryFolder } from '../test/kv-fixture.js';
import { kvProvider, type LevelDriver } from './index.js';

const folder = new TemporaryFolder();
afterAll(() => folder[Symbol.dispose]());

const live = () => new AbortController().signal;

/** classic-level with writes that fail, or wait, when told to. */
function faultyDriver() {
  const faults: { next?: () => Promise<void>; opened: number } = { opened: 0 };
  class FaultyLevel extends ClassicLevel {
    override async open(...args: [options?: object]): Promise<void> {
      faults.opened++;
      await super.open(...(args as []));
    }
    // biome-ignore lint/suspicious/noExplicitAny: any of the overloads
    override batch(...args: any[]): any {
      const fault = faults.next;
      delete faults.next;
      // The private way in, as the overloads cannot be spread.
      const write = () => Reflect.apply(super.batch, this, args);
      return fault === undefined ? write() : fault().then(write);
    }
  }
  return { faults, driver: { ClassicLevel: FaultyLevel } as unknown as LevelDriver };
}

/** A write that has reached LevelDB and stays there until `goOn` is called. */
async function slowWrite(faults: { next?: () => Promise<void> }, write: () => Promise<void>) {
  const reached = Promise.withResolvers<void>();
  const leave = Promise.withResolvers<void>();
  faults.next = () => {
    reached.resolve();
    return leave.promise;
  };
  const first = write();
  await reached.promise;
  return { first, goOn: leave.resolve };
}

const diskFull = async () => {
  throw Object.assign(new Error('IO error: No space left on device'), { code: 'LEVEL_IO_ERROR' });
};

describe('a write that LevelDB fails in', () => {
  it('is reported, and the database is opened anew for what comes next', async () => {
    const { driver, faults } = faultyDriver();
    await using fixture = await KvFixture.open({ filepath: folder.newPath() }, { driver });
    const store = fixture.store<number>();
    await store.set('a', 1);
    const snapshot = await store.snapshot();
    faults.next = diskFull;
    await expect(store.set('a', 2)).rejects.toMatchObject({
      code: 'DBM_CONNECTION_LOST',
      connectionName: 'test',
      message: expect.stringContaining('No space left'),
    });
    await store.set('a', 3);
    expect(await store.get('a')).toBe(3);
    expect(faults.opened).toBe(2);
    await expect(snapshot.get('a')).rejects.toMatchObject({ code: 'DBM_CONNECTION_LOST' });
    await snapshot.close();
    expect(fixture.connection.lanes.stats().closedBy.error).toBeGreaterThan(0);
  });

  it('as the commit of a transaction has an unknown outcome, and is not repeated', async () => {
    const { driver, faults } = faultyDriver();
    await using fixture = await KvFixture.open({ filepath: folder.newPath() }, { driver });
    const store = fixture.store<number>();
    let attempts = 0;
    const committing = store.transaction(async (tx) => {
      attempts++;
      tx.set('a', 1);
      faults.next = diskFull;
    });
    await expect(committing).rejects.toMatchObject({
      code: 'DBM_COMMIT_UNKNOWN',
      connectionName: 'test',
      cause: { code: 'LEVEL_IO_ERROR' },
    });
    expect(attempts).toBe(1);
    await store.set('a', 2);
    expect(faults.opened).toBe(2);
  });

  it('fails all that were grouped with it, and none that came before', async () => {
    const { driver, faults } = faultyDriver();
    await using fixture = await KvFixture.open({ filepath: folder.newPath() }, { driver });
    const store = fixture.store<number>();
    await store.set('a', 1);
    const { first, goOn } = await slowWrite(faults, () => store.set('a', 2));
    faults.next = diskFull;
    const others = [store.set('b', 1), store.set('c', 1)].map((write) => expect(write).rejects.toThrow('No space'));
    await new Promise(setImmediate);
    goOn();
    await first;
    await Promise.all(others);
    expect(await all(store.scan())).toEqual([['a', 2]]);
  });
});

describe('a write that waits behind another', () => {
  it('is given up when aborted, and the others are made', async () => {
    const { driver, faults } = faultyDriver();
    await using fixture = await KvFixture.open({ filepath: folder.newPath() }, { driver });
    const store = fixture.store<number>();
    await store.set('a', 1);
    const { first, goOn } = await slowWrite(faults, () => store.set('a', 2));
    const abort = new AbortController();
    const aborted = store.set('a', 3, { signal: abort.signal });
    const last = store.set('b', 4, { signal: live() });
    await new Promise(setImmediate);
    abort.abort(new Error('enough'));
    await expect(aborted).rejects.toMatchObject({ code: 'DBM_ABORTED', connectionName: 'test' });
    goOn();
    await Promise.all([first, last]);
    expect(await all(store.scan())).toEqual([
      ['a', 2],
      ['b', 4],
    ]);
    await expect(store.set('a', 5, { signal: abort.signal })).rejects.toMatchObject({ code: 'DBM_ABORTED' });
  });

  it.each<[string, number]>([
    ['a write', 1],
    ['one of more keys than are remembered', 100_001],
  ])('makes no later transaction lose to it when it was given up: %s', async (_, keys) => {
    const { driver, faults } = faultyDriver();
    await using fixture = await KvFixture.open({ filepath: folder.newPath() }, { driver });
    const store = fixture.store<number>();
    await store.set('a', 1);
    const { first, goOn } = await slowWrite(faults, () => store.set('a', 2));
    const abort = new AbortController();
    const batch = store.batch();
    for (let i = 0; i < keys; i++) batch.set(`b${i}`, i);
    const aborted = batch.write({ signal: abort.signal });
    await new Promise(setImmediate);
    abort.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'DBM_ABORTED' });
    goOn();
    await first;
    await store.transaction(async (tx) => tx.set('read', (await tx.get('b0')) ?? -1));
    expect(await store.get('read')).toBe(-1);
  });
});

describe('a folder', () => {
  it('that has gone is a fault, and is never made anew', async () => {
    const filepath = folder.newPath();
    await using fixture = await KvFixture.open({ filepath, validateAfterMs: 0 });
    await fixture.store().set('a', 1);
    rmSync(filepath, { recursive: true });
    const gone = { code: 'DBM_FILE_NOT_ACCESSIBLE', option: 'filepath' };
    await expect(fixture.connection.engine.probe?.(live())).rejects.toMatchObject(gone);
    await expect(fixture.store().set('a', 2)).rejects.toMatchObject(gone);
    expect(() => rmSync(filepath, { recursive: true })).toThrow(/ENOENT/);
  });

  it('that was replaced by another database is noticed, and the other one is used', async () => {
    const filepath = folder.newPath();
    const backup = folder.newPath();
    await using fixture = await KvFixture.open({ filepath, validateAfterMs: 0 });
    const store = fixture.store();
    await store.set('a', 'old');
    {
      await using other = await KvFixture.open({ filepath: backup });
      await other.store().set('a', 'restored');
    }
    rmSync(filepath, { recursive: true });
    cpSync(backup, filepath, { recursive: true });
    await expect(fixture.connection.engine.probe?.(live())).rejects.toThrow(/replaced/);
    await fixture.connection.engine.probe?.(live());
    expect(await store.get('a')).toBe('restored');
  });

  it('that holds a damaged database is refused', async () => {
    const filepath = folder.newPath();
    {
      await using fixture = await KvFixture.open({ filepath });
      await fixture.store().set('a', 1);
    }
    writeFileSync(join(filepath, 'CURRENT'), 'nonsense');
    await using fixture = await KvFixture.open({ filepath });
    await expect(fixture.store().get('a')).rejects.toMatchObject({ code: 'DBM_FILE_NOT_ACCESSIBLE', retryable: false });
  });

  it('may not be a file', async () => {
    const filepath = folder.newPath();
    writeFileSync(filepath, '');
    await using fixture = await KvFixture.open({ filepath });
    await expect(fixture.store().get('a')).rejects.toMatchObject({ code: 'DBM_FILE_NOT_ACCESSIBLE' });
  });

  it('without a database is refused with must_exist', async () => {
    const filepath = folder.newPath();
    mkdirSync(filepath);
    await using fixture = await KvFixture.open({ filepath, mustExist: true });
    await expect(fixture.store().get('a')).rejects.toThrow(/holds no database/);
    await expect(fixture.connection.engine.probe?.(live())).rejects.toThrow(/holds no database/);
  });

  it('may be named by one connection only, whatever its spelling', () => {
    const filepath = folder.newPath();
    const link = folder.newPath();
    symlinkSync(folder.path, link);
    const configs = [
      testConfig(kvProvider, { filepath }, 'one'),
      testConfig(kvProvider, { filepath: folder.newPath() }, 'two'),
      testConfig(kvProvider, { filepath: join(link, basename(filepath)) }, 'three'),
    ];
    expect(kvProvider.checkAll?.(configs)).toEqual([
      expect.objectContaining({ path: ['connections', 'three', 'filepath'], rule: 'duplicate-file' }),
    ]);
    expect(kvProvider.checkAll?.(configs.slice(0, 2))).toEqual([]);
  });
});

describe('closing', () => {
  it('waits for writes under way', async () => {
    const filepath = folder.newPath();
    const { driver, faults } = faultyDriver();
    const fixture = await KvFixture.open({ filepath }, { driver });
    const { engine } = fixture.connection;
    await using lease = await fixture.connection.lanes.acquire();
    const { writes } = lease.connection.handle;
    const goOn = Promise.withResolvers<void>();
    faults.next = () => goOn.promise;
    const written = writes.write([{ type: 'put', key: Buffer.from('k'), value: Buffer.from('v') }]);
    const closed = engine.close?.();
    await new Promise(setImmediate);
    goOn.resolve();
    await Promise.all([written, closed]);
    lease.release();
    await fixture[Symbol.asyncDispose]();
    await using again = await KvFixture.open({ filepath });
    expect(await again.native.get('k')).toBe('v');
  });

  it('opens nothing any more after it', async () => {
    await using fixture = await KvFixture.open({ filepath: folder.newPath() });
    await fixture.connection.engine.close?.();
    const { factory } = fixture.connection.engine;
    await expect(factory.create({ signal: live(), lost() {} })).rejects.toMatchObject({ code: 'DBM_CLOSED' });
  });
});

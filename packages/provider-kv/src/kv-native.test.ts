import { afterAll, describe, expect, it } from '@jest/globals';
import { all, KvFixture, TemporaryFolder } from '../test/kv-fixture.js';

const folder = new TemporaryFolder();
afterAll(() => folder[Symbol.dispose]());

const open = (options = {}) => KvFixture.open({ filepath: folder.newPath(), ...options });

describe('the native handle', () => {
  it('does what an abstract-level database does', async () => {
    await using fixture = await open();
    const { native } = fixture;
    await native.put('a', '1');
    await native.batch([
      { type: 'put', key: 'b', value: '2' },
      { type: 'put', key: 'c', value: '3' },
      { type: 'del', key: 'a' },
    ]);
    await native.batch().put('d', '4').del('c').write();
    expect(await native.getMany(['a', 'b', 'd'])).toEqual([undefined, '2', '4']);
    expect(await native.has('b')).toBe(true);
    expect(await native.hasMany(['b', 'c'])).toEqual([true, false]);
    expect(native.getSync('b')).toBe('2');
    expect(await native.get('b', { valueEncoding: 'buffer' })).toEqual(Buffer.from('2'));
    expect(await all(native.iterator({ reverse: true }))).toEqual([
      ['d', '4'],
      ['b', '2'],
    ]);
    expect(await native.keys({ gt: 'b' }).all()).toEqual(['d']);
    expect(await native.values({ limit: 1 }).all()).toEqual(['2']);
    await native.clear({ lt: 'd' });
    expect(await native.keys().all()).toEqual(['d']);
  });

  it('has sublevels, encodings and hooks', async () => {
    await using fixture = await open();
    const { native } = fixture;
    const users = native.sublevel<string, { name: string }>('users', { valueEncoding: 'json' });
    const seen: unknown[] = [];
    users.hooks.prewrite.add((operation: { key: unknown }) => {
      seen.push(operation.key);
    });
    await users.put('1', { name: 'Ada' });
    expect(await users.get('1')).toEqual({ name: 'Ada' });
    expect(await native.keys().all()).toEqual(['!users!1']);
    expect(await users.keys().all()).toEqual(['1']);
    await users.clear();
    expect(await native.keys().all()).toEqual([]);
    expect(seen).toEqual(['1']);
  });

  it('iterates over the database as it was when the iterator was made', async () => {
    await using fixture = await open();
    const { native } = fixture;
    await native.put('a', '1');
    const iterator = native.iterator();
    await native.put('b', '2');
    expect(await all(iterator)).toEqual([['a', '1']]);
  });

  it('seeks before and during an iteration', async () => {
    await using fixture = await open();
    const { native } = fixture;
    await native.batch(['a', 'b', 'c', 'd'].map((key) => ({ type: 'put', key, value: key })));
    await using iterator = native.iterator();
    iterator.seek('c');
    expect(await iterator.next()).toEqual(['c', 'c']);
    iterator.seek('b');
    expect(await iterator.nextv(2)).toEqual([
      ['b', 'b'],
      ['c', 'c'],
    ]);
  });

  it('reads from snapshots', async () => {
    await using fixture = await open();
    const { native } = fixture;
    await native.put('a', '1');
    await using snapshot = native.snapshot();
    await native.put('a', '2');
    expect(await native.get('a', { snapshot })).toBe('1');
    expect(native.getSync('a', { snapshot })).toBe('1');
    expect(await native.iterator({ snapshot }).all()).toEqual([['a', '1']]);
    await snapshot.close();
    await expect(native.get('a', { snapshot })).rejects.toMatchObject({ code: 'LEVEL_SNAPSHOT_NOT_OPEN' });
  });

  it('borrows for each operation, and for an iteration until its end', async () => {
    await using fixture = await open();
    const { native } = fixture;
    const { lanes } = fixture.connection;
    await native.put('a', '1');
    expect(lanes.counts).toMatchObject({ inUse: 0, open: 1 });
    const iterator = native.iterator();
    await iterator.next();
    expect(lanes.counts.inUse).toBe(1);
    await iterator.close();
    expect(lanes.counts.inUse).toBe(0);
    await native.iterator().close();
    expect(lanes.counts.inUse).toBe(0);
  });

  it('does at once only what an open database can', async () => {
    await using fixture = await open();
    const { native } = fixture;
    await new Promise(setImmediate);
    expect(() => native.getSync('a')).toThrow(expect.objectContaining({ code: 'DBM_NOT_CONNECTED' }));
    expect(() => native.snapshot()).toThrow(expect.objectContaining({ code: 'DBM_NOT_CONNECTED' }));
    expect(fixture.connection.lanes.counts.open).toBe(0);
  });

  it('ends its iterators and snapshots when closed, and nothing of others', async () => {
    await using fixture = await open();
    const { native } = fixture;
    await native.put('a', '1');
    const iterator = native.iterator();
    await iterator.next();
    const snapshot = native.snapshot();
    await native.close();
    expect(fixture.connection.lanes.counts.inUse).toBe(0);
    await expect(iterator.next()).rejects.toMatchObject({ code: 'LEVEL_ITERATOR_NOT_OPEN' });
    expect(() => snapshot.ref()).toThrow(expect.objectContaining({ code: 'LEVEL_SNAPSHOT_NOT_OPEN' }));
    await expect(native.put('a', '2')).rejects.toMatchObject({ code: 'LEVEL_DATABASE_NOT_OPEN' });
    expect(await fixture.native.get('a')).toBe('1');
    await native.open();
    expect(await native.get('a')).toBe('1');
  });

  it('writes what it was given, whatever becomes of the bytes', async () => {
    await using fixture = await open();
    const { native } = fixture;
    await native.put('a', '1');
    const value = Buffer.from('value');
    const options = { valueEncoding: 'buffer' } as const;
    const writes = [native.put('b', value, options), native.put('c', value, options)];
    await new Promise(process.nextTick);
    value.fill(0);
    await Promise.all(writes);
    expect(await native.get('c')).toBe('value');
  });
});

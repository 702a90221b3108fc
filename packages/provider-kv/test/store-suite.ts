import { bytes, json, utf8 } from '@dbmanager/provider-kv';
import { describe, expect, it } from '@jest/globals';
import { all, type StoreFixture, type StoreHome } from './kv-fixture.js';

/** What a key-value store does, wherever its namespaces are kept. */
export function storeSuite(title: string, { describe: where, open }: StoreHome): void {
  where(title, () => {
    describe('a key', () => {
      it('holds what was set last, until it is deleted', async () => {
        await using fixture = await open();
        const store = fixture.store<{ name: string }>();
        expect(await store.get('a')).toBeUndefined();
        expect(await store.has('a')).toBe(false);
        await store.set('a', { name: 'Ada' });
        await store.set('a', { name: 'Grace' });
        expect(await store.get('a')).toEqual({ name: 'Grace' });
        expect(await store.has('a')).toBe(true);
        await store.delete('a');
        await store.delete('a');
        expect(await store.get('a')).toBeUndefined();
      });

      it.each(['', 'a b', 'ünï😀', '!x!', '\0', 'a'.repeat(800)])('may be %j', async (key) => {
        await using fixture = await open();
        const store = fixture.store();
        await store.set(key, 'v');
        expect(await all(store.scan())).toEqual([[key, 'v']]);
        expect(await store.get(key)).toBe('v');
      });

      it.each([
        ['half a surrogate pair', '\ud800'],
        ['a number', 1 as unknown as string],
      ])('may not be %s', async (_, key) => {
        await using fixture = await open();
        const store = fixture.store();
        const refused = { code: 'DBM_INVALID_OPTION', connectionName: 'test' };
        await expect(store.set(key, 'v')).rejects.toMatchObject(refused);
        await expect(store.get(key)).rejects.toMatchObject(refused);
      });

      it('gives several values of one moment, in the order of the keys', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        await store.batch().set('a', 1).set('b', 2).write();
        expect(await store.getMany(['b', 'none', 'a'])).toEqual([2, undefined, 1]);
        expect(await store.getMany([])).toEqual([]);
        for (const keys of ['ab', null, undefined]) {
          const refused = store.getMany(keys as unknown as string[]);
          await expect(refused).rejects.toMatchObject({ code: 'DBM_INVALID_OPTION', option: 'keys' });
        }
      });

      it('takes writes in the order of the calls, awaited or not', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        await Promise.all(Array.from({ length: 100 }, (_, value) => store.set('a', value)));
        expect(await store.get('a')).toBe(99);
      });
    });

    describe('a value', () => {
      it.each([null, 0, '', false, [1, { a: [] }]])('comes back as it was: %j', async (value) => {
        await using fixture = await open();
        await fixture.store().set('a', value);
        expect(await fixture.store().get('a')).toEqual(value);
      });

      it('may be text, bytes or of a format of the caller', async () => {
        await using fixture = await open();
        const text = fixture.store({ namespace: 'text', values: utf8 });
        const raw = fixture.store({ namespace: 'raw', values: bytes, keys: bytes });
        const dates = fixture.store({
          namespace: 'dates',
          values: { encode: (date: Date) => utf8.encode(date.toISOString()), decode: (b) => new Date(utf8.decode(b)) },
        });
        await text.set('a', 'text');
        await raw.set(Buffer.of(0xff), Buffer.of(0, 255));
        await dates.set('a', new Date(0));
        expect(await text.get('a')).toBe('text');
        expect(await raw.get(Buffer.of(0xff))).toEqual(Buffer.of(0, 255));
        expect((await all(raw.keys())).map((key) => [...key])).toEqual([[0xff]]);
        expect(await dates.get('a')).toEqual(new Date(0));
      });

      it.each([undefined, () => 1, Symbol('s')])('of no JSON is refused: %p', async (value) => {
        await using fixture = await open();
        await expect(fixture.store().set('a', value)).rejects.toMatchObject({ code: 'DBM_INVALID_OPTION' });
      });

      it('of another format is an error that does not show it', async () => {
        await using fixture = await open();
        await fixture.store({ values: utf8 }).set('a', 'secret{');
        const error = await fixture
          .store({ values: json() })
          .get('a')
          .catch((thrown: Error) => thrown);
        expect(error).toMatchObject({ code: 'DBM_QUERY_FAILED' });
        expect(String(error)).not.toContain('secret');
      });

      it('is the one of the call, whatever becomes of the bytes meanwhile', async () => {
        await using fixture = await open();
        const store = fixture.store({ values: bytes, keys: bytes });
        const key = Buffer.from('key');
        const value = Buffer.from('value');
        const writes = [store.set(Buffer.from('first'), value), store.set(key, value)];
        key.fill(0);
        value.fill(0);
        await Promise.all(writes);
        expect(String(await store.get(Buffer.from('key')))).toBe('value');
      });
    });

    describe('a scan', () => {
      const KEYS = ['a', 'a1', 'a2', 'b', 'b1', 'é', '😀'];

      async function filled(fixture: StoreFixture) {
        const store = fixture.store<string>();
        const batch = store.batch();
        for (const key of [...KEYS].reverse()) batch.set(key, key.toUpperCase());
        await batch.write();
        return store;
      }

      it('gives keys and values in the order of their bytes', async () => {
        await using fixture = await open();
        const store = await filled(fixture);
        expect(await all(store.scan())).toEqual(KEYS.map((key) => [key, key.toUpperCase()]));
        expect(await all(store.keys({ reverse: true }))).toEqual([...KEYS].reverse());
      });

      it.each([
        [{ prefix: 'a' }, ['a', 'a1', 'a2']],
        [{ prefix: 'a', reverse: true, limit: 2 }, ['a2', 'a1']],
        [{ prefix: 'a', gt: 'a' }, ['a1', 'a2']],
        [{ prefix: '' }, KEYS],
        [{ gte: 'a1', lt: 'b' }, ['a1', 'a2']],
        [{ gt: 'a1', lte: 'b' }, ['a2', 'b']],
        [{ gt: 'a1', gte: 'a' }, ['a2', 'b', 'b1', 'é', '😀']],
        [{ gt: 'b', lt: 'a' }, []],
        [{ limit: 0 }, []],
        [{ limit: 3 }, ['a', 'a1', 'a2']],
        [{ prefix: 'none' }, []],
      ])('of %j gives %j', async (options, expected) => {
        await using fixture = await open();
        const store = await filled(fixture);
        expect(await all(store.keys(options))).toEqual(expected);
      });

      it('of a prefix that ends in the highest byte ends where it should', async () => {
        await using fixture = await open();
        const store = fixture.store({ keys: bytes, values: utf8 });
        for (const key of [[0xfe], [0xff], [0xff, 0xff], [0xff, 0xff, 1]]) await store.set(Buffer.from(key), 'v');
        const found = await all(store.keys({ prefix: Buffer.of(0xff, 0xff) }));
        expect(found.map((key) => [...key])).toEqual([
          [0xff, 0xff],
          [0xff, 0xff, 1],
        ]);
      });

      it('sees nothing of writes after its first entry', async () => {
        await using fixture = await open();
        const store = await filled(fixture);
        const seen: string[] = [];
        for await (const key of store.keys({ prefix: 'b' })) {
          await store.batch().set('b0', 'new').set('b2', 'new').delete('b1').write();
          seen.push(key);
        }
        expect(seen).toEqual(['b', 'b1']);
      });

      it('gives its connection back when it is left early, when it is aborted, and at its end', async () => {
        await using fixture = await open();
        const store = await filled(fixture);
        for await (const _ of store.scan()) {
          expect(fixture.connection.lanes.counts.inUse).toBe(1);
          break;
        }
        expect(fixture.connection.lanes.counts.inUse).toBe(0);
        const signal = AbortSignal.abort();
        await expect(all(store.scan({ signal }))).rejects.toMatchObject({ code: 'DBM_ABORTED' });
        await all(store.scan());
        expect(fixture.connection.lanes.counts.inUse).toBe(0);
      });

      it('stops when aborted between two portions', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        const batch = store.batch();
        for (let i = 0; i < 2_000; i++) batch.set(String(i), i);
        await batch.write();
        const abort = new AbortController();
        let seen = 0;
        const scan = (async () => {
          for await (const _ of store.scan({ signal: abort.signal })) {
            seen++;
            abort.abort();
          }
        })();
        await expect(scan).rejects.toMatchObject({ code: 'DBM_ABORTED' });
        expect(seen).toBeLessThan(2_000);
      });

      it.each([-1, 1.5, Number.NaN])('of limit %p is refused', async (limit) => {
        await using fixture = await open();
        await expect(all(fixture.store().scan({ limit }))).rejects.toMatchObject({ code: 'DBM_INVALID_OPTION' });
      });
    });

    describe('namespaces', () => {
      it('have keys of their own, whatever their names begin with', async () => {
        await using fixture = await open();
        const names = ['a', 'a.b', 'a-', 'A', 'default', '0'];
        for (const namespace of names) await fixture.store({ namespace }).set('k', namespace);
        for (const namespace of names) {
          expect(await all(fixture.store({ namespace }).scan())).toEqual([['k', namespace]]);
        }
        await fixture.store({ namespace: 'a' }).clear();
        expect(await all(fixture.store({ namespace: 'a' }).keys())).toEqual([]);
        expect(await all(fixture.store({ namespace: 'a.b' }).keys())).toEqual(['k']);
      });

      it.each(['', 'a!', 'ä', 'a b', 'x'.repeat(64), '#expiry', 5, null, ['a']])(
        'may not be called %j',
        async (namespace) => {
          await using fixture = await open();
          expect(() => fixture.store({ namespace: namespace as string })).toThrow(
            expect.objectContaining({ code: 'DBM_INVALID_OPTION', option: 'namespace', connectionName: 'test' }),
          );
        },
      );

      it.each([
        ['keys', { keys: 'utf8' }],
        ['values', { values: { encode: utf8.encode } }],
        ['namspace', { namspace: 'sessions' }],
        ['options', null],
        ['options', 'sessions'],
      ])('are not opened with other options than there are: %s in %j', async (option, options) => {
        await using fixture = await open();
        expect(() => fixture.store(options as object)).toThrow(
          expect.objectContaining({ code: 'DBM_INVALID_OPTION', option, connectionName: 'test' }),
        );
        expect(() => fixture.store().namespace(options as object)).toThrow(
          expect.objectContaining({ code: 'DBM_INVALID_OPTION', option, connectionName: 'test' }),
        );
      });

      it('of one store lead to others', async () => {
        await using fixture = await open();
        const other = fixture.store().namespace<number>({ namespace: 'other' });
        await other.set('a', 1);
        expect(other.name).toBe('other');
        expect(await fixture.store({ namespace: 'other' }).get('a')).toBe(1);
      });
    });

    describe('a batch', () => {
      it('writes in several namespaces, in its order, and is empty then', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        const batch = store.batch().set('a', 1).set('b', 2);
        batch.namespace({ namespace: 'other', values: utf8 }).set('a', 'one');
        batch.delete('b').set('a', 3);
        expect(batch.size).toBe(5);
        expect(await store.get('a')).toBeUndefined();
        await batch.write();
        expect(batch.size).toBe(0);
        await batch.write();
        expect(await all(store.scan())).toEqual([['a', 3]]);
        expect(await fixture.store({ namespace: 'other', values: utf8 }).get('a')).toBe('one');
      });

      it('of several megabytes is one write', async () => {
        await using fixture = await open();
        const store = fixture.store({ values: bytes });
        const batch = store.batch();
        for (let i = 0; i < 3_000; i++) batch.set(`k${i}`, Buffer.alloc(1_024, i));
        await Promise.all([store.set('before', Buffer.of(1)), batch.write(), store.set('after', Buffer.of(1))]);
        expect(await all(store.keys())).toHaveLength(3_002);
      });
    });

    describe('expiry', () => {
      it('hides a key the moment its time is over', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        await store.set('a', 1, { ttlMs: 1_000 });
        const expiry = await store.expiresAt('a');
        fixture.pass(999);
        expect(await store.get('a')).toBe(1);
        expect(expiry?.getTime()).toBe(Date.UTC(2030, 0, 1) + 1_000);
        fixture.pass(1);
        expect(await store.get('a')).toBeUndefined();
        expect(await store.has('a')).toBe(false);
        expect(await store.expiresAt('a')).toBeUndefined();
        expect(await all(store.scan())).toEqual([]);
      });

      it('is that of the last write', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        await store.set('a', 1, { ttlMs: 1_000 });
        await store.set('a', 2);
        await store.set('b', 1);
        await store.set('b', 2, { ttlMs: 1_000 });
        fixture.pass(2_000);
        expect(await all(store.scan())).toEqual([['a', 2]]);
        expect(await store.expiresAt('a')).toBeUndefined();
      });

      it('of a batch counts from its writing', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        const batch = store.batch().set('a', 1, { ttlMs: 1_000 });
        fixture.pass(900);
        await batch.write();
        fixture.pass(900);
        expect(await store.get('a')).toBe(1);
      });

      it('does not shorten what a scan gives', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        const batch = store.batch();
        for (let i = 0; i < 1_000; i++) batch.set(`a${String(i).padStart(4, '0')}`, i, i < 990 ? { ttlMs: 1 } : {});
        await batch.write();
        fixture.pass(1);
        expect(await all(store.keys({ limit: 2 }))).toEqual(['a0990', 'a0991']);
      });

      it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5', null])('after %p ms is refused', async (ttlMs) => {
        await using fixture = await open();
        const set = fixture.store().set('a', 1, { ttlMs: ttlMs as number });
        await expect(set).rejects.toMatchObject({ code: 'DBM_INVALID_OPTION', option: 'ttlMs' });
      });
    });

    it('does nothing for an option that there is not', async () => {
      await using fixture = await open();
      const store = fixture.store<number>();
      await store.set('a', 1);
      const wrong = { prefx: 'b' } as object;
      const calls: Readonly<Record<string, () => Promise<unknown>>> = {
        get: () => store.get('a', wrong),
        getMany: () => store.getMany(['a'], wrong),
        has: () => store.has('a', wrong),
        expiresAt: () => store.expiresAt('a', wrong),
        scan: () => all(store.scan(wrong)),
        keys: () => all(store.keys(wrong)),
        set: () => store.set('a', 2, wrong),
        delete: () => store.delete('a', wrong),
        clear: () => store.clear(wrong),
        'batch().set': async () => store.batch().set('a', 2, wrong),
        'batch().write': () => store.batch().set('a', 2).write(wrong),
        snapshot: () => store.snapshot(wrong),
        transaction: () => store.transaction(wrong, async (tx) => tx.set('a', 2)),
        'transaction, set': () => store.transaction(async (tx) => tx.set('a', 2, wrong)),
      };
      for (const [call, make] of Object.entries(calls)) {
        const error = await make().then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        expect({ call, error }).toMatchObject({ call, error: { code: 'DBM_INVALID_OPTION', option: 'prefx' } });
      }
      await expect(store.get('a', { signal: {} as AbortSignal })).rejects.toMatchObject({ option: 'signal' });
      expect(await all(store.scan())).toEqual([['a', 1]]);
    });

    describe('a snapshot', () => {
      it('shows one moment of all namespaces, whatever is written or expires since', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        const other = fixture.store<number>({ namespace: 'other' });
        await store.batch().set('a', 1).set('b', 2, { ttlMs: 10 }).write();
        await using snapshot = await store.snapshot();
        await store.batch().set('a', 9).set('c', 9).write();
        await other.set('a', 9);
        fixture.pass(20);
        expect(await all(snapshot.scan())).toEqual([
          ['a', 1],
          ['b', 2],
        ]);
        expect(await snapshot.get('a')).toBe(1);
        expect(await snapshot.has('c')).toBe(false);
        expect(await snapshot.getMany(['b', 'c'])).toEqual([2, undefined]);
        expect(await snapshot.namespace({ namespace: 'other' }).get('a')).toBeUndefined();
      });

      it('outlives the signal that could end the waiting for it', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        await store.set('a', 1);
        const abort = new AbortController();
        await using snapshot = await store.snapshot({ signal: abort.signal });
        abort.abort();
        await store.set('a', 2);
        expect(await snapshot.get('a')).toBe(1);
      });

      it('holds a connection until it is closed, and is refused after that', async () => {
        await using fixture = await open();
        const snapshot = await fixture.store().snapshot();
        const { lanes } = fixture.connection;
        expect(lanes.counts.inUse).toBe(1);
        await snapshot.close();
        await snapshot.close();
        expect(lanes.counts.inUse).toBe(0);
        await expect(snapshot.get('a')).rejects.toMatchObject({ code: 'DBM_LEASE_RELEASED' });
        await expect(all(snapshot.scan())).rejects.toMatchObject({ code: 'DBM_LEASE_RELEASED' });
      });
    });

    describe('clear', () => {
      it('deletes a range', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        await store.batch().set('a1', 1).set('a2', 2).set('b', 3).write();
        await store.clear({ prefix: 'a' });
        expect(await all(store.scan())).toEqual([['b', 3]]);
      });

      it('takes its turn among writes', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        await Promise.all([store.set('a', 1), store.set('b', 2), store.clear(), store.set('c', 3)]);
        expect(await all(store.scan())).toEqual([['c', 3]]);
      });
    });
  });
}

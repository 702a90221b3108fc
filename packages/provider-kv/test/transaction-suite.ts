import type { KeyValueTransaction } from '@dbmanager/provider-kv';
import { describe, expect, it } from '@jest/globals';
import { all, type StoreFixture, type StoreHome } from './kv-fixture.js';

/** Runs one whose first attempt is overtaken by `meanwhile`; gives how often it ran. */
export async function overtaken(
  fixture: StoreFixture,
  work: (tx: KeyValueTransaction<number>) => Promise<unknown>,
  meanwhile: () => Promise<unknown>,
): Promise<number> {
  let attempts = 0;
  await fixture.store<number>().transaction(async (tx) => {
    attempts++;
    await work(tx);
    if (attempts === 1) await meanwhile();
    tx.set('result', attempts);
  });
  return attempts;
}

/** What transactions of a key-value store do, wherever its namespaces are kept. */
export function transactionSuite(title: string, { describe: where, open }: StoreHome): void {
  where(title, () => {
    describe('a transaction', () => {
      it('sees what it has written itself, and nobody else does before its commit', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        await store.batch().set('a', 1).set('b', 2).set('d', 4).write();
        await store.transaction(async (tx) => {
          tx.set('a', 10);
          tx.delete('b');
          tx.set('c', 3);
          expect(await tx.get('a')).toBe(10);
          expect(await tx.has('b')).toBe(false);
          expect(await tx.getMany(['d', 'c', 'b', 'a'])).toEqual([4, 3, undefined, 10]);
          const entries = [
            ['a', 10],
            ['c', 3],
            ['d', 4],
          ];
          expect(await all(tx.scan())).toEqual(entries);
          expect(await all(tx.scan({ reverse: true }))).toEqual([...entries].reverse());
          expect(await all(tx.scan({ limit: 2 }))).toEqual(entries.slice(0, 2));
          expect(await all(tx.scan({ gte: 'b', lt: 'd' }))).toEqual([['c', 3]]);
          expect(await store.get('a')).toBe(1);
        });
        expect(await all(store.scan())).toEqual([
          ['a', 10],
          ['c', 3],
          ['d', 4],
        ]);
      });

      it('gives what its callback gives', async () => {
        await using fixture = await open();
        await expect(fixture.store().transaction(async () => 'result')).resolves.toBe('result');
      });

      it('leaves nothing when its callback throws, and passes that very error on', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        const failure = new Error('of the caller');
        const failing = store.transaction(async (tx) => {
          tx.set('a', 1);
          throw failure;
        });
        await expect(failing).rejects.toBe(failure);
        expect(await store.has('a')).toBe(false);
      });

      it('covers several namespaces', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        await store.transaction(async (tx) => {
          tx.set('a', 1);
          tx.namespace<string>({ namespace: 'other' }).set('a', 'one');
          expect(await tx.get('a')).toBe(1);
        });
        expect(await fixture.store({ namespace: 'other' }).get('a')).toBe('one');
      });

      it('reads as of its begin, also what has expired since', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        await store.set('a', 1, { ttlMs: 10 });
        await store.transaction(async (tx) => {
          fixture.pass(20);
          expect(await tx.get('a')).toBe(1);
          tx.set('b', 2, { ttlMs: 100 });
          expect(await tx.expiresAt('b')).toEqual(new Date(Date.UTC(2030, 0, 1) + 100));
        });
        fixture.pass(79);
        expect(await store.get('b')).toBe(2);
        fixture.pass(1);
        expect(await store.get('b')).toBeUndefined();
      });

      it('refuses everything after its end', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        await store.set('a', 1);
        let escaped: KeyValueTransaction<number> | undefined;
        let scan: AsyncGenerator<string> | undefined;
        await store.transaction(async (tx) => {
          escaped = tx;
          scan = tx.keys();
          await scan.next();
        });
        const refused = { code: 'DBM_LEASE_RELEASED' };
        await expect(escaped?.get('a')).rejects.toMatchObject(refused);
        expect(() => escaped?.set('a', 2)).toThrow(expect.objectContaining(refused));
        expect(() => escaped?.delete('a')).toThrow(expect.objectContaining(refused));
        await expect(escaped?.scan().next()).rejects.toMatchObject(refused);
        await expect(escaped?.namespace({ namespace: 'b' }).has('a')).rejects.toMatchObject(refused);
        await scan?.return(undefined);
      });

      it('is told at once when it would wait for itself', async () => {
        await using fixture = await open({ maxOpenConns: 1, maxIdleConns: 1 });
        const store = fixture.store();
        const inside = store.transaction(async () => store.get('a'));
        await expect(inside).rejects.toMatchObject({ code: 'DBM_POOL_DEADLOCK' });
      });
    });

    describe('two transactions', () => {
      it('that add to one key lose nothing', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        const add = () =>
          store.transaction({ retry: Number.POSITIVE_INFINITY }, async (tx) => {
            tx.set('n', ((await tx.get('n')) ?? 0) + 1);
          });
        await Promise.all(Array.from({ length: 12 }, add));
        expect(await store.get('n')).toBe(12);
      });

      it('that each read what the other writes are not both right', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        await store.batch().set('a', 1).set('b', 1).write();
        // Write skew: alone, each would leave one of them on.
        const leave = (mine: string) =>
          store.transaction(async (tx) => {
            const on = (await all(tx.scan())).reduce((sum, [, value]) => sum + value, 0);
            if (on > 1) tx.set(mine, 0);
          });
        await Promise.all([leave('a'), leave('b')]);
        expect((await all(store.scan())).reduce((sum, [, value]) => sum + value, 0)).toBe(1);
      });

      it.each<
        [string, (tx: KeyValueTransaction<number>) => Promise<unknown>, (fixture: StoreFixture) => Promise<unknown>]
      >([
        ['a key it read was written', (tx) => tx.get('a'), (fixture) => fixture.store().set('a', 2)],
        ['a key it read was deleted', (tx) => tx.has('a'), (fixture) => fixture.store().delete('a')],
        ['a key it had not found was written', (tx) => tx.get('none'), (fixture) => fixture.store().set('none', 2)],
        ['a key came into a range it scanned', (tx) => all(tx.keys({ prefix: 'p' })), (f) => f.store().set('p1', 2)],
        ['what a short scan had given was written', (tx) => all(tx.keys({ limit: 1 })), (f) => f.store().set('a', 2)],
        ['a key came before what a short scan gave', (tx) => all(tx.keys({ limit: 1 })), (f) => f.store().set('0', 2)],
        ['its scan stood before one of its own', ownThenRest, (fixture) => fixture.store().set('0', 2)],
        ['a range it had read in was cleared', (tx) => tx.get('a'), (fixture) => fixture.store().clear()],
        ['a range it scanned was cleared', (tx) => all(tx.keys()), (fixture) => fixture.store().clear({ prefix: 'a' })],
      ])('conflict when %s', async (_, work, meanwhile) => {
        await using fixture = await open();
        await fixture.store<number>().set('a', 1);
        expect(await overtaken(fixture, work, () => meanwhile(fixture))).toBe(2);
        expect(await fixture.store().get('result')).toBe(2);
      });

      it.each<
        [string, (tx: KeyValueTransaction<number>) => Promise<unknown>, (fixture: StoreFixture) => Promise<unknown>]
      >([
        ['it read other keys', (tx) => tx.get('a'), (fixture) => fixture.store().set('b', 2)],
        ['it read them in another namespace', (tx) => tx.get('a'), (f) => f.store({ namespace: 'other' }).set('a', 2)],
        ['it only wrote what the other writes', async (tx) => tx.set('a', 5), (fixture) => fixture.store().set('a', 2)],
        ['it had written the key before it read it', readOwn, (fixture) => fixture.store().set('a', 2)],
        ['its scan ended before', (tx) => all(tx.keys({ limit: 1 })), (fixture) => fixture.store().set('z', 2)],
        ['its scan from the end did', (tx) => all(tx.keys({ limit: 1, reverse: true })), (f) => f.store().set('0', 2)],
        ['another range was cleared', (tx) => tx.get('a'), (fixture) => fixture.store().clear({ prefix: 'b' })],
      ])('do not when %s', async (_, work, meanwhile) => {
        await using fixture = await open();
        await fixture.store<number>().batch().set('a', 1).set('m', 1).write();
        expect(await overtaken(fixture, work, () => meanwhile(fixture))).toBe(1);
      });

      it('do not when one of them only reads', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        await store.set('a', 1);
        let attempts = 0;
        await store.transaction(async (tx) => {
          attempts++;
          await tx.get('a');
          await store.set('a', 2);
          expect(await tx.get('a')).toBe(1);
        });
        expect(attempts).toBe(1);
      });

      it('are not repeated more often than asked for', async () => {
        await using fixture = await open();
        const store = fixture.store<number>();
        let attempts = 0;
        const losing = store.transaction({ retry: 2 }, async (tx) => {
          attempts++;
          await tx.get('a');
          await store.set('a', attempts);
          tx.set('b', 1);
        });
        await expect(losing).rejects.toMatchObject({
          code: 'DBM_SERIALIZATION_FAILURE',
          retryable: true,
          connectionName: 'test',
        });
        expect(attempts).toBe(3);
        expect(await store.has('b')).toBe(false);
      });

      async function ownThenRest(tx: KeyValueTransaction<number>) {
        tx.set('0a', 1);
        return all(tx.keys({ limit: 1 }));
      }

      async function readOwn(tx: KeyValueTransaction<number>) {
        tx.set('a', 5);
        return tx.get('a');
      }
    });
  });
}

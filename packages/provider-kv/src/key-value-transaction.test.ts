import type { TransactionConflict, TransactionOutcome, TransactionRecorder } from '@dbmanager/core';
import { afterAll, describe, expect, it } from '@jest/globals';
import { KvFixture, levelHome, TemporaryFolder } from '../test/kv-fixture.js';
import { overtaken, transactionSuite } from '../test/transaction-suite.js';

const folder = new TemporaryFolder();
afterAll(() => folder[Symbol.dispose]());

const open = (options = {}, setup = {}) => KvFixture.open({ filepath: folder.newPath(), ...options }, setup);

transactionSuite('seeds 3: Key-value: in LevelDB', levelHome(folder));

describe('a transaction in LevelDB', () => {
  it('leaves nothing behind that others would have to remember writes for', async () => {
    await using fixture = await open();
    const store = fixture.store<number>();
    await store.transaction(async (tx) => {
      await tx.get('a');
      await store.set('b', 1);
      tx.set('a', 1);
    });
    await using lease = await fixture.connection.lanes.acquire();
    expect(lease.connection.handle.writes.log.remembered).toBe(0);
  });

  it.each<[string, (fixture: KvFixture) => Promise<unknown>]>([
    ['wrote', (fixture) => fixture.native.sublevel('default').del('a')],
    ['cleared', (fixture) => fixture.native.clear({ gt: '!a', lte: '!z' })],
    ['cleared all', (fixture) => fixture.native.clear()],
  ])('conflicts when the native handle %s', async (_, meanwhile) => {
    await using fixture = await open();
    await fixture.store<number>().set('a', 1);
    expect(
      await overtaken(
        fixture,
        (tx) => tx.get('a'),
        () => meanwhile(fixture),
      ),
    ).toBe(2);
  });

  it('does not conflict when the native handle cleared after what it had read', async () => {
    await using fixture = await open();
    await fixture.store<number>().batch().set('a', 1).set('m', 1).write();
    const meanwhile = () => fixture.native.clear({ gt: '!default!a' });
    expect(await overtaken(fixture, (tx) => tx.get('a'), meanwhile)).toBe(1);
  });

  it('conflicts with a write that was under way when it began', async () => {
    await using fixture = await open();
    const store = fixture.store<number>();
    await store.set('a', 1);
    const writing = store.set('a', 2);
    const seen: unknown[] = [];
    await store.transaction(async (tx) => {
      seen.push(await tx.get('a'));
      tx.set('copy', seen.at(-1) as number);
    });
    await writing;
    expect(await store.get('copy')).toBe(await store.get('a'));
  });

  it('that overlaps with more writes than are remembered counts as in conflict', async () => {
    await using fixture = await open();
    const store = fixture.store<number>();
    const attempts = await overtaken(
      fixture,
      (tx) => tx.get('a'),
      async () => {
        const batch = store.namespace<number>({ namespace: 'bulk' }).batch();
        for (let i = 0; i < 100_001; i++) batch.set(String(i), i);
        await batch.write();
      },
    );
    expect(attempts).toBe(2);
  });
});

describe('the counts of transactions', () => {
  class Counts implements TransactionRecorder {
    readonly seen: (TransactionOutcome | TransactionConflict)[] = [];
    ended(outcome: TransactionOutcome, durationMs: number): void {
      expect(durationMs).toBeGreaterThanOrEqual(0);
      this.seen.push(outcome);
    }
    retried(reason: TransactionConflict): void {
      this.seen.push(reason);
    }
    savepoint(): void {}
  }

  it('tell how each attempt ended', async () => {
    const transactions = new Counts();
    await using fixture = await open({}, { transactions });
    const store = fixture.store<number>();
    await store.transaction(async (tx) => tx.set('a', 1));
    await store.transaction(async () => Promise.reject(new Error('mine'))).catch(() => {});
    let attempts = 0;
    await store.transaction(async (tx) => {
      await tx.get('a');
      if (attempts++ === 0) await store.set('a', 2);
      tx.set('b', 1);
    });
    expect(transactions.seen).toEqual(['committed', 'rolled_back', 'failed', 'serialization_failure', 'committed']);
  });
});

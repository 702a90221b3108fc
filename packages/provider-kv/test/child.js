// The other process of a test: node child.js MODE FOLDER, on the built packages.
import { seededRandom, silentLogger, systemClock } from '@dbmanager/core';
import { keyValueStore, kvProvider } from '@dbmanager/provider-kv';
import { TestConnection } from '@dbmanager/testkit';

const [mode, filepath] = process.argv.slice(2);
const context = { clock: systemClock, random: seededRandom(1), logger: silentLogger };
const { lanes } = await TestConnection.open(kvProvider, { filepath, expiryIntervalMs: 100 }, context);
const target = { type: 'kv', name: 'child', acquire: () => lanes.acquire(), holding: (work) => lanes.holding(work) };
const store = keyValueStore(target);
const keys = Array.from({ length: 100 }, (_, index) => `k${index}`);
const filling = 'x'.repeat(1_000);

const modes = {
  /** Batches and transactions one after the other, until it is killed. */
  async write() {
    for (let round = 1; ; round++) {
      if (round % 2 === 0) {
        await store.transaction(async (tx) => {
          for (const key of keys) tx.set(key, { round, filling });
        });
      } else {
        const batch = store.batch();
        for (const key of keys) batch.set(key, { round, filling });
        await batch.write();
      }
      process.send(round);
    }
  },
  /** Dies with half of a batch and half of a transaction collected. */
  async half() {
    const batch = store.batch();
    for (const key of keys.slice(50)) batch.set(key, { round: 1_000_000 });
    await store.transaction(async (tx) => {
      for (const key of keys.slice(50)) tx.set(key, { round: 1_000_000 });
      process.kill(process.pid, 'SIGKILL');
      await new Promise(() => {});
    });
  },
  /** Holds the lock until it is told to end. */
  async hold() {
    await store.set('held', true);
    process.send('held');
    process.on('message', () => process.exit());
    process.on('disconnect', () => process.exit());
  },
  /** Has keys to remove later, and nothing else to do. */
  async idle() {
    await store.set('a', 1, { ttlMs: 3_600_000 });
    process.disconnect();
  },
};

await modes[mode]();

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@dbmanager/core';
import { afterAll, describe, expect, it } from '@jest/globals';
import { all, KvFixture, TemporaryFolder } from '../test/kv-fixture.js';

const folder = new TemporaryFolder();
afterAll(() => folder[Symbol.dispose]());

/** Given by `SEED` to run a failure again. */
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const RUNS = 5;

const fileOf = (name: string) => fileURLToPath(new URL(`../test/${name}`, import.meta.url));

/** Another process on the same folder, on the built packages; see test/child.js. */
function childOf(mode: string, filepath: string) {
  return fork(fileOf('child.js'), [mode, filepath], { execArgv: [] });
}

interface Round {
  readonly round: number;
}

/** The round that every one of the hundred keys is of. */
async function onlyRound(filepath: string): Promise<number> {
  await using fixture = await KvFixture.open({ filepath, mustExist: true });
  const entries = await all(fixture.store<Round>().scan());
  expect(entries).toHaveLength(100);
  const rounds = new Set(entries.map(([, { round }]) => round));
  expect([...rounds]).toHaveLength(1);
  return [...rounds][0] as number;
}

describe('seeds 3: Key-value: kill -9', () => {
  it(`between and in writes leaves all of a batch or transaction, or none, and what was acknowledged (seed ${seed})`, async () => {
    const filepath = folder.newPath();
    const random = seededRandom(seed);
    for (let run = 0; run < RUNS; run++) {
      const killAfter = 1 + Math.floor(random() * 20);
      const child = childOf('write', filepath);
      let acknowledged = 0;
      child.on('message', (round) => {
        acknowledged = round as number;
        // It writes on meanwhile: the signal meets it anywhere.
        if (acknowledged === killAfter) child.kill('SIGKILL');
      });
      const [, signal] = await once(child, 'close');
      expect(signal).toBe('SIGKILL');
      expect(await onlyRound(filepath)).toBeGreaterThanOrEqual(acknowledged);
    }
  }, 60_000);

  it('with half of a batch and of a transaction collected leaves none of it', async () => {
    const filepath = folder.newPath();
    const writer = childOf('write', filepath);
    writer.once('message', () => writer.kill('SIGKILL'));
    await once(writer, 'close');
    const before = await onlyRound(filepath);
    const [, signal] = await once(childOf('half', filepath), 'close');
    expect(signal).toBe('SIGKILL');
    expect(await onlyRound(filepath)).toBe(before);
  });
});

describe('a folder that another process has open', () => {
  it('is refused by name, and opens once the other has ended', async () => {
    const filepath = folder.newPath();
    const holder = childOf('hold', filepath);
    const ended = once(holder, 'close');
    await once(holder, 'message');
    await using fixture = await KvFixture.open({ filepath, retryDelayMs: 10, retryMaxDelayMs: 10 });
    const { factory } = fixture.connection.engine;
    const context = { signal: new AbortController().signal, lost() {} };
    await expect(factory.create(context)).rejects.toMatchObject({
      code: 'DBM_DATABASE_LOCKED',
      retryable: true,
      connectionName: 'test',
      option: 'filepath',
      message: expect.stringContaining(filepath),
    });
    const waiting = fixture.store().get('held');
    holder.send('end');
    await ended;
    expect(await waiting).toBe(true);
  });

  it('is refused to a second connection of the same process too', async () => {
    const filepath = folder.newPath();
    await using first = await KvFixture.open({ filepath });
    await first.store().set('a', 1);
    await using second = await KvFixture.open({ filepath, acquireTimeoutMs: 250 });
    await expect(second.store().get('a')).rejects.toMatchObject({
      code: 'DBM_ACQUIRE_TIMEOUT',
      cause: { code: 'DBM_DATABASE_LOCKED' },
    });
    expect(await first.store().get('a')).toBe(1);
  });
});

describe('an open database', () => {
  it('with keys to expire does not keep its process alive', async () => {
    const [code, signal] = await once(childOf('idle', folder.newPath()), 'close');
    expect([code, signal]).toEqual([0, null]);
  });
});

import { describe, expect, it } from '@jest/globals';
import { KeyTurns } from './key-turns.js';

const A = Buffer.from('a');
const B = Buffer.from('b');

/** Writes that tell when they begin, and end when they are told to. */
class Writes {
  readonly turns = new KeyTurns('test');
  readonly begun: string[] = [];
  readonly #ends = new Map<string, PromiseWithResolvers<void>>();

  start(name: string, keys: readonly Uint8Array[] | undefined, signal?: AbortSignal): Promise<void> {
    const end = Promise.withResolvers<void>();
    this.#ends.set(name, end);
    const work = async () => {
      this.begun.push(name);
      await end.promise;
    };
    return keys === undefined ? this.turns.runAlone(work) : this.turns.run(keys, signal, work);
  }

  /** Ends it and lets everything go on that can. */
  async end(name: string, error?: Error): Promise<void> {
    const { resolve, reject } = this.#ends.get(name) ?? Promise.withResolvers<void>();
    if (error === undefined) resolve();
    else reject(error);
    await settled();
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('the turns of writes', () => {
  it('come in the order of the calls for one key, and at once for another', async () => {
    const writes = new Writes();
    const all = [writes.start('a1', [A]), writes.start('a2', [A]), writes.start('b', [B]), writes.start('ab', [A, B])];
    await settled();
    expect(writes.begun).toEqual(['a1', 'b']);
    await writes.end('b');
    await writes.end('a1');
    expect(writes.begun).toEqual(['a1', 'b', 'a2']);
    await writes.end('a2');
    expect(writes.begun).toEqual(['a1', 'b', 'a2', 'ab']);
    await writes.end('ab');
    await Promise.all(all);
  });

  it('go on after one that failed, whose error is its own', async () => {
    const writes = new Writes();
    const failing = writes.start('a1', [A]);
    const next = writes.start('a2', [A]);
    const failure = new Error('failed');
    await Promise.all([expect(failing).rejects.toBe(failure), settled().then(() => writes.end('a1', failure))]);
    await writes.end('a2');
    await next;
  });

  it('of all keys come after those asked for before, and before those asked for later', async () => {
    const writes = new Writes();
    const all = [writes.start('a', [A]), writes.start('all', undefined), writes.start('b', [B])];
    await settled();
    expect(writes.begun).toEqual(['a']);
    await writes.end('a');
    expect(writes.begun).toEqual(['a', 'all']);
    await writes.end('all');
    expect(writes.begun).toEqual(['a', 'all', 'b']);
    await writes.end('b');
    await Promise.all(all);
  });

  it('are given up by an abort, which lets nobody in before their time', async () => {
    const writes = new Writes();
    const abort = new AbortController();
    const first = writes.start('a1', [A]);
    const aborted = writes.start('a2', [A], abort.signal);
    const last = writes.start('a3', [A]);
    abort.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'DBM_ABORTED', connectionName: 'test' });
    await settled();
    expect(writes.begun).toEqual(['a1']);
    await writes.end('a1');
    expect(writes.begun).toEqual(['a1', 'a3']);
    await writes.end('a3');
    await Promise.all([first, last]);
  });
});

import { isDbManagerError } from '@dbmanager/core';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { Scope } from './scope.js';

let log: string[];
let root: Scope;

beforeEach(() => {
  log = [];
  root = new Scope('main');
});

const step =
  (name: string, until: Promise<unknown> = Promise.resolve()) =>
  async () => {
    log.push(`${name} begins`);
    await until;
    log.push(`${name} ends`);
  };

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'resolved';
  } catch (error) {
    return isDbManagerError(error) ? error.code : String(error);
  }
}

describe('a scope', () => {
  it('gives turns in the order they were asked for, one at a time', async () => {
    const gate = Promise.withResolvers<void>();
    const turns = [root.turn(step('a', gate.promise)), root.turn(step('b')), root.turn(step('c'))];
    gate.resolve();
    await Promise.all(turns);
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  });

  it('goes on after a turn that fails, or throws before it waits', async () => {
    const failing = root.turn(() => Promise.reject(new Error('x')));
    const throwing = root.turn(() => {
      throw new Error('y');
    });
    await root.turn(step('a'));
    await expect(failing).rejects.toThrow('x');
    await expect(throwing).rejects.toThrow('y');
    await root.idle();
  });

  it('lets a nested one have the turn until it is left', async () => {
    const inner = await root.enter();
    const outer = root.turn(step('outer'));
    await inner.turn(step('inner'));
    inner.leave();
    await outer;
    expect(log).toEqual(['inner begins', 'inner ends', 'outer begins', 'outer ends']);
  });

  it('is the innermost where the code runs, and itself elsewhere', async () => {
    const inner = await root.enter();
    expect(root.here()).toBe(root);
    inner.inside(() => expect(root.here()).toBe(inner));
    expect(inner.here()).toBe(inner);
    const other = new Scope('other');
    inner.inside(() => expect(other.here()).toBe(other));
    inner.leave();
    inner.inside(() => expect(root.here()).toBe(root));
  });

  it('is found across the transactions that lie between', async () => {
    const inner = await root.enter();
    inner.inside(() => {
      const other = new Scope('other');
      other.inside(() => expect(root.here()).toBe(inner));
    });
    inner.leave();
  });

  it('refuses turns after its end, and those that waited for one', async () => {
    const gate = Promise.withResolvers<void>();
    const running = root.turn(step('a', gate.promise));
    const waiting = codeOf(root.turn(step('b')));
    root.end();
    gate.resolve();
    await running;
    await expect(waiting).resolves.toBe('DBM_LEASE_RELEASED');
    await expect(codeOf(root.turn(step('c')))).resolves.toBe('DBM_LEASE_RELEASED');
    await expect(codeOf(root.enter())).resolves.toBe('DBM_LEASE_RELEASED');
    expect(() => root.now(() => 1)).toThrow('has ended');
  });

  it('ends those nested in it with it', async () => {
    const inner = await root.enter();
    root.end();
    expect(inner.ended).toBe(true);
    await expect(codeOf(inner.turn(step('a')))).resolves.toBe('DBM_LEASE_RELEASED');
  });

  it('refuses what is asked while it is barred, from the asking on, and does not wait for it at the end', async () => {
    const gate = Promise.withResolvers<void>();
    let up = true;
    const first = root.turn(step('a'));
    const barring = root.turn(() => gate.promise, { reason: 'a stream is open', up: () => up });
    await expect(codeOf(root.turn(step('b')))).resolves.toBe('DBM_UNSUPPORTED');
    await expect(codeOf(root.idle())).resolves.toBe('DBM_UNSUPPORTED');
    expect(() => root.now(() => 1)).toThrow('a stream is open');
    await first;
    up = false;
    const waiting = root.turn(step('c'));
    gate.resolve();
    await barring;
    await waiting;
    expect(log).toEqual(['a begins', 'a ends', 'c begins', 'c ends']);
  });

  it('lets in what was asked just before the bar went away', async () => {
    const gate = Promise.withResolvers<void>();
    let up = true;
    const barring = root.turn(() => gate.promise, { reason: 'a stream is open', up: () => up });
    const waiting = root.turn(step('a'));
    setImmediate(() => {
      up = false;
      gate.resolve();
    });
    await Promise.all([barring, waiting]);
    expect(log).toEqual(['a begins', 'a ends']);
  });

  it('refuses others while a nested one is ended by hand, and is not idle when that is left open', async () => {
    const inner = await root.enter();
    const ending = inner.byHand();
    await expect(codeOf(root.turn(step('a')))).resolves.toBe('DBM_UNSUPPORTED');
    await expect(codeOf(root.idle())).resolves.toBe('DBM_UNSUPPORTED');
    ending();
    const waiting = root.turn(step('b'));
    inner.leave();
    inner.leave();
    await waiting;
    await root.idle();
  });

  it('does synchronous work as soon as a nested one is left, unless others wait', async () => {
    const inner = await root.enter();
    expect(() => root.now(() => 7)).toThrow('under way');
    inner.leave();
    expect(root.now(() => 7)).toBe(7);
    const waiting = root.turn(step('a'));
    expect(() => root.now(() => 7)).toThrow('under way');
    await waiting;
    expect(root.now(() => 7)).toBe(7);
  });

  it('does synchronous work at once or not at all', async () => {
    expect(root.now(() => 7)).toBe(7);
    const gate = Promise.withResolvers<void>();
    const turn = root.turn(() => gate.promise);
    expect(() => root.now(() => 7)).toThrow('under way');
    gate.resolve();
    await turn;
    expect(root.now(() => 7)).toBe(7);
  });
});

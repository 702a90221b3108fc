import { FakeClock } from '@dbmanager/testkit';
import { describe, expect, it } from '@jest/globals';
import { failure } from '../../test/pool-fixture.js';
import type { Clock } from '../clock.js';
import { BoundedCall, settlesWithin } from './bounded-call.js';

const tooLong = () => new Error('too long');

describe('a bounded call', () => {
  it('has the outcome of its work, and leaves no timer', async () => {
    const clock = new FakeClock();
    const bounds = { clock, limitMs: 100, timeoutError: tooLong };
    expect(await new BoundedCall({ ...bounds, run: async () => 42 }).result).toBe(42);
    const failing = new BoundedCall({ ...bounds, run: () => Promise.reject(new Error('refused')) });
    expect(await failure(failing.result)).toMatchObject({ message: 'refused' });
    expect(clock.pendingTimers).toBe(0);
  });

  it('rejects at its limit and aborts the work, even when that hangs', async () => {
    const clock = new FakeClock();
    let given: AbortSignal | undefined;
    const run = (signal: AbortSignal) => {
      given = signal;
      return new Promise<never>(() => {});
    };
    const call = new BoundedCall({ clock, limitMs: 100, timeoutError: tooLong, run });
    const failing = failure(call.result);
    await clock.advance(99);
    expect(given?.aborted).toBe(false);
    await clock.advance(1);
    expect(await failing).toMatchObject({ message: 'too long' });
    expect(given?.aborted).toBe(true);
  });

  it('hands over what the work delivers after it was given up', async () => {
    const clock = new FakeClock();
    const { promise, resolve } = Promise.withResolvers<string>();
    const late: string[] = [];
    const call = new BoundedCall({
      clock,
      limitMs: 100,
      timeoutError: tooLong,
      run: () => promise,
      late: (value) => late.push(value),
    });
    const failing = failure(call.result);
    call.abandon(new Error('not needed'));
    call.abandon(new Error('not needed either'));
    expect(await failing).toMatchObject({ message: 'not needed' });
    resolve('a socket');
    await call.settled;
    expect(late).toEqual(['a socket']);
  });

  it('lets an answer count that had arrived before a blocked event loop came to the timeout', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    let fire = () => {};
    const clock: Clock = {
      now: () => 0,
      setTimer(_delayMs, callback) {
        fire = callback;
        return { cancel() {} };
      },
    };
    const call = new BoundedCall({ clock, limitMs: 100, timeoutError: tooLong, run: () => promise });
    // A loop that was blocked comes to its timers first, and in the same turn to what the socket holds.
    setImmediate(() => resolve('just in time'));
    fire();
    expect(await call.result).toBe('just in time');
  });
});

describe('settlesWithin', () => {
  it('tells whether work ended in time, however it ended', async () => {
    const clock = new FakeClock();
    expect(await settlesWithin(clock, Promise.resolve(), 100)).toBe(true);
    expect(await settlesWithin(clock, Promise.reject(new Error('failed')), 100)).toBe(true);
    expect(clock.pendingTimers).toBe(0);
    const hanging = settlesWithin(clock, new Promise(() => {}), 100);
    await clock.advance(100);
    expect(await hanging).toBe(false);
  });
});

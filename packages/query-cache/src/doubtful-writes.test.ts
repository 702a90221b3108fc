import { FakeClock } from '@dbmanager/testkit';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { DoubtfulWrites } from './doubtful-writes.js';

describe('Doubtful writes', () => {
  let clock: FakeClock;
  let told: (readonly string[])[];
  let doubtful: DoubtfulWrites;

  beforeEach(() => {
    clock = new FakeClock();
    told = [];
    doubtful = new DoubtfulWrites(clock, (tables) => told.push([...tables]));
  });

  it('count as made again at growing intervals, and no more after two minutes', async () => {
    doubtful.add(['a', 'b']);
    const times: number[] = [];
    for (let second = 0; second < 200; second++) {
      const before = told.length;
      await clock.advance(1_000);
      for (let n = before; n < told.length; n++) times.push(second);
    }
    expect(times).toEqual([0, 0, 1, 3, 7, 15, 31, 63, 127]);
    expect(new Set(told.map((tables) => tables.join()))).toEqual(new Set(['a,b']));
    expect(clock.pendingTimers).toBe(0);
  });

  it('begin anew with each, yet are not put off by many', async () => {
    doubtful.add(['a']);
    await clock.advance(10_000);
    told.length = 0;
    for (let n = 0; n < 10; n++) {
      doubtful.add(['b']);
      await clock.advance(100);
    }
    expect(told).toEqual([
      ['a', 'b'],
      ['a', 'b'],
      ['a', 'b'],
    ]);
  });

  it('are forgotten at the end, and taken up again after that', async () => {
    doubtful.add(['a']);
    await clock.advance(200_000);
    told.length = 0;
    doubtful.add(['b']);
    await clock.advance(250);
    expect(told).toEqual([['b']]);
    doubtful.close();
    doubtful.add(['c']);
    expect(clock.pendingTimers).toBe(0);
  });
});

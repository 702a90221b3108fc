import { FakeClock } from '@dbmanager/testkit';
import { describe, expect, it } from '@jest/globals';
import { Alarm } from './alarm.js';

/** An alarm that rings for each of the given moments. */
function alarmFor(moments: number[], minGapMs = 0) {
  const clock = new FakeClock();
  const rings: number[] = [];
  const alarm = new Alarm(
    clock,
    (now) => {
      rings.push(now);
      return Math.min(...moments.filter((at) => at > now));
    },
    { minGapMs },
  );
  return { clock, rings, alarm };
}

describe('an alarm', () => {
  it('rings for each moment with one timer, and has none when no moment is left', async () => {
    const { clock, rings, alarm } = alarmFor([30, 10, 20]);
    for (const at of [30, 10, 20]) alarm.by(at);
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(100);
    expect(rings).toEqual([10, 20, 30]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('serves moments that are closer together than its gap at once', async () => {
    const { clock, rings, alarm } = alarmFor([10, 11, 12, 40], 10);
    alarm.by(10);
    await clock.advance(100);
    expect(rings).toEqual([10, 20, 40]);
  });

  it('forgets everything when cancelled', async () => {
    const { clock, rings, alarm } = alarmFor([10]);
    alarm.by(10);
    alarm.cancel();
    await clock.advance(100);
    expect(rings).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});

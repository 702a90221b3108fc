import { type Clock, systemClock } from '@dbmanager/core';

/**
 * The machine's clock at a fraction of its speed, so that every limit lasts `factor` times as long: for suites that are not
 * about limits, on machines that have more to do than they can.
 */
export function slowedClock(factor: number): Clock {
  return {
    now: () => systemClock.now() / factor,
    setTimer: (delayMs, callback, options) => systemClock.setTimer(delayMs * factor, callback, options),
  };
}

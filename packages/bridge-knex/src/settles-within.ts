import { systemClock } from '@dbmanager/core';

/** Whether `work` settles, either way, within `limitMs`. */
export async function settlesWithin(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const timer = systemClock.setTimer(limitMs, () => late.resolve(false), { keepAlive: true });
  const settled = () => true; // an error of the work has gone to whoever asked for it
  try {
    return await Promise.race([work.then(settled, settled), late.promise]);
  } finally {
    timer.cancel();
  }
}

import { abortedError, type Clock } from '@dbmanager/core';

/** Resolves `ms` later by `clock`, at once for 0; rejects with `DBM_ABORTED` when `signal` aborts first. */
export function delay(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.reject(abortedError(signal));
  if (ms <= 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      timer?.cancel();
      reject(abortedError(signal as AbortSignal));
    };
    const timer =
      ms === Number.POSITIVE_INFINITY
        ? undefined
        : clock.setTimer(
            ms,
            () => {
              signal?.removeEventListener('abort', onAbort);
              resolve();
            },
            { keepAlive: true },
          );
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

import type { Clock, Timer } from './clock.js';
import { abortedError } from './errors.js';

/**
 * An AbortSignal that aborts after a while on a given clock, or with its parent. Dispose of it when the work is done, or
 * its timer and its listener stay behind.
 */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: Timer | undefined;
  readonly #parent: AbortSignal | undefined;
  /** It never aborts: nobody has to listen. */
  readonly endless: boolean;
  #expired = false;

  /** @param timeoutMs undefined is no limit: only the parent aborts. */
  constructor(clock: Clock, timeoutMs: number | undefined, parent?: AbortSignal) {
    this.#parent = parent;
    this.endless = timeoutMs === undefined && parent === undefined;
    this.#timer =
      timeoutMs === undefined
        ? undefined
        : clock.setTimer(timeoutMs, () => this.#expire(timeoutMs), { keepAlive: true });
    if (parent?.aborted === true) this.#follow();
    else parent?.addEventListener('abort', this.#follow, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** True when time ran out, false when the parent was aborted first. */
  get expired(): boolean {
    return this.#expired;
  }

  /** Settles as `work` does, but rejects with the signal's reason as soon as it aborts, for work that may ignore it. */
  race<T>(work: Promise<T>): Promise<T> {
    return raceSignal(work, this.endless ? undefined : this.signal);
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#parent?.removeEventListener('abort', this.#follow);
  }

  #expire(timeoutMs: number): void {
    this.#expired = true;
    this.#controller.abort(new DOMException(`no result within ${timeoutMs} ms`, 'TimeoutError'));
  }

  readonly #follow = (): void => {
    this.#controller.abort(this.#parent?.reason);
  };
}

/** Settles as `work` does, but rejects with the signal's reason as soon as it aborts; `work` itself goes on. */
export function raceSignal<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    const settled = () => signal.removeEventListener('abort', onAbort);
    work.then(resolve, reject).then(settled);
  });
}

/** Resolves after `ms` on the clock; rejects with `DBM_ABORTED` when the signal aborts first. Keeps the process alive if asked. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal, options?: { keepAlive?: boolean }): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(abortedError(signal));
    const onAbort = () => {
      timer.cancel();
      reject(abortedError(signal));
    };
    const timer = clock.setTimer(
      ms,
      () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      },
      options,
    );
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

import { abortedError } from '@dbmanager/core';

/**
 * Turns on a handle that several connections of a pool share, first come first served. The pool lends each connection
 * to one borrower at a time, but while it renews itself an old and a new one exist side by side.
 */
export class HandleTurns {
  #taken = false;
  readonly #waiting = new Set<() => void>();

  /** Takes the handle: undefined at once when it is free, else a promise. Rejects with `DBM_ABORTED`. */
  enter(signal?: AbortSignal): Promise<void> | undefined {
    if (!this.#taken) {
      this.#taken = true;
      return undefined;
    }
    return new Promise((resolve, reject) => {
      const onTurn = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = () => {
        this.#waiting.delete(onTurn);
        reject(abortedError(signal as AbortSignal));
      };
      this.#waiting.add(onTurn);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Hands the handle to whoever waits longest. */
  leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#taken = false;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

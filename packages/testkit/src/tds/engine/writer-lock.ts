import { SqlError } from '../sql-error.js';

interface Waiter {
  readonly owner: object;
  take(): void;
}

/** The right to write to a database: one owner at a time, in order of asking. */
export class WriterLock {
  #owner: object | undefined;
  readonly #waiters: Waiter[] = [];

  get owner(): object | undefined {
    return this.#owner;
  }

  /** True when somebody waits for it. */
  get contended(): boolean {
    return this.#waiters.length > 0;
  }

  /**
   * Resolves when `owner` has it, at once if it has it already. Rejects with the signal's reason, or with error 1222 when
   * it is not to be had within `timeoutMs`; negative: no limit.
   */
  acquire(owner: object, signal: AbortSignal, timeoutMs: number): Promise<void> {
    if (this.#owner === owner) return Promise.resolve();
    if (this.#owner === undefined) {
      this.#owner = owner;
      return Promise.resolve();
    }
    if (timeoutMs === 0) return Promise.reject(lockTimeout());
    return new Promise((resolve, reject) => {
      const done = (settle: () => void) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        const place = this.#waiters.indexOf(waiter);
        if (place !== -1) this.#waiters.splice(place, 1);
        settle();
      };
      const waiter: Waiter = { owner, take: () => done(resolve) };
      const abort = () => done(() => reject(signal.reason));
      const timer = timeoutMs < 0 ? undefined : setTimeout(() => done(() => reject(lockTimeout())), timeoutMs);
      signal.addEventListener('abort', abort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /** Gives it back; of no effect by one who has it not. */
  release(owner: object): void {
    if (this.#owner !== owner) return;
    const [next] = this.#waiters;
    this.#owner = next?.owner;
    next?.take();
  }
}

function lockTimeout(): SqlError {
  return new SqlError(1222, 'Lock request time out period exceeded.', { state: 51 });
}

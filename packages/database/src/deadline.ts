import { abortedError, type Clock, DbManagerError } from '@dbmanager/core';

/** How long a piece of work may take and who may call it off. */
export interface DeadlineOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

/** The end of a transaction's patience: the caller's signal and a time limit as one signal. */
export class Deadline {
  readonly signal: AbortSignal | undefined;
  readonly #connectionName: string;
  readonly #timeoutMs: number | undefined;
  readonly #callerSignal: AbortSignal | undefined;
  readonly #timeout = new AbortController();
  readonly #cancelTimer: () => void = () => {};

  constructor(clock: Clock, connectionName: string, { signal, timeoutMs }: DeadlineOptions) {
    this.#connectionName = connectionName;
    this.#timeoutMs = timeoutMs;
    this.#callerSignal = signal;
    if (timeoutMs === undefined || timeoutMs === 0) {
      this.signal = signal;
      return;
    }
    const timer = clock.setTimer(timeoutMs, () => this.#timeout.abort(), { keepAlive: true });
    this.#cancelTimer = () => timer.cancel();
    this.signal = signal === undefined ? this.#timeout.signal : AbortSignal.any([signal, this.#timeout.signal]);
  }

  /** The error to reject with, once the deadline has passed; undefined before. */
  error(cause?: unknown): DbManagerError | undefined {
    const connectionName = this.#connectionName;
    if (this.#timeout.signal.aborted) {
      const text = `the transaction took longer than ${this.#timeoutMs} ms and was rolled back`;
      return new DbManagerError('DBM_QUERY_TIMEOUT', text, { connectionName, option: 'timeoutMs', cause });
    }
    return this.#callerSignal?.aborted === true ? abortedError(this.#callerSignal, connectionName) : undefined;
  }

  /** Settles as `work` does, or rejects as soon as the deadline passes; `work` itself goes on unobserved then. */
  async race<T>(work: Promise<T>): Promise<T> {
    const { signal } = this;
    if (signal === undefined) return work;
    const passed = Promise.withResolvers<never>();
    const onAbort = () => passed.reject(this.error());
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([work, passed.promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Ends the time limit; the work is done. */
  clear(): void {
    this.#cancelTimer();
  }
}

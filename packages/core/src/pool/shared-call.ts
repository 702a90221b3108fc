import { abortedError } from '../errors.js';

/** Work that several callers wait for together. It is cancelled only when all of them have given up. */
export class SharedCall<T> {
  readonly #controller = new AbortController();
  readonly #result: Promise<T>;
  readonly #name: string;
  #interested = 0;

  /** @param name of the connection, for the error of an aborted caller. */
  constructor(name: string, run: (signal: AbortSignal) => Promise<T>) {
    this.#name = name;
    this.#result = run(this.#controller.signal);
  }

  /** Resolves when the work has ended, either way. */
  get settled(): Promise<void> {
    return this.#result.then(
      () => {},
      () => {},
    );
  }

  /** The outcome, or `DBM_ABORTED` for this caller alone when its signal aborts first. The signal must not be aborted yet. */
  join(signal: AbortSignal | undefined): Promise<T> {
    this.#interested++;
    if (signal === undefined) return this.#result;
    return new Promise<T>((resolve, reject) => {
      const onAbort = () => {
        reject(abortedError(signal, this.#name));
        if (--this.#interested === 0) this.#controller.abort(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#result.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    });
  }
}

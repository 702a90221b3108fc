import type { Clock, Timer } from '../clock.js';

/** What a {@link BoundedCall} is made of. */
export interface BoundedCallSetup<T> {
  readonly clock: Clock;
  readonly limitMs: number;
  /** The work. Its signal is aborted when the call is given up; it must then free what it holds and settle. */
  readonly run: (signal: AbortSignal) => Promise<T>;
  /** The error of running out of time. */
  readonly timeoutError: () => Error;
  /** Takes what the work delivers although it was given up. */
  readonly late?: (value: T) => void;
  /** Whether the process must live until it ends. Default true. */
  readonly keepAlive?: boolean;
}

/** Work of a driver that ends for its caller at a limit of time, or when given up, even if the work itself hangs. */
export class BoundedCall<T> {
  /** The outcome; rejects with the error of the work, `timeoutError()`, or what `abandon` was given. */
  readonly result: Promise<T>;
  /** Resolves when the work itself has ended; never, if it hangs in spite of its signal. */
  readonly settled: Promise<void>;
  /** When it began, by the clock. */
  readonly startedAt: number;
  readonly #controller = new AbortController();
  readonly #timer: Timer;
  readonly #late: ((value: T) => void) | undefined;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;
  #over = false;

  constructor({ clock, limitMs, run, timeoutError, late, keepAlive = true }: BoundedCallSetup<T>) {
    this.startedAt = clock.now();
    this.#late = late;
    this.result = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // A loop that was blocked fires its timers before it reads its sockets: an answer that has arrived goes first.
    const expire = () => void setImmediate(() => this.abandon(timeoutError()));
    this.#timer = clock.setTimer(limitMs, expire, { keepAlive });
    this.settled = this.#follow(run);
  }

  /** Gives the work up: rejects with `error` and aborts its signal. Does nothing once it is over. */
  abandon(error: Error): void {
    if (!this.#end()) return;
    this.#reject(error);
    this.#controller.abort(error);
  }

  async #follow(run: (signal: AbortSignal) => Promise<T>): Promise<void> {
    try {
      const value = await run(this.#controller.signal);
      if (this.#end()) this.#resolve(value);
      else this.#late?.(value);
    } catch (error) {
      if (this.#end()) this.#reject(error);
    }
  }

  /** True for the first who ends it. */
  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#timer.cancel();
    return true;
  }
}

/** Waits for `work` to settle, but no longer than `limitMs`; true when it did. Never rejects. */
export function settlesWithin(clock: Clock, work: Promise<unknown>, limitMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(limitMs, () => resolve(false), { keepAlive: true });
    const settled = () => {
      timer.cancel();
      resolve(true);
    };
    work.then(settled, settled);
  });
}

import type { Clock, Timer } from '../clock.js';

/** How an {@link Alarm} behaves. */
export interface AlarmOptions {
  /** Somebody awaits what it does, so it keeps the process alive. Default false. */
  readonly keepAlive?: boolean;
  /** Moments closer together than this are served by one timer. Default 0. */
  readonly minGapMs?: number;
}

/** One timer for the earliest of many moments; none while there is no moment to wait for. */
export class Alarm {
  readonly #clock: Clock;
  readonly #onDue: (now: number) => number;
  readonly #options: AlarmOptions;
  #timer: Timer | undefined;
  #at = Number.POSITIVE_INFINITY;
  /** Tells a turn that was queued before a cancel from one that is still wanted. */
  #turn: NodeJS.Immediate | undefined;

  /** @param onDue does what is due at `now` and returns the next moment, `Infinity` for none. */
  constructor(clock: Clock, onDue: (now: number) => number, options: AlarmOptions = {}) {
    this.#clock = clock;
    this.#onDue = onDue;
    this.#options = options;
  }

  /** Rings at `at` (of the clock) at the latest. Costs one comparison when it already does. */
  by(at: number): void {
    if (at < this.#at) this.#set(at);
  }

  /** Forgets every moment. */
  cancel(): void {
    this.#timer?.cancel();
    clearImmediate(this.#turn);
    this.#timer = undefined;
    this.#turn = undefined;
    this.#at = Number.POSITIVE_INFINITY;
  }

  #set(at: number): void {
    this.cancel();
    this.#at = at;
    this.#timer = this.#clock.setTimer(at - this.#clock.now(), () => this.#ring(), {
      keepAlive: this.#options.keepAlive ?? false,
    });
  }

  #ring(): void {
    this.#timer = undefined;
    // A loop that was blocked fires its timers before it reads its sockets: what has arrived meanwhile goes first.
    this.#turn = setImmediate(() => {
      this.#turn = undefined;
      this.#at = Number.POSITIVE_INFINITY;
      const now = this.#clock.now();
      const next = this.#onDue(now);
      this.by(next === Number.POSITIVE_INFINITY ? next : Math.max(next, now + (this.#options.minGapMs ?? 0)));
    });
  }
}

import { type Clock, systemClock, type Timer } from 'dbmanager';

/** The machine's clock, but for timers of one length: they go off when told, so that no test depends on how busy the machine is. */
export class HeldTimers implements Clock {
  readonly lengthMs: number;
  readonly #held = new Set<() => void>();

  constructor(lengthMs: number) {
    this.lengthMs = lengthMs;
  }

  now(): number {
    return systemClock.now();
  }

  setTimer(delayMs: number, callback: () => void, options?: { readonly keepAlive?: boolean }): Timer {
    if (delayMs !== this.lengthMs) return systemClock.setTimer(delayMs, callback, options);
    this.#held.add(callback);
    return { cancel: () => this.#held.delete(callback) };
  }

  /** How many have neither gone off nor been cancelled. */
  get pending(): number {
    return this.#held.size;
  }

  /** Has all of them go off. */
  fire(): void {
    for (const callback of this.#held) {
      this.#held.delete(callback);
      callback();
    }
  }
}

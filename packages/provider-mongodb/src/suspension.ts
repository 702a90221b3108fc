import { raceSignal } from '@dbmanager/core';

/** Holds back those who ask, until it ends. */
export class Suspension {
  /** Resolves at the end of the present one. */
  #end: PromiseWithResolvers<void> | undefined;
  #waiting = 0;

  get active(): boolean {
    return this.#end !== undefined;
  }

  /** How many are held back. */
  get waiting(): number {
    return this.#waiting;
  }

  begin(): void {
    this.#end ??= Promise.withResolvers();
  }

  end(): void {
    this.#end?.resolve();
    this.#end = undefined;
  }

  /** Resolves when there is none; rejects with the signal's reason when that aborts first. */
  async over(signal: AbortSignal): Promise<void> {
    this.#waiting++;
    try {
      while (this.#end !== undefined) await raceSignal(this.#end.promise, signal);
    } finally {
      this.#waiting--;
    }
  }
}

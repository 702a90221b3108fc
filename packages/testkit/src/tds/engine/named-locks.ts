interface Held {
  readonly owner: object;
  readonly scope: 'transaction' | 'session';
}

/** Exclusive locks by names of the clients' choice: sp_getapplock. */
export class NamedLocks {
  readonly #held = new Map<string, Held>();
  readonly #waiting = new Set<() => void>();

  /** Gives 0, or 1 after a wait; -1 when the time ran out. Rejects with the signal's reason. */
  async lock(
    owner: object,
    name: string,
    scope: Held['scope'],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<number> {
    const deadline = timeoutMs < 0 ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
    for (let waited = 0; ; waited = 1) {
      const held = this.#held.get(name);
      if (held === undefined || held.owner === owner) {
        this.#held.set(name, { owner, scope });
        return waited;
      }
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return -1;
      await this.#change(leftMs, signal);
    }
  }

  unlock(owner: object, name: string): boolean {
    if (this.#held.get(name)?.owner !== owner) return false;
    this.#held.delete(name);
    this.#changed();
    return true;
  }

  /** Gives back what an owner has for its transaction, or for its session and so all. */
  release(owner: object, scope: Held['scope']): void {
    for (const [name, held] of this.#held) {
      if (held.owner === owner && (scope === 'session' || held.scope === scope)) this.#held.delete(name);
    }
    this.#changed();
  }

  #changed(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves when a lock has been given back, or the time is over. */
  #change(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (settle: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', abort);
        settle();
      };
      const wake = () => done(resolve);
      const abort = () => done(() => reject(signal.reason));
      const timer = Number.isFinite(ms) ? setTimeout(wake, ms) : undefined;
      this.#waiting.add(wake);
      signal.addEventListener('abort', abort, { once: true });
    });
  }
}

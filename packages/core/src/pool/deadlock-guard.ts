import { AsyncLocalStorage } from 'node:async_hooks';

/** One piece of work that holds a connection. */
interface Hold {
  readonly guard: DeadlockGuard;
  active: boolean;
  /** What it runs within, and had not ended when it began. */
  readonly outer: Hold | undefined;
}

/** One for all pools: before Node 24 every promise of the process pays for each that was ever used. */
const holds = new AsyncLocalStorage<Hold>();

/** Knows whether the code that runs now descends from work that holds a connection of this pool. */
export class DeadlockGuard {
  /** Holds that have not ended: nobody is asked while there is none. */
  #holds = 0;

  /** Runs `work` marked; what it started and left running is not marked any more once it has ended. */
  holding<T>(work: () => T): T {
    const hold: Hold = { guard: this, active: true, outer: activeHold() };
    this.#holds++;
    const end = () => {
      hold.active = false;
      this.#holds--;
    };
    let result: T;
    try {
      result = holds.run(hold, work);
    } catch (error) {
      end();
      throw error;
    }
    // Only a real promise: calling `then` of a query builder would run its query.
    if (result instanceof Promise) return result.finally(end) as T;
    end();
    return result;
  }

  get held(): boolean {
    if (this.#holds === 0) return false;
    for (let hold = holds.getStore(); hold !== undefined; hold = hold.outer) {
      if (hold.guard === this && hold.active) return true;
    }
    return false;
  }
}

/** The innermost that has not ended. Those that have are let go: work that begins the next as it ends would make an endless chain. */
function activeHold(): Hold | undefined {
  let hold = holds.getStore();
  while (hold !== undefined && !hold.active) hold = hold.outer;
  return hold;
}

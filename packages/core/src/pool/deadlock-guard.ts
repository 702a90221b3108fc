import { AsyncLocalStorage } from 'node:async_hooks';

/** One piece of work that holds a connection. */
interface Hold {
  active: boolean;
}

/** Knows whether the code that runs now descends from work that holds a connection of this pool. */
export class DeadlockGuard {
  readonly #storage = new AsyncLocalStorage<Hold>();
  /** Holds that have not ended: nobody is asked while there is none. */
  #holds = 0;

  /** Runs `work` marked; what it started and left running is not marked any more once it has ended. */
  holding<T>(work: () => T): T {
    const hold: Hold = { active: true };
    this.#holds++;
    const end = () => {
      hold.active = false;
      this.#holds--;
    };
    let result: T;
    try {
      result = this.#storage.run(hold, work);
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
    return this.#holds > 0 && this.#storage.getStore()?.active === true;
  }
}

import { AsyncLocalStorage } from 'node:async_hooks';
import { DbManagerError } from '@dbmanager/core';

/** The scope that the code which runs now is inside of. */
const current = new AsyncLocalStorage<Scope>();

const BY_HAND = 'a nested transaction that is ended by hand is open; end it first, or use its handle';

/**
 * One level of a transaction: the transaction itself, or one nested in it. What runs in it takes turns, in the order in
 * which it was asked for; a nested scope takes one turn for all its life. So nested transactions run one after the other,
 * and no statement gets into one that is not its own, whichever handles they come from.
 *
 * Where the code runs decides, not the handle ({@link here}): called from inside a nested scope, a handle of the outer one
 * works in the nested one. It could but wait for it otherwise, and the nested one for it.
 */
export class Scope {
  readonly #connectionName: string;
  readonly #outer: Scope | undefined;
  /** Where the transaction was begun: inside another one, perhaps of another connection. */
  readonly #caller: Scope | undefined;
  readonly #left = Promise.withResolvers<void>();
  #ended = false;
  #gone = false;
  #turns = 0;
  /** Settles, without rejecting, when all turns asked for so far have ended. */
  #last: Promise<void> = Promise.resolve();
  /** Why turns are refused at once rather than left waiting for what may wait for them. */
  #barred: string | undefined;
  /** Takes back what {@link byHand} has barred. */
  #unbar: () => void = () => {};

  constructor(connectionName: string, outer?: Scope) {
    this.#connectionName = connectionName;
    this.#outer = outer;
    this.#caller = outer === undefined ? current.getStore() : undefined;
  }

  /** True from the end of this scope, or of one around it. */
  get ended(): boolean {
    return this.#ended || (this.#outer?.ended ?? false);
  }

  /** The innermost open scope that the running code is in, if it is this one or inside it; else this one. */
  here(): Scope {
    for (let scope = current.getStore(); scope !== undefined; scope = scope.#outer ?? scope.#caller) {
      if (!scope.ended && scope.#isWithin(this)) return scope;
    }
    return this;
  }

  /** Runs `work`, with what descends from it, inside this scope. */
  inside<T>(work: () => T): T {
    return current.run(this, work);
  }

  /**
   * Runs `work` when all that was asked before has ended, and nothing else meanwhile. With `bar` what is asked until its
   * end is refused for that reason.
   */
  async turn<T>(work: () => Promise<T>, bar?: string): Promise<T> {
    this.assertOpen();
    if (this.#barred !== undefined) throw this.#refusal(this.#barred);
    this.#barred = bar;
    const turn = this.#turns++ === 0 ? started(work) : this.#last.then(() => this.#late(work));
    this.#last = turn.then(this.#done, this.#done);
    try {
      return await turn;
    } finally {
      if (bar !== undefined) this.#barred = undefined;
    }
  }

  /** Runs synchronous work now; refuses when a turn is under way, as it could not wait for that. */
  now<T>(work: () => T): T {
    this.assertOpen();
    if (this.#barred !== undefined) throw this.#refusal(this.#barred);
    if (this.#turns > 0) throw this.#refusal('something else is under way in this transaction; await it first');
    return work();
  }

  /** Opens a nested scope when its turn has come. It lasts until it is left. */
  enter(): Promise<Scope> {
    const inner = new Scope(this.#connectionName, this);
    return new Promise((resolve, reject) => {
      this.turn(() => {
        resolve(inner);
        return inner.#left.promise;
      }).catch(reject);
    });
  }

  /**
   * Refuses turns of the outer scope, as nobody is known to be ending this one, until what it returns is called or this one
   * is left.
   */
  byHand(): () => void {
    const outer = this.#outer;
    if (outer === undefined || this.#gone) return () => {};
    outer.#barred = BY_HAND;
    this.#unbar = () => {
      if (outer.#barred === BY_HAND) outer.#barred = undefined;
      this.#unbar = () => {};
    };
    return () => this.#unbar();
  }

  /** Refuses further turns at once, also those that wait. */
  end(): void {
    this.#ended = true;
  }

  /** Ends this scope, and the turn that it had. Does nothing the second time. */
  leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#ended = true;
    this.#unbar();
    this.#left.resolve();
  }

  /** Resolves when all turns asked for have ended. Rejects when one is held by a nested transaction that nobody ends. */
  async idle(): Promise<void> {
    while (this.#turns > 0) {
      if (this.#barred === BY_HAND) throw this.#refusal('a nested transaction that is ended by hand was left open');
      await this.#last;
    }
  }

  /** Throws `DBM_LEASE_RELEASED` once this scope has ended. */
  assertOpen(): void {
    if (!this.ended) return;
    throw new DbManagerError('DBM_LEASE_RELEASED', 'the transaction has ended', {
      connectionName: this.#connectionName,
    });
  }

  readonly #done = (): void => {
    this.#turns--;
  };

  #late<T>(work: () => Promise<T>): Promise<T> {
    this.assertOpen();
    return work();
  }

  #isWithin(other: Scope): boolean {
    for (let scope: Scope | undefined = this; scope !== undefined; scope = scope.#outer) {
      if (scope === other) return true;
    }
    return false;
  }

  #refusal(reason: string): DbManagerError {
    return new DbManagerError('DBM_UNSUPPORTED', reason, { connectionName: this.#connectionName });
  }
}

/** Begins at once; what `work` throws is a rejection. */
async function started<T>(work: () => Promise<T>): Promise<T> {
  return work();
}

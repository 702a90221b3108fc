import { AsyncLocalStorage } from 'node:async_hooks';
import { DbManagerError } from '@dbmanager/core';

/** The scope that the code which runs now is inside of. */
const current = new AsyncLocalStorage<Scope>();

const BY_HAND = 'a nested transaction that is ended by hand is open; end it first, or use its handle';

/** Turns of the event loop that what bars others has to go away: a stream that was left takes some to be closed. */
const PATIENCE = 10;

/** Something that holds a turn for as long as somebody else pleases, who may be waiting for the next turn. */
export interface Bar {
  /** Why others are refused meanwhile rather than left waiting. */
  readonly reason: string;
  /** Whether it still is so. */
  readonly up: () => boolean;
}

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
  /** What it was ended for; undefined where it came to its own end. */
  #reason: unknown;
  #gone = false;
  #turns = 0;
  /** Settles, without rejecting, when all turns asked for so far have ended. */
  #last: Promise<void> = Promise.resolve();
  #bar: Bar | undefined;
  /** The nested one that has the turn. That turn ends a little later than whoever left it goes on. */
  #inner: Scope | undefined;

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
   * Runs `work`, which must not throw but reject, when all that was asked before has ended, and nothing else meanwhile. While
   * `bar` is up, from now on, what is asked is refused.
   */
  turn<T>(work: () => Promise<T>, bar?: Bar): Promise<T> {
    if (this.ended) return Promise.reject(this.over());
    const barred = this.#barred;
    return barred === undefined
      ? this.#next(work, bar)
      : this.#unbarred(barred.reason).then(() => this.#next(work, bar));
  }

  /** Runs synchronous work now; refuses when a turn is under way, as it could not wait for that. */
  now<T>(work: () => T): T {
    this.assertOpen();
    if (this.#barred !== undefined) throw this.#refusal(this.#barred.reason);
    const inner = this.#inner;
    const ending = inner === undefined ? 0 : Number(inner.#gone);
    if (this.#turns > ending) throw this.#refusal('something else is under way in this transaction; await it first');
    return work();
  }

  /** Opens a nested scope when its turn has come. It lasts until it is left. */
  enter(): Promise<Scope> {
    const inner = new Scope(this.#connectionName, this);
    return new Promise((resolve, reject) => {
      this.turn(() => {
        this.#inner = inner;
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
    let up = true;
    outer.#bar = { reason: BY_HAND, up: () => up && !this.#gone };
    return () => {
      up = false;
    };
  }

  /**
   * Refuses further turns at once, also those that wait.
   *
   * @param reason what ended it, for those who come later
   */
  end(reason?: unknown): void {
    this.#ended = true;
    this.#reason ??= reason;
  }

  /** Ends this scope, and the turn that it had. Does nothing the second time. */
  leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#ended = true;
    this.#left.resolve();
  }

  /** Resolves when all turns asked for have ended. Rejects when one is held that nobody may ever end. */
  async idle(): Promise<void> {
    while (this.#turns > 0) {
      if (this.#barred !== undefined) await this.#unbarred(`left open at the end: ${this.#barred.reason}`);
      await this.#last;
    }
  }

  /** Throws `DBM_LEASE_RELEASED` once this scope has ended. */
  assertOpen(): void {
    if (this.ended) throw this.over();
  }

  /** The error of whoever comes after the end. */
  over(): DbManagerError {
    const reason = this.#endedFor;
    return new DbManagerError('DBM_LEASE_RELEASED', 'the transaction has ended', {
      connectionName: this.#connectionName,
      ...(reason === undefined ? {} : { cause: reason }),
    });
  }

  get #endedFor(): unknown {
    return this.#reason ?? (this.#outer === undefined ? undefined : this.#outer.#endedFor);
  }

  get #barred(): Bar | undefined {
    return this.#bar?.up() === true ? this.#bar : undefined;
  }

  /** Gives what bars others time to go away; rejects when it does not. */
  async #unbarred(reason: string): Promise<void> {
    for (let patience = PATIENCE; patience > 0; patience--) {
      await new Promise((resolve) => setImmediate(resolve));
      this.assertOpen();
      if (this.#barred === undefined) return;
    }
    throw this.#refusal(reason);
  }

  #next<T>(work: () => Promise<T>, bar: Bar | undefined): Promise<T> {
    if (bar !== undefined) this.#bar = bar;
    const turn = this.#turns++ === 0 ? work() : this.#last.then(() => this.#late(work));
    this.#last = turn.then(this.#done, this.#done);
    return turn;
  }

  readonly #done = (): void => {
    this.#turns--;
    this.#inner = undefined;
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

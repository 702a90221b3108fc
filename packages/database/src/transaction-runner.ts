import {
  type BridgeTarget,
  type Clock,
  DbManagerError,
  Deadline,
  fullJitterDelay,
  NotSqlDatabaseError,
  type Random,
  type SqlEngine,
  sleep,
  systemClock,
} from '@dbmanager/core';
import { conflictOf } from './conflict.js';
import type { Enclose, Transaction, TransactionSetup } from './transaction.js';
import { TransactionCore } from './transaction-core.js';
import { type CheckedOptions, checkOptions, type TransactionOptions } from './transaction-options.js';

/** What a {@link TransactionRunner} is made of. */
export interface TransactionRunnerSetup<T extends Transaction> {
  readonly target: BridgeTarget;
  /** The class of the handles; nested ones are of the same. */
  readonly Handle: new (
    setup: TransactionSetup,
  ) => T;
  /** Runs each callback; see {@link TransactionSetup}. */
  readonly enclose?: Enclose | undefined;
  /** Default: the machine's. */
  readonly clock?: Clock | undefined;
  /** Default: `Math.random`. */
  readonly random?: Random | undefined;
}

/** Where transactions are begun. */
export interface TransactionSource<T extends Transaction> {
  /** See {@link TransactionRunner.run}. */
  run<R>(options: TransactionOptions | undefined, work: (tx: T) => Promise<R>): Promise<R>;
  /** See {@link TransactionRunner.begin}. */
  begin(options?: TransactionOptions): Promise<T>;
  /** The transaction that the running code is in, where transactions are ambient. */
  current?(): T | undefined;
}

/** Begins transactions on one connection and sees each through to its one end. */
export class TransactionRunner<T extends Transaction> implements TransactionSource<T> {
  readonly #target: BridgeTarget;
  readonly #Handle: new (
    setup: TransactionSetup,
  ) => T;
  readonly #enclose: Enclose | undefined;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor({ target, Handle, enclose, clock = systemClock, random = Math.random }: TransactionRunnerSetup<T>) {
    this.#target = target;
    this.#Handle = Handle;
    this.#enclose = enclose;
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Runs `work` in a transaction: committed once when it resolves, rolled back when it throws, with that very error
   * passed on. Repeated as `retry` says.
   */
  async run<R>(options: TransactionOptions | undefined, work: (tx: T) => Promise<R>): Promise<R> {
    const { name } = this.#target;
    if (typeof work !== 'function') {
      throw new DbManagerError('DBM_INVALID_OPTION', 'transaction() takes the function to run, after its options', {
        connectionName: name,
        option: 'work',
      });
    }
    const checked = checkOptions(options, name);
    const { sql } = this;
    using deadline = new Deadline(this.#clock, checked.timeoutMs, checked.signal);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(checked, deadline, work);
      } catch (error) {
        const conflict = attempt > checked.retry.attempts ? undefined : conflictOf(error, sql);
        if (conflict === undefined || deadline.signal.aborted) throw error;
        this.#target.transactions?.retried(conflict);
        await this.#backOff(attempt, checked, deadline, error);
      }
    }
  }

  /**
   * Begins a transaction that its caller ends, with `commit()` or `rollback()`; leaving its block with `await using` rolls
   * back. When its signal or its time limit passes it is rolled back there and then.
   */
  async begin(options?: TransactionOptions): Promise<T> {
    const { name } = this.#target;
    const checked = checkOptions(options, name);
    if (checked.retry.attempts > 0) {
      throw new DbManagerError('DBM_INVALID_OPTION', 'a transaction begun by hand has no callback to repeat', {
        connectionName: name,
        option: 'retry',
      });
    }
    const deadline = new Deadline(this.#clock, checked.timeoutMs, checked.signal);
    let core: TransactionCore;
    try {
      core = await this.#begin(checked, deadline);
    } catch (error) {
      deadline[Symbol.dispose]();
      throw error;
    }
    return this.#handle(core, new EndByHand(core, deadline));
  }

  get sql(): SqlEngine<unknown> {
    const { sql } = this.#target.engine;
    if (sql === undefined) throw new NotSqlDatabaseError(this.#target.name, 'a transaction');
    return sql;
  }

  async #attempt<R>(checked: CheckedOptions, deadline: Deadline, work: (tx: T) => Promise<R>): Promise<R> {
    const core = await this.#begin(checked, deadline);
    const tx = this.#handle(core);
    let result: R;
    try {
      result = await deadline.race(
        this.#target.holding(() =>
          core.root.inside(async () => {
            const value = await this.#work(tx, work);
            await core.settle();
            return value;
          }),
        ),
      );
    } catch (error) {
      throw await core.undo(error);
    }
    await core.commit();
    return result;
  }

  #begin({ begin, timeoutMs }: CheckedOptions, deadline: Deadline): Promise<TransactionCore> {
    const { sql } = this;
    return TransactionCore.begin({ target: this.#target, sql, clock: this.#clock, deadline, timeoutMs }, begin);
  }

  #handle(core: TransactionCore, end?: EndByHand): T {
    const { root: scope, hooks } = core;
    const setup = { core, scope, hooks, enclose: this.#enclose };
    return new this.#Handle(end === undefined ? setup : { ...setup, end });
  }

  #work<R>(tx: T, work: (tx: T) => Promise<R>): Promise<R> {
    return this.#enclose === undefined ? work(tx) : this.#enclose(tx, () => work(tx));
  }

  /** Waits before the next attempt; the caller's patience ends it with the error of the last one. */
  async #backOff(attempt: number, { retry }: CheckedOptions, deadline: Deadline, error: unknown): Promise<void> {
    const delayMs = fullJitterDelay(attempt, retry, this.#random);
    try {
      await sleep(this.#clock, delayMs, deadline.signal, { keepAlive: true });
    } catch {
      throw error;
    }
  }
}

/** The end of a transaction that was begun by hand. */
class EndByHand {
  readonly #core: TransactionCore;
  readonly #deadline: Deadline;
  /** Under way: who asks meanwhile shares its outcome. */
  #committing: Promise<void> | undefined;
  /** Under way or done; resolves to what a commit is refused with. */
  #undone: Promise<unknown> | undefined;

  constructor(core: TransactionCore, deadline: Deadline) {
    this.#core = core;
    this.#deadline = deadline;
    deadline.signal.addEventListener('abort', this.#calledOff, { once: true });
    core.hooks.onEnd(() => {
      deadline.signal.removeEventListener('abort', this.#calledOff);
      deadline[Symbol.dispose]();
    });
    // In the very moment in which it had been begun.
    if (deadline.signal.aborted) this.#calledOff();
  }

  commit(): Promise<void> {
    this.#committing ??= this.#commit().finally(() => {
      this.#committing = undefined;
    });
    return this.#committing;
  }

  async #commit(): Promise<void> {
    if (this.#undone === undefined) await this.#settle();
    if (this.#undone !== undefined) throw await this.#undone;
    await this.#core.commit();
  }

  async #settle(): Promise<void> {
    this.#core.root.assertOpen();
    try {
      await this.#deadline.race(this.#core.root.inside(() => this.#core.settle()));
    } catch (error) {
      await this.#undo(error);
    }
  }

  async rollback(): Promise<void> {
    if (!this.#core.ended || this.#undone !== undefined) await this.#undo(undefined);
  }

  #undo(error: unknown): Promise<unknown> {
    this.#undone ??= this.#core.undo(error).then((reason) => reason ?? this.#core.root.over());
    return this.#undone;
  }

  readonly #calledOff = (): void => {
    void this.#undo(undefined);
  };
}

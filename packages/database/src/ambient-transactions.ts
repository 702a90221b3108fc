import { AsyncLocalStorage } from 'node:async_hooks';
import { type BridgeTarget, DbManagerError } from '@dbmanager/core';
import type { Transaction } from './transaction.js';
import type {
  OptionalPropagation,
  OptionalTransactionOptions,
  Propagation,
  TransactionOptions,
} from './transaction-options.js';
import { TransactionRunner, type TransactionRunnerSetup, type TransactionSource } from './transaction-runner.js';

const PROPAGATIONS: readonly (Propagation | OptionalPropagation)[] = ['required', 'requires-new', 'supports', 'never'];

/** A transaction that code runs in, with the one around it. */
interface Frame<T> {
  readonly tx: T;
  readonly outer: Frame<T> | undefined;
}

/**
 * Transactions of one connection that the code inside their callbacks finds by itself, through `AsyncLocalStorage`. Code
 * that outlives the transaction it was started in finds the one around it, or none.
 */
export class AmbientTransactions<T extends Transaction> implements TransactionSource<T> {
  readonly #target: BridgeTarget;
  readonly #storage = new AsyncLocalStorage<Frame<T>>();
  readonly #runner: TransactionRunner<T>;

  constructor(setup: TransactionRunnerSetup<T>) {
    this.#target = setup.target;
    this.#runner = new TransactionRunner({
      ...setup,
      // Those that the runner makes are of the class it was given.
      enclose: (tx, work) => this.#storage.run({ tx: tx as T, outer: this.#storage.getStore() }, work),
    });
  }

  /** The innermost open transaction that the running code is in. */
  current(): T | undefined {
    for (let frame = this.#storage.getStore(); frame !== undefined; frame = frame.outer) {
      if (!frame.tx.ended) return frame.tx;
    }
    return undefined;
  }

  /** As {@link TransactionRunner.run}, but joins a transaction or not as `propagation` says. */
  run<R>(options: TransactionOptions, work: (tx: T) => Promise<R>): Promise<R>;
  /** `tx` is undefined where there is none. */
  run<R>(options: OptionalTransactionOptions, work: (tx: T | undefined) => Promise<R>): Promise<R>;
  async run<R>(
    { propagation = 'required', ...options }: TransactionOptions | OptionalTransactionOptions,
    work: (tx: T) => Promise<R>,
  ): Promise<R> {
    if (!PROPAGATIONS.includes(propagation)) {
      throw new DbManagerError(
        'DBM_INVALID_OPTION',
        `"${propagation}" is no propagation; there are: ${PROPAGATIONS.join(', ')}`,
        { connectionName: this.#target.name, option: 'propagation' },
      );
    }
    const current = propagation === 'requires-new' ? undefined : this.current();
    if (current !== undefined && propagation === 'never') throw this.#refusal();
    if (current !== undefined) return current.join(options, work);
    // The overload says that `work` expects none.
    if (propagation === 'supports' || propagation === 'never') return work(undefined as unknown as T);
    return this.#runner.run(options, work);
  }

  /** As {@link TransactionRunner.begin}: one begun by hand is independent of any other, and not ambient. */
  begin(options?: TransactionOptions): Promise<T> {
    return this.#runner.begin(options);
  }

  #refusal(): DbManagerError {
    return new DbManagerError('DBM_UNSUPPORTED', 'this must never run in a transaction (propagation never), and does', {
      connectionName: this.#target.name,
      option: 'propagation',
    });
  }
}

import { AsyncLocalStorage } from 'node:async_hooks';
import { type BridgeTarget, DbManagerError } from '@dbmanager/core';
import type { Transaction } from './transaction.js';
import {
  checkOptions,
  knownOptions,
  type OptionalPropagation,
  type OptionalTransactionOptions,
  type Propagation,
  type TransactionOptions,
} from './transaction-options.js';
import { TransactionRunner, type TransactionRunnerSetup, type TransactionSource } from './transaction-runner.js';

const PROPAGATIONS: readonly (Propagation | OptionalPropagation)[] = ['required', 'requires-new', 'supports', 'never'];

/** Those of each connection. */
const SOURCES = new WeakMap<BridgeTarget, AmbientTransactions<Transaction>>();

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
  #standing: T | undefined;

  constructor(setup: TransactionRunnerSetup<T>) {
    this.#target = setup.target;
    SOURCES.set(setup.target, this);
    this.#runner = new TransactionRunner({
      ...setup,
      // Those that the runner makes are of the class it was given.
      enclose: (tx, work) => this.#storage.run({ tx: tx as T, outer: this.#storage.getStore() }, work),
    });
  }

  /** Those of the connection; undefined where its transactions are not ambient. */
  static of(target: BridgeTarget): AmbientTransactions<Transaction> | undefined {
    return SOURCES.get(target);
  }

  /**
   * Makes `tx`, while it is open, the transaction of all code that is in no other, wherever it was started: for tests, whose
   * runner calls them apart from what prepared them. What then begins a transaction, `requires-new` or by hand, gets one that
   * is nested in it. Undefined: there is none any more.
   */
  stand(tx: T | undefined): void {
    this.#standing = tx;
  }

  /** The transaction that {@link stand} was given, while it is open. */
  get standing(): T | undefined {
    return this.#standing?.ended === false ? this.#standing : undefined;
  }

  /** The innermost open transaction that the running code is in. */
  current(): T | undefined {
    return this.#enclosing() ?? this.standing;
  }

  /** As {@link TransactionRunner.run}, but joins a transaction or not as `propagation` says. */
  run<R>(options: TransactionOptions | undefined, work: (tx: T) => Promise<R>): Promise<R>;
  /** `tx` is undefined where there is none. */
  run<R>(options: OptionalTransactionOptions, work: (tx: T | undefined) => Promise<R>): Promise<R>;
  async run<R>(
    asked: TransactionOptions | OptionalTransactionOptions | undefined,
    work: (tx: T) => Promise<R>,
  ): Promise<R> {
    const { propagation = 'required', ...options } = knownOptions(asked, this.#target.name);
    if (!PROPAGATIONS.includes(propagation)) {
      throw new DbManagerError(
        'DBM_INVALID_OPTION',
        `"${propagation}" is no propagation; there are: ${PROPAGATIONS.join(', ')}`,
        { connectionName: this.#target.name, option: 'propagation' },
      );
    }
    const current = propagation === 'requires-new' ? undefined : this.#enclosing();
    if (current !== undefined && propagation === 'never') throw this.#refusal();
    if (current !== undefined) return current.join(checkOptions(options, this.#target.name).begin, work);
    // The overload says that `work` expects none.
    if (propagation === 'supports' || propagation === 'never') return work(undefined as unknown as T);
    const { standing } = this;
    if (standing === undefined) return this.#runner.run(options, work);
    checkOptions(options, this.#target.name);
    return standing.transaction(work);
  }

  /** As {@link TransactionRunner.begin}: one begun by hand is independent of any other but a standing one, and not ambient. */
  async begin(options?: TransactionOptions): Promise<T> {
    const { standing } = this;
    if (standing === undefined) return this.#runner.begin(options);
    checkOptions(options, this.#target.name);
    return standing.begin();
  }

  /** The innermost open transaction whose callback the running code is in. */
  #enclosing(): T | undefined {
    for (let frame = this.#storage.getStore(); frame !== undefined; frame = frame.outer) {
      if (!frame.tx.ended) return frame.tx;
    }
    return undefined;
  }

  #refusal(): DbManagerError {
    return new DbManagerError('DBM_UNSUPPORTED', 'this must never run in a transaction (propagation never), and does', {
      connectionName: this.#target.name,
      option: 'propagation',
    });
  }
}

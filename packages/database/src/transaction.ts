import {
  type BeginOptions,
  type Bridge,
  type Clock,
  DbManagerError,
  HandleCache,
  type OpenedHandle,
  type Row,
  type SqlEngine,
  type Statement,
  type StatementResult,
} from '@dbmanager/core';
import { BoundTransaction } from './bound-transaction.js';
import type { CallOptions } from './query-options.js';
import { Queryable } from './queryable.js';
import type { Scope } from './scope.js';
import type { TransactionCore } from './transaction-core.js';
import { TransactionHooks } from './transaction-hooks.js';

/** What a {@link Transaction} is made of; made by whoever begins it. */
export interface TransactionSetup {
  readonly core: TransactionCore;
  readonly scope: Scope;
  readonly hooks: TransactionHooks;
  /** Ends one that was begun by hand; left out for one that ends with a callback. */
  readonly end?: TransactionEnd;
  /** Runs what a callback does, so that it finds the transaction as the ambient one. Left out: there are none. */
  readonly enclose?: Enclose | undefined;
}

/** Runs `work`, with what descends from it, as belonging to `tx`. */
export type Enclose = <T>(tx: Transaction, work: () => T) => T;

/** How a transaction is ended that was begun by hand. */
export interface TransactionEnd {
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/**
 * A transaction under way, or one nested in it. Every use after its end is refused with `DBM_LEASE_RELEASED`, and it is
 * never carried on after the database has rolled it back by itself (`DBM_TRANSACTION_ABORTED`).
 *
 * All handles of it (this one, those of ORMs from {@link use}, {@link native}) work on one connection; what they send runs
 * in the order in which it was asked for.
 */
export class Transaction extends Queryable implements AsyncDisposable {
  /** Name of the connection. */
  readonly name: string;
  protected readonly clock: Clock;
  readonly #setup: TransactionSetup;
  readonly #bound: BoundTransaction;
  readonly #handles: HandleCache;

  constructor(setup: TransactionSetup) {
    super();
    const { core, scope, hooks } = setup;
    this.name = core.name;
    this.clock = core.clock;
    this.#setup = setup;
    this.#bound = new BoundTransaction(core, scope, hooks);
    this.#handles = new HandleCache(core.name);
  }

  /** The provider's `type`. */
  get type(): string {
    return this.#bound.type;
  }

  /** True from the end on. */
  get ended(): boolean {
    return this.#setup.scope.ended;
  }

  protected get sql(): SqlEngine<unknown> {
    return this.#setup.core.sql;
  }

  protected async run(statement: Statement, options: CallOptions | undefined): Promise<StatementResult> {
    this.#assertKeeps(options);
    return this.#setup.core.query(this.#setup.scope, statement, options);
  }

  protected async *rows(statement: Statement, options: CallOptions): AsyncGenerator<Row, void> {
    this.#assertKeeps(options);
    yield* this.#setup.core.stream(this.#setup.scope, statement, options);
  }

  /** No engine can be told to refuse the writes of one statement of a transaction. */
  #assertKeeps(options: CallOptions | undefined): void {
    if (options?.readOnly !== true || this.#setup.core.options.readOnly === true) return;
    throw new DbManagerError(
      'DBM_UNSUPPORTED',
      'a statement cannot be read-only inside a transaction that may write; begin that with readOnly',
      { connectionName: this.name, option: 'readOnly' },
    );
  }

  /**
   * Runs `work` in a savepoint: released when it resolves, rolled back to when it throws, with its error passed on; the
   * outer transaction can go on after either. Nested transactions of one transaction run one after the other, and
   * statements of the outer one wait for them. What is called from inside `work` belongs to the nested one, by whatever
   * handle.
   */
  transaction<T>(work: (tx: this) => Promise<T>): Promise<T> {
    if (typeof work !== 'function') {
      const text = 'a nested transaction takes the function to run, and no options: it has those of the outer one';
      const error = new DbManagerError('DBM_INVALID_OPTION', text, { connectionName: this.name, option: 'work' });
      return Promise.reject(error);
    }
    return this.#nest(work);
  }

  /**
   * Opens a nested transaction that the caller ends, with `commit()` or `rollback()`; `await using` rolls back what was not
   * committed. Until then what the outer one is asked for is refused (`DBM_UNSUPPORTED`).
   */
  begin(): Promise<this> {
    const begun = Promise.withResolvers<this>();
    const ended = Promise.withResolvers<void>();
    const undone = new DbManagerError('DBM_LEASE_RELEASED', 'the transaction has ended', { connectionName: this.name });
    const work = async (nested: this) => {
      const ending = nested.#setup.scope.byHand();
      begun.resolve(nested);
      await ended.promise.finally(ending);
    };
    const done: Promise<void> = this.#nest(work, {
      commit() {
        ended.resolve();
        return done;
      },
      async rollback() {
        ended.reject(undone);
        await done.catch((error: unknown) => {
          if (error !== undone) throw error;
        });
      },
    });
    done.catch(begun.reject);
    return begun.promise;
  }

  #nest<T>(work: (tx: this) => Promise<T>, end?: TransactionEnd): Promise<T> {
    const { core, scope, enclose } = this.#setup;
    const hooks = new TransactionHooks();
    return core
      .nested(scope, async (inner) => {
        const setup = { core, scope: inner, hooks, enclose, ...(end && { end }) };
        // A subclass has the same constructor: see TransactionRunner.
        const nested = new (this.constructor as new (setup: TransactionSetup) => this)(setup);
        const result = await (enclose === undefined ? work(nested) : enclose(nested, () => work(nested)));
        await inner.idle();
        await hooks.runBefore();
        return result;
      })
      .then(
        (result) => {
          hooks.ended('committed');
          return result;
        },
        (error: unknown) => {
          hooks.ended('rolled_back');
          throw error;
        },
      );
  }

  /**
   * An ORM's handle bound to this transaction; the same key gives the same handle. Options are those that the connection's
   * own handle of that key was opened with, unless given. Throws `DBM_UNSUPPORTED` where the ORM cannot take part,
   * `DBM_INVALID_OPTION` for other options than the handle was built with.
   */
  use<H, O extends object, B>(bridge: Bridge<H, O, B>, options?: O, key = 'default'): B {
    const { target } = this.#setup.core;
    const opened = () => target.opened?.(bridge.name, key) as OpenedHandle<H, O> | undefined;
    const build = () => this.#bind(bridge, options, opened());
    return this.#handles.get(bridge.name, key, options, build, () => opened()?.options);
  }

  #bind<H, O extends object, B>(
    bridge: Bridge<H, O, B>,
    options: O | undefined,
    opened: OpenedHandle<H, O> | undefined,
  ): B {
    const { target } = this.#setup.core;
    this.#setup.scope.assertOpen();
    if (bridge.bind === undefined || !bridge.types.includes(target.type)) {
      throw new DbManagerError(
        'DBM_UNSUPPORTED',
        `${bridge.name} cannot take part in a transaction on a connection of type ${target.type}`,
        { connectionName: this.name },
      );
    }
    return bridge.bind(this.#bound, options ?? opened?.options, opened);
  }

  /**
   * The driver's own kind of connection, bound to this transaction: for postgres it behaves as a `pg.PoolClient`, for sqlite
   * as a better-sqlite3 `Database`. Giving it back or closing it does nothing.
   */
  native(): unknown {
    return this.#bound.native();
  }

  /**
   * Runs a part that asked for a transaction and is given this one. When it fails this one cannot be kept any more, whoever
   * catches the error (`DBM_TRANSACTION_ABORTED`): half of the part may have been done. Rejects with `DBM_UNSUPPORTED` when the
   * part asks for what this one was not begun with.
   */
  async join<T>(asked: BeginOptions, work: (tx: this) => Promise<T>): Promise<T> {
    const { core, scope } = this.#setup;
    for (const option of ['isolation', 'readOnly', 'deferrable'] as const) {
      if (asked[option] === undefined || asked[option] === core.options[option]) continue;
      const text = `the transaction to join was not begun with ${option} ${asked[option]}; propagation requires-new begins another`;
      throw new DbManagerError('DBM_UNSUPPORTED', text, { connectionName: this.name, option });
    }
    try {
      return await work(this);
    } catch (error) {
      core.breakOff(scope, 'a part of the transaction that had joined it failed', error);
      throw error;
    }
  }

  /** Commits a transaction that was begun by hand; `DBM_UNSUPPORTED` for one that ends with its callback. */
  commit(): Promise<void> {
    return this.#byHand().then((end) => end.commit());
  }

  /** Rolls a transaction back that was begun by hand; does nothing after its end. */
  rollback(): Promise<void> {
    return this.#byHand().then((end) => end.rollback());
  }

  /** Rolls back what was begun by hand and not committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#setup.end?.rollback();
  }

  async #byHand(): Promise<TransactionEnd> {
    const { end } = this.#setup;
    if (end !== undefined) return end;
    throw new DbManagerError('DBM_UNSUPPORTED', 'this transaction ends with its callback; throw to roll it back', {
      connectionName: this.name,
    });
  }
}

import {
  type BridgeTarget,
  type Clock,
  checkSignal,
  isDbManagerError,
  NotSqlDatabaseError,
  type Random,
  type Row,
  type SqlEngine,
  type SqlSession,
  type Statement,
  type StatementResult,
  systemClock,
} from '@dbmanager/core';
import { both, type CallOptions } from './query-options.js';
import { Queryable } from './queryable.js';
import type { ResultCache } from './result-cache.js';
import { Transaction } from './transaction.js';
import { knownOptions, type TransactionOptions } from './transaction-options.js';
import { TransactionRunner, type TransactionSource } from './transaction-runner.js';

const NO_OPTIONS: CallOptions = {};

/** What a {@link Database} is built with besides its connection. */
export interface DatabaseSetup {
  /** Default: the machine's. */
  readonly clock?: Clock | undefined;
  /** Default: `Math.random`. */
  readonly random?: Random | undefined;
  /** Where its transactions are begun, and found where they are ambient. Default: begun here, and not ambient. */
  readonly transactions?: TransactionSource<Transaction> | undefined;
  /** Answers reads that ask for it. Default: the database answers all. */
  readonly cache?: ResultCache | undefined;
  /** Ends every call when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * SQL on one named connection, on its shared pool. It holds nothing itself, so it needs no closing, stays valid across
 * reconnects, and is refused with `DBM_CLOSED` once the manager is closed.
 *
 * ```ts
 * const users = await db.query<User>('select * from users where age > ?', [21]);
 * await db.transaction(async (tx) => {
 *   await tx.execute('update accounts set balance = balance - ? where id = ?', [100, 1]);
 *   await tx.execute('update accounts set balance = balance + ? where id = ?', [100, 2]);
 * });
 * ```
 */
export class Database extends Queryable {
  protected readonly name: string;
  protected readonly clock: Clock;
  readonly #target: BridgeTarget;
  readonly #setup: DatabaseSetup;
  readonly #transactions: TransactionSource<Transaction>;

  constructor(target: BridgeTarget, setup: DatabaseSetup = {}) {
    const { clock = systemClock, random, transactions, signal } = setup;
    super(signal);
    this.#setup = setup;
    this.name = target.name;
    this.clock = clock;
    this.#target = target;
    this.#transactions = transactions ?? new TransactionRunner({ target, Handle: Transaction, clock, random });
  }

  /** Runs `work` in a transaction with the defaults of the engine. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /**
   * Runs `work` in a transaction: committed once when it resolves, rolled back when it throws, with that very error
   * passed on. A transaction that the database has aborted meanwhile is never reported as committed
   * (`DBM_TRANSACTION_ABORTED`), and a connection lost during COMMIT is `DBM_COMMIT_UNKNOWN`.
   *
   * Inside `work` use `tx`; a statement on the database itself needs a second connection, and when the pool is full it is
   * refused at once with `DBM_POOL_DEADLOCK`.
   */
  transaction<T>(options: TransactionOptions, work: (tx: Transaction) => Promise<T>): Promise<T>;
  async transaction<T>(
    ...args:
      | [work: (tx: Transaction) => Promise<T>]
      | [options: TransactionOptions, work: (tx: Transaction) => Promise<T>]
  ): Promise<T> {
    const [options, work] = args.length === 1 ? [undefined, args[0]] : args;
    return this.#transactions.run(this.#bounded(options), work);
  }

  /**
   * Begins a transaction that the caller ends, with `commit()` or `rollback()`; `await using` rolls back what was not
   * committed.
   */
  async begin(options?: TransactionOptions): Promise<Transaction> {
    return this.#transactions.begin(this.#bounded(options));
  }

  #bounded(given: TransactionOptions | undefined): TransactionOptions | undefined {
    if (this.signal === undefined) return given;
    const options = knownOptions(given, this.name);
    return { ...options, signal: this.endsWith(options.signal) };
  }

  protected get sql(): SqlEngine<unknown> {
    const { sql } = this.#target.engine;
    if (sql === undefined) throw new NotSqlDatabaseError(this.name, 'a Database');
    return sql;
  }

  /**
   * The same database for one request, say: every statement and transaction of the view ends when `signal` is aborted
   * (`DBM_ABORTED`), and nobody else's. It costs nothing and needs no closing. Throws `DBM_INVALID_OPTION` for what is no signal.
   */
  withContext(signal: AbortSignal): this {
    checkSignal(signal, this.name);
    // Subclasses make their own kind.
    return this.view({ ...this.#setup, signal: both(this.signal, signal) }) as this;
  }

  /** The same database under another setup; of a subclass, one of that class. */
  protected view(setup: DatabaseSetup): Database {
    return new Database(this.#target, setup);
  }

  /** What ends a call that has a signal of its own, or none. Throws `DBM_INVALID_OPTION` for what is no signal. */
  protected endsWith(signal: AbortSignal | undefined): AbortSignal | undefined {
    if (signal !== undefined) checkSignal(signal, this.name);
    return both(this.signal, signal);
  }

  protected run(statement: Statement, options: CallOptions = NO_OPTIONS): Promise<StatementResult> {
    const ambient = this.#transactions.current?.();
    if (ambient !== undefined) return Queryable.runOn(ambient, statement, options);
    const { cache } = this.#setup;
    const { cache: wanted } = options;
    if (cache === undefined || wanted === undefined) return this.#execute(statement, options);
    const execute = (executed: CallOptions) => this.#execute(statement, executed);
    const { held = false } = this.#target;
    return cache.read({ statement, lexis: this.sql.lexis, wanted, options, held, execute });
  }

  #execute(statement: Statement, options: CallOptions): Promise<StatementResult> {
    const { sql } = this;
    const running =
      options.readOnly || sql.run === undefined
        ? this.#runInSession(sql, statement, options)
        : sql.run(this.#target, statement, options);
    return this.#target.writesTold === undefined ? running : this.#told(running);
  }

  /** Who is told that a write is done finds it done wherever results are kept. */
  async #told(running: Promise<StatementResult>): Promise<StatementResult> {
    const result = await running;
    await this.#target.writesTold?.();
    return result;
  }

  async #runInSession(
    engine: SqlEngine<unknown>,
    statement: Statement,
    options: CallOptions,
  ): Promise<StatementResult> {
    const session = engine.session(this.#target);
    try {
      const result = await (options.readOnly
        ? inReadOnly(session, options.signal, () => session.query(statement, options))
        : session.query(statement, options));
      session.release();
      return result;
    } catch (error) {
      session.release(ofServer(error, options));
      throw error;
    }
  }

  protected async *rows(statement: Statement, options: CallOptions): AsyncGenerator<Row, void> {
    const ambient = this.#transactions.current?.();
    if (ambient !== undefined) {
      yield* { [Symbol.asyncIterator]: () => Queryable.rowsOn(ambient, statement, options) };
      return;
    }
    const session = this.sql.session(this.#target);
    let failure: unknown;
    try {
      if (options.readOnly === true) await session.begin({ readOnly: true, signal: options.signal });
      yield* session.stream(statement, options);
    } catch (error) {
      failure = ofServer(error, options);
      throw error;
    } finally {
      if (session.inTransaction) await rollBack(session);
      session.release(failure);
    }
  }
}

/** Runs `work` in a transaction that cannot write. */
async function inReadOnly<T>(session: SqlSession, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  await session.begin({ readOnly: true, signal });
  try {
    return await work();
  } finally {
    // Nothing was written, and nothing that fails now matters to the caller.
    await rollBack(session);
  }
}

async function rollBack(session: SqlSession): Promise<void> {
  try {
    await session.rollback();
  } catch {
    // The connection is lost, or the pool cleans it as it comes back.
  }
}

/** What the error of a statement says to the pool: a write that a read-only call was refused says nothing of the server. */
function ofServer(error: unknown, { readOnly }: CallOptions): unknown {
  return readOnly && isDbManagerError(error, 'DBM_READ_ONLY') ? undefined : error;
}

/**
 * The Database of a connection. Throws `NotSqlDatabaseError` when it is no SQL database, and what `target.engine` throws
 * when it was never opened.
 */
export function createDatabase(target: BridgeTarget, setup?: DatabaseSetup): Database {
  if (target.engine.sql === undefined) throw new NotSqlDatabaseError(target.name, 'a Database');
  return new Database(target, setup);
}

import {
  type BeginOptions,
  type BridgeTarget,
  type Clock,
  NotSqlDatabaseError,
  type SqlEngine,
  type SqlSession,
  type Statement,
  type StatementResult,
  systemClock,
} from '@dbmanager/core';
import { Deadline } from './deadline.js';
import { Queryable, type QueryOptions } from './queryable.js';
import { Transaction } from './transaction.js';

/** How a transaction is begun and how long it may take. */
export interface TransactionOptions extends BeginOptions {
  /** Rolls the transaction back when aborted, with `DBM_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Limit for the whole transaction in milliseconds, waiting for a connection included; then it is rolled back with
   * `DBM_QUERY_TIMEOUT`. 0 or left out: none, and `query_timeout` still holds for each statement.
   */
  readonly timeoutMs?: number | undefined;
}

/** What a {@link Database} is built with besides its connection. */
export interface DatabaseSetup {
  /** Default: the machine's. */
  readonly clock?: Clock;
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

  constructor(target: BridgeTarget, { clock = systemClock }: DatabaseSetup = {}) {
    super();
    this.name = target.name;
    this.clock = clock;
    this.#target = target;
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
    const [options, work] = args.length === 1 ? [{}, args[0]] : args;
    const { sql } = this;
    const session = sql.session(this.#target);
    const deadline = new Deadline(this.clock, this.name, options);
    try {
      await begin(session, options, deadline);
      const tx = new Transaction({ name: this.name, clock: this.clock, sql, session, deadline });
      return await this.#carryOut(session, tx, deadline, work);
    } finally {
      deadline.clear();
    }
  }

  protected get sql(): SqlEngine<unknown> {
    const { sql } = this.#target.engine;
    if (sql === undefined) throw new NotSqlDatabaseError(this.name, 'a Database');
    return sql;
  }

  protected async run(statement: Statement, options: QueryOptions | undefined): Promise<StatementResult> {
    const session = this.sql.session(this.#target);
    try {
      const result = await session.query(statement, options);
      session.release();
      return result;
    } catch (error) {
      session.release(error);
      throw error;
    }
  }

  /** From a begun session to a released one. */
  async #carryOut<T>(
    session: SqlSession,
    tx: Transaction,
    deadline: Deadline,
    work: (tx: Transaction) => Promise<T>,
  ): Promise<T> {
    try {
      const result = await deadline.race(
        this.#target.holding(async () => {
          const value = await work(tx);
          await tx.finish();
          return value;
        }),
      );
      tx.assertCommittable();
      await session.commit();
      session.release();
      return result;
    } catch (error) {
      tx.abandon();
      session.release((await rollbackFailure(session)) ?? error);
      throw error;
    }
  }
}

/**
 * The Database of a connection. Throws `NotSqlDatabaseError` when it is no SQL database, and what `target.engine` throws
 * when it was never opened.
 */
export function createDatabase(target: BridgeTarget, setup?: DatabaseSetup): Database {
  if (target.engine.sql === undefined) throw new NotSqlDatabaseError(target.name, 'a Database');
  return new Database(target, setup);
}

async function begin(session: SqlSession, options: BeginOptions, deadline: Deadline): Promise<void> {
  const { isolation, readOnly, deferrable } = options;
  try {
    await session.begin({ isolation, readOnly, deferrable, signal: deadline.signal });
  } catch (error) {
    session.release(error);
    throw deadline.error(error) ?? error;
  }
}

/** Rolls back what is still open; why that failed, or undefined when all is well. */
async function rollbackFailure(session: SqlSession): Promise<unknown> {
  if (!session.inTransaction) return undefined;
  try {
    await session.rollback();
    return undefined;
  } catch (error) {
    return error;
  }
}

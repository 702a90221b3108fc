import { DbManagerError, type TransactionScope, type TransactionTarget } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DataSource } from 'typeorm';
import type { PooledQueryRunner, QueryRunnerClass } from './query-runner.js';

/** A query runner in a transaction that it has not begun and does not end. */
export interface BoundQueryRunner extends PooledQueryRunner {
  /** The transaction, or the innermost of those nested in it that this query runner has begun. */
  readonly level: TransactionTarget;
  /** Runs `work` in a nested transaction, kept when it resolves, undone when it rejects; the query runner ends with it. */
  nest<T>(work: () => Promise<T>): Promise<T>;
}

interface Level {
  readonly scope: TransactionScope;
  readonly savepoint: string;
}

/** Makes a query runner of `dataSource` that is bound to `tx`; transactions that it starts are nested ones. */
export function boundQueryRunner(
  Runner: QueryRunnerClass,
  dataSource: DataSource,
  tx: TransactionTarget,
): BoundQueryRunner {
  class Bound extends Runner implements BoundQueryRunner {
    readonly #levels: Level[] = [];
    #ended = false;

    constructor() {
      super(dataSource.driver, 'master');
      Object.assign(this, { dataSource });
      this.isTransactionActive = true;
      this.transactionDepth = 1;
      this.attach(tx);
      // Read by lazy relations: after the end they look for a query runner of their own.
      Object.defineProperty(this, 'isReleased', { get: () => this.#isOver, set() {} });
    }

    override async query(...args: Parameters<PooledQueryRunner['query']>): Promise<never> {
      this.#assertOpen();
      return super.query(...args);
    }

    override async stream(...args: Parameters<PooledQueryRunner['stream']>) {
      this.#assertOpen();
      return super.stream(...args);
    }

    /** Nested, and ended by hand. */
    override async startTransaction(isolation?: unknown): Promise<void> {
      refuseIsolation(isolation, tx.name);
      const { scope } = await this.#enter();
      scope.byHand();
      await this.broadcaster.broadcast('AfterTransactionStart');
    }

    override async commitTransaction(): Promise<void> {
      await this.broadcaster.broadcast('BeforeTransactionCommit');
      await this.#leave(({ scope, savepoint }) => scope.session.releaseSavepoint(savepoint));
      await this.broadcaster.broadcast('AfterTransactionCommit');
    }

    override async rollbackTransaction(): Promise<void> {
      await this.broadcaster.broadcast('BeforeTransactionRollback');
      await this.#leave(undo);
      await this.broadcaster.broadcast('AfterTransactionRollback');
    }

    async nest<T>(work: () => Promise<T>): Promise<T> {
      try {
        const { scope } = await this.#enter();
        await this.broadcaster.broadcast('AfterTransactionStart');
        const result = await scope.inside(work);
        await this.commitTransaction();
        return result;
      } catch (error) {
        await this.#undoQuietly();
        throw error;
      } finally {
        this.#ended = true;
      }
    }

    /** The connection is given back by whoever began the transaction. */
    override async release(): Promise<void> {}

    override async [Symbol.asyncDispose](): Promise<void> {}

    get level(): TransactionTarget {
      return this.#levels.at(-1)?.scope ?? tx;
    }

    get #isOver(): boolean {
      return this.#ended || tx.ended;
    }

    async #enter(): Promise<Level> {
      this.#assertOpen();
      await this.broadcaster.broadcast('BeforeTransactionStart');
      const scope = await this.level.enter();
      const level = { scope, savepoint: scope.savepointName('typeorm') };
      try {
        await scope.session.savepoint(level.savepoint);
      } catch (error) {
        scope.leave();
        throw error;
      }
      this.#levels.push(level);
      this.#attachInnermost();
      return level;
    }

    /** Ends the innermost level with `end`; when that fails it stays open, to be rolled back. */
    async #leave(end: (level: Level) => Promise<void>): Promise<void> {
      this.#assertOpen();
      const level = this.#levels.at(-1);
      if (level === undefined) throw refusal('this transaction is ended by whoever began it', tx.name);
      await end(level);
      this.#levels.pop();
      level.scope.leave();
      this.#attachInnermost();
    }

    /** The error that made it necessary is the one to report. */
    async #undoQuietly(): Promise<void> {
      const level = this.#levels.at(-1);
      if (level === undefined) return;
      try {
        await this.rollbackTransaction();
      } catch (error) {
        // What should be undone must not be committed with the rest.
        tx.beforeCommit(() => Promise.reject(error));
      } finally {
        level.scope.leave();
      }
    }

    #attachInnermost(): void {
      this.transactionDepth = this.#levels.length + 1;
      this.attach(this.level);
    }

    #assertOpen(): void {
      if (!this.#isOver) return;
      throw new DbManagerError('DBM_LEASE_RELEASED', 'the transaction has ended', { connectionName: tx.name });
    }
  }
  Object.defineProperty(Bound, 'name', { value: Runner.name });
  return new Bound();
}

async function undo({ scope, savepoint }: Level): Promise<void> {
  await scope.session.rollbackTo(savepoint);
  await scope.session.releaseSavepoint(savepoint);
}

/** Throws `DBM_UNSUPPORTED` for an isolation level given to a nested transaction. */
export function refuseIsolation(isolation: unknown, connectionName: string): void {
  if (isolation !== undefined) {
    throw refusal('a nested transaction has the isolation level of the outer one', connectionName);
  }
}

function refusal(reason: string, connectionName: string): DbManagerError {
  return new DbManagerError('DBM_UNSUPPORTED', reason, { connectionName });
}

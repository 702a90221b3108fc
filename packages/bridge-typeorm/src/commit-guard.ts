import { DbManagerError } from '@dbmanager/core';
import type { PooledQueryRunner, QueryRunnerClass } from './query-runner.js';

/**
 * `Base`, whose nested transactions never end the one around them by mistake, nor let it seem committed:
 *
 * - One that could not be undone keeps the outer one from being committed (`DBM_TRANSACTION_ABORTED`). TypeORM forgets that
 *   ROLLBACK TO has failed, and takes the COMMIT of the outer transaction for that of the nested one: on SQL Server it sends
 *   none, and says that all is done.
 * - One that could not be begun is a level all the same, with nothing to undo. TypeORM rolls back the transaction around it,
 *   and what comes after that is committed statement by statement.
 */
export function commitGuard<Class extends QueryRunnerClass>(Base: Class, connectionName: string): Class {
  class GuardedQueryRunner extends (Base as QueryRunnerClass) {
    /** Why a nested transaction has not been undone. */
    #notUndone: { readonly cause: unknown } | undefined;
    /** The depth of a nested transaction that could not be begun; 0: there is none. */
    #notBegun = 0;

    override async startTransaction(...args: Parameters<PooledQueryRunner['startTransaction']>): Promise<void> {
      const depth = this.transactionDepth;
      if (depth === 0) {
        this.#notUndone = undefined;
        this.#notBegun = 0;
      }
      try {
        await super.startTransaction(...args);
      } catch (error) {
        if (depth > 0 && this.transactionDepth === depth) {
          this.transactionDepth = depth + 1;
          this.#notBegun = depth + 1;
        }
        throw error;
      }
    }

    override async commitTransaction(): Promise<void> {
      if (this.#isNotBegun) throw this.#aborted('a nested transaction that could not be begun cannot be committed', {});
      if (this.#notUndone !== undefined) {
        const text = 'a nested transaction could not be rolled back: nothing of the one around it is committed';
        throw this.#aborted(text, this.#notUndone);
      }
      await super.commitTransaction();
    }

    override async rollbackTransaction(): Promise<void> {
      const depth = this.transactionDepth;
      if (this.#isNotBegun) {
        this.#notBegun = 0;
        this.transactionDepth = depth - 1;
        return;
      }
      try {
        await super.rollbackTransaction();
      } catch (cause) {
        if (depth > 1) {
          this.#notUndone ??= { cause };
          this.transactionDepth = depth - 1;
        }
        throw cause;
      }
    }

    get #isNotBegun(): boolean {
      return this.#notBegun > 0 && this.#notBegun === this.transactionDepth;
    }

    #aborted(text: string, cause: { readonly cause?: unknown }): DbManagerError {
      return new DbManagerError('DBM_TRANSACTION_ABORTED', text, { connectionName, ...cause });
    }
  }
  Object.defineProperty(GuardedQueryRunner, 'name', { value: Base.name });
  return GuardedQueryRunner as unknown as Class;
}

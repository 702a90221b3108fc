import { DbManagerError } from '@dbmanager/core';
import type { PooledQueryRunner, QueryRunnerClass } from './query-runner.js';

type RunnerClass<Runner> = new (...args: ConstructorParameters<QueryRunnerClass>) => Runner;

/**
 * `Base`, whose transaction is not committed when one nested in it could not be undone; rejects with
 * `DBM_TRANSACTION_ABORTED`. TypeORM forgets that ROLLBACK TO has failed, and takes the COMMIT of the outer transaction for
 * that of the nested one: it sends none, and says that all is done.
 */
export function commitGuard<Runner extends PooledQueryRunner>(
  Base: RunnerClass<Runner>,
  connectionName: string,
): RunnerClass<Runner> {
  class GuardedQueryRunner extends (Base as QueryRunnerClass) {
    /** Why a nested transaction has not been undone. */
    #notUndone: { readonly cause: unknown } | undefined;

    override async startTransaction(...args: Parameters<PooledQueryRunner['startTransaction']>): Promise<void> {
      if (this.transactionDepth === 0) this.#notUndone = undefined;
      await super.startTransaction(...args);
    }

    override async commitTransaction(): Promise<void> {
      if (this.#notUndone !== undefined) {
        const text = 'a nested transaction could not be rolled back: nothing of the one around it is committed';
        throw new DbManagerError('DBM_TRANSACTION_ABORTED', text, { connectionName, ...this.#notUndone });
      }
      await super.commitTransaction();
    }

    override async rollbackTransaction(): Promise<void> {
      const depth = this.transactionDepth;
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
  }
  return GuardedQueryRunner as unknown as RunnerClass<Runner>;
}

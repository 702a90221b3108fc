import { type BridgeTarget, DbManagerError, isDbManagerError, type TransactionTarget } from '@dbmanager/core';
import { commitGuard } from './commit-guard.js';
import { onLeftEarly } from './open-streams.js';
import { driverErrorOf, type PooledQueryRunner, type QueryRunnerClass } from './query-runner.js';
import { loadTypeormPart } from './typeorm-module.js';

/** node-mssql's transaction. */
interface MssqlTransaction {
  rollback(): Promise<void>;
}

type Unlock = () => void;

/** TypeORM's own query runner, with the inner members that are used here. */
interface SqlServerQueryRunner extends PooledQueryRunner {
  readonly driver: { obtainMasterConnection(): Promise<object> };
  readonly lock: { acquire(): Promise<Unlock> };
  databaseConnection: MssqlTransaction | null | undefined;
}

type Base = new (...args: ConstructorParameters<QueryRunnerClass>) => SqlServerQueryRunner;

/** What the query runners of one data source have in common. */
export interface MssqlRunnerSetup {
  readonly target: BridgeTarget;
  /** Those in a transaction of their own; TypeORM's driver does not know of them. */
  readonly connected: Set<PooledQueryRunner>;
}

/** TypeORM's query runner for SQL Server over the shared pool: it borrows for each statement, or for a transaction. */
export function mssqlQueryRunner({ target, connected }: MssqlRunnerSetup): QueryRunnerClass {
  const { name: connectionName } = target;
  const { SqlServerQueryRunner } = loadTypeormPart<{ readonly SqlServerQueryRunner: Base }>(
    'driver/sqlserver/SqlServerQueryRunner',
    connectionName,
  );

  class PooledMssqlQueryRunner extends SqlServerQueryRunner {
    /** Gives back the lock that was got last. */
    #unlock: Unlock = () => {};

    constructor(...args: ConstructorParameters<QueryRunnerClass>) {
      super(...args);
      const { lock } = this;
      const acquire = lock.acquire.bind(lock);
      lock.acquire = async () => {
        this.#unlock = await acquire();
        return this.#unlock;
      };
    }

    override attach(tx: TransactionTarget): void {
      this.databaseConnection = tx.native() as MssqlTransaction;
    }

    override query(...args: Parameters<PooledQueryRunner['query']>): Promise<never> {
      return told(super.query(...args));
    }

    override async startTransaction(...args: Parameters<PooledQueryRunner['startTransaction']>): Promise<void> {
      // TypeORM waits for ever for what fails before it has sent anything.
      await this.driver.obtainMasterConnection();
      if (this.transactionDepth > 0) {
        await this.#nest();
        return;
      }
      await told(super.startTransaction(...args));
      connected.add(this);
    }

    override async commitTransaction(): Promise<void> {
      await told(super.commitTransaction());
      this.#atEnd();
    }

    override async rollbackTransaction(): Promise<void> {
      await super.rollbackTransaction();
      this.#atEnd();
    }

    /** Also gives back what a transaction holds that nobody has ended; TypeORM forgets it. */
    override async release(): Promise<void> {
      const open = connected.delete(this) ? this.databaseConnection : undefined;
      await super.release();
      await open?.rollback().catch(ignoreRolledBack);
    }

    override async stream(...args: Parameters<PooledQueryRunner['stream']>) {
      const stream = await super.stream(...args);
      const unlock = this.#unlock;
      onLeftEarly(stream, args[2]);
      onLeftEarly(stream, unlock);
      return stream;
    }

    #atEnd(): void {
      if (!this.isTransactionActive) connected.delete(this);
    }

    /** As TypeORM's own, which waits for ever for a savepoint that fails. */
    async #nest(): Promise<void> {
      await this.broadcaster.broadcast('BeforeTransactionStart');
      await this.query(`SAVE TRANSACTION typeorm_${this.transactionDepth}`);
      this.transactionDepth += 1;
      await this.broadcaster.broadcast('AfterTransactionStart');
    }
  }
  Object.defineProperty(PooledMssqlQueryRunner, 'name', { value: SqlServerQueryRunner.name });
  return commitGuard(PooledMssqlQueryRunner, connectionName);

  /** Rejects with the error of ours that is inside one of TypeORM's or node-mssql's. */
  async function told<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw oursIn(error) ?? aborted(error, connectionName) ?? error;
    }
  }
}

function oursIn(error: unknown): DbManagerError | undefined {
  if (isDbManagerError(error)) return error;
  const inner = driverErrorOf(error) ?? originalErrorOf(error);
  return inner === undefined ? undefined : oursIn(inner);
}

/** node-mssql's error for a COMMIT after the server had rolled back by itself. */
function aborted(error: unknown, connectionName: string): DbManagerError | undefined {
  if ((error as { readonly code?: unknown } | undefined)?.code !== 'EABORT') return undefined;
  const text = 'the server had rolled the transaction back by itself; nothing of it was committed';
  return new DbManagerError('DBM_TRANSACTION_ABORTED', text, {
    connectionName,
    cause: originalErrorOf(error) ?? error,
  });
}

/** The error inside one of node-mssql's. */
function originalErrorOf(error: unknown): unknown {
  return error instanceof Error ? (error as { readonly originalError?: unknown }).originalError : undefined;
}

/** Whatever it is that rolling back failed of, the connection has been given back, and the pool looks after it. */
function ignoreRolledBack(): void {}

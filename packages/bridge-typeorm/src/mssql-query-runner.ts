import { type EventEmitter, once } from 'node:events';
import type { Readable } from 'node:stream';
import { type BridgeTarget, DbManagerError, isDbManagerError, type TransactionTarget } from '@dbmanager/core';
import { onLeftEarly } from './open-streams.js';
import { driverErrorOf, type PooledQueryRunner, type QueryRunnerClass } from './query-runner.js';
import { loadTypeormPart } from './typeorm-module.js';

/** node-mssql's transaction. */
interface MssqlTransaction {
  rollback(): Promise<void>;
}

/** TypeORM's own query runner, with the inner members that are used here. */
interface SqlServerQueryRunner extends PooledQueryRunner {
  readonly driver: { obtainMasterConnection(): Promise<object> };
  databaseConnection: MssqlTransaction | null | undefined;
}

type Base = new (...args: ConstructorParameters<QueryRunnerClass>) => SqlServerQueryRunner;

/** TypeORM's query runner for SQL Server over the shared pool. It borrows for each statement, or for a transaction. */
export function mssqlQueryRunner({ name: connectionName }: BridgeTarget): QueryRunnerClass {
  const { SqlServerQueryRunner } = loadTypeormPart<{ readonly SqlServerQueryRunner: Base }>(
    'driver/sqlserver/SqlServerQueryRunner',
    connectionName,
  );
}

import type { BridgeTarget } from '@dbmanager/core';
import { type PgQueryRunnerClass, pooledPgQueryRunner } from './postgres-query-runner.js';
import type { ResultOptions } from './postgres-types.js';
import type { PooledQueryRunner, QueryRunnerClass } from './query-runner.js';
import { loadTypeormPart } from './typeorm-module.js';

/** With it TypeORM would send the statements of a transaction again by themselves, whatever their results were used for. */
const RESTART = /^(?:RELEASE )?SAVEPOINT cockroach_restart$/;

/** TypeORM's query runner for CockroachDB over the shared pool. A transaction that loses is repeated by its caller, as a whole. */
export function cockroachdbQueryRunner(target: BridgeTarget, options: ResultOptions): QueryRunnerClass {
  const { CockroachQueryRunner } = loadTypeormPart<{ readonly CockroachQueryRunner: PgQueryRunnerClass }>(
    'driver/cockroachdb/CockroachQueryRunner',
    target.name,
  );

  class PooledCockroachQueryRunner extends pooledPgQueryRunner(CockroachQueryRunner, target, options) {
    constructor(...args: ConstructorParameters<QueryRunnerClass>) {
      super(...args);
      // It keeps none of the statements.
      Object.defineProperty(this, 'storeQueries', { get: () => false, set() {} });
    }

    override async query(...args: Parameters<PooledQueryRunner['query']>): Promise<never> {
      return RESTART.test(args[0]) ? ([] as never) : super.query(...args);
    }
  }
  Object.defineProperty(PooledCockroachQueryRunner, 'name', { value: CockroachQueryRunner.name });
  return PooledCockroachQueryRunner;
}

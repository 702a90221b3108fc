import type { TransactionTarget } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DataSource, EntityManager } from 'typeorm';
import { type BoundQueryRunner, boundQueryRunner, refuseIsolation } from './bound-query-runner.js';
import type { QueryRunnerClass } from './query-runner.js';
import { transactionDataSource } from './transaction-data-source.js';
import type { TypeormModule } from './typeorm-module.js';

type Work = (manager: EntityManager) => Promise<unknown>;

/** What an entity manager is bound with. */
export interface Binding {
  readonly typeorm: TypeormModule;
  readonly dataSource: DataSource;
  readonly Runner: QueryRunnerClass;
}

/** An entity manager all of whose statements run in `tx`, and so does its `dataSource`; its transactions are nested ones. */
export function boundEntityManager({ typeorm, dataSource, Runner }: Binding, tx: TransactionTarget): EntityManager {
  class BoundEntityManager extends typeorm.EntityManager {
    readonly runner: BoundQueryRunner;

    constructor(level: TransactionTarget) {
      const runner = boundQueryRunner(Runner, inside, level);
      super(inside, runner);
      this.runner = runner;
    }

    /** TypeORM's own would tell of the end in its own words. */
    override query(...args: Parameters<EntityManager['query']>): Promise<never> {
      return this.runner.query(...args);
    }

    /** Has a query runner of its own, so that several at a time do not end each other's. */
    override async transaction(...args: unknown[]): Promise<never> {
      const work = args.find((arg) => typeof arg === 'function');
      if (work === undefined) throw new typeorm.TypeORMError('a transaction needs the work to do in it');
      const isolation = args.find((arg) => typeof arg === 'string');
      refuseIsolation(isolation, tx.name);
      const nested = new BoundEntityManager(this.runner.level);
      return (await nested.runner.nest(() => (work as Work)(nested))) as never;
    }
  }
  Object.defineProperty(BoundEntityManager, 'name', { value: typeorm.EntityManager.name });

  const inside = transactionDataSource(dataSource, {
    connectionName: tx.name,
    manager: () => manager,
    createQueryRunner: () => new BoundEntityManager(tx).runner,
  });
  const manager: EntityManager = new BoundEntityManager(tx);
  return manager;
}

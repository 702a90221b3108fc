import type { BridgeTarget } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DataSource, DataSourceOptions, EntityManager, QueryRunner } from 'typeorm';
import type { TypeormModule } from './typeorm-module.js';

/**
 * A `DataSource` whose transactions tell the pool that they hold a connection: a statement outside of one, sent from inside
 * its callback, is told at once when it would have to wait for it.
 */
export function pooledDataSource(
  { DataSource, EntityManager }: TypeormModule,
  target: BridgeTarget,
  options: DataSourceOptions,
): DataSource {
  const watched = (work: unknown): unknown =>
    typeof work === 'function' ? (manager: EntityManager) => target.holding(() => work(manager)) : work;

  class PooledEntityManager extends EntityManager {
    // One of TypeORM's overloads: the work is the first argument, or the second after an isolation level.
    override transaction(...args: unknown[]): Promise<never> {
      return Reflect.apply(super.transaction, this, args.map(watched));
    }
  }

  class PooledDataSource extends DataSource {
    override createEntityManager(queryRunner?: QueryRunner): EntityManager {
      return new PooledEntityManager(this, queryRunner);
    }
  }
  Object.defineProperty(PooledEntityManager, 'name', { value: EntityManager.name });
  Object.defineProperty(PooledDataSource, 'name', { value: DataSource.name });
  return new PooledDataSource(options);
}

import { DbManagerError } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';

/** What TypeORM's schema builder does on connections of its own, whatever data source it is asked of. */
const SCHEMA_TOOLS = ['synchronize', 'dropDatabase', 'runMigrations', 'undoLastMigration', 'showMigrations'] as const;

/** What is inside the transaction. */
export interface TransactionMembers {
  readonly connectionName: string;
  manager(): EntityManager;
  createQueryRunner(): QueryRunner;
}

/**
 * `dataSource` as it is seen from inside a transaction: its repositories, query builders, query runners and transactions
 * are of the transaction. Destroying it does nothing.
 */
export function transactionDataSource(dataSource: DataSource, members: TransactionMembers): DataSource {
  const { connectionName, createQueryRunner } = members;
  const inside: DataSource = Object.create(dataSource, {
    manager: { get: () => members.manager() },
    createQueryRunner: { value: createQueryRunner },
    destroy: { value: async () => {} },
  });
  for (const tool of SCHEMA_TOOLS) {
    const value = async () => {
      throw new DbManagerError('DBM_UNSUPPORTED', `${tool}() would run outside the transaction`, { connectionName });
    };
    Object.defineProperty(inside, tool, { value });
  }
  return inside;
}

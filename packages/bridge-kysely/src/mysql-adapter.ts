import { DbManagerError } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DialectAdapter, Kysely, KyselyPlugin, MigrationLockOptions } from 'kysely';
import type { KyselyModule } from './kysely-module.js';

/** What differs between servers. */
export interface MysqlAdapterSetup {
  readonly connectionName: string;
  /** An INSERT or a DELETE can return rows, as on MariaDB; Kysely's own would not show them. */
  readonly returning: boolean;
}

/**
 * Kysely's adapter for MySQL, which does not migrate without the lock: Kysely's own goes on when the server has given up
 * waiting for it.
 */
export function mysqlAdapter(kysely: KyselyModule, { connectionName, returning }: MysqlAdapterSetup) {
  /** GET_LOCK then answers with 0 or NULL, and with no error. */
  const refuseNoLock: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    async transformResult({ result }) {
      if (result.rows.every((row) => Object.values(row).every((locked) => Number(locked) === 1))) return result;
      const text = 'the lock for migrations was not to be had: another migrator holds it';
      throw new DbManagerError('DBM_QUERY_FAILED', text, { connectionName, retryable: true });
    },
  };

  class SharedMysqlAdapter extends kysely.MysqlAdapter {
    override get supportsReturning(): boolean {
      return returning;
    }

    override acquireMigrationLock(db: Kysely<unknown>, options: MigrationLockOptions): Promise<void> {
      return super.acquireMigrationLock(db.withPlugin(refuseNoLock), options);
    }
  }
  return SharedMysqlAdapter as new () => DialectAdapter;
}

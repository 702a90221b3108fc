import { type BridgeTarget, DbManagerError } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DialectAdapter, Kysely, MigrationLockOptions } from 'kysely';
import type { KyselyModule } from './kysely-module.js';

/**
 * Kysely's adapter for PostgreSQL. Behind a pooler of transactions, where Kysely's lock for migrations would be taken on one
 * connection of the server and given back on another, it takes one that ends with the transaction, and refuses to migrate
 * outside of one.
 */
export function postgresAdapter(
  kysely: KyselyModule,
  { name: connectionName, config }: Pick<BridgeTarget, 'name' | 'config'>,
): new () => DialectAdapter {
  const { pooler } = config.options as { readonly pooler?: string };
  if (pooler !== 'transaction') return kysely.PostgresAdapter;

  return class PooledPostgresAdapter extends kysely.PostgresAdapter {
    override async acquireMigrationLock(db: Kysely<unknown>, options: MigrationLockOptions): Promise<void> {
      if (!db.isTransaction) {
        throw new DbManagerError(
          'DBM_UNSUPPORTED',
          'behind a pooler of transactions a migrator needs a transaction: ' +
            'give it that of db.transaction().execute(…), or a connection without the pooler',
          { connectionName, option: 'pooler' },
        );
      }
      await db.executeQuery(kysely.CompiledQuery.raw(`select pg_advisory_xact_lock(hashtext('${options.lockTable}'))`));
    }

    /** It ends with the transaction. */
    override async releaseMigrationLock(): Promise<void> {}
  };
}

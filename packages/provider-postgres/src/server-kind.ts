import type { SqlMigrations } from '@dbmanager/core';
import { COCKROACHDB_MIGRATIONS, POOLED_MIGRATIONS, POSTGRES_MIGRATIONS } from './postgres-migrations.js';

/** What a session has to know of the server behind the protocol. */
export interface ServerKind {
  /** A result is given in portions inside transactions alone: outside of them it ends with the first. */
  readonly portionsNeedTransaction: boolean;
  /** BEGIN takes DEFERRABLE. */
  readonly deferrable: boolean;
  /**
   * A pooler gives each transaction whichever of its connections is free: nothing but the transaction may be relied on to
   * last, no setting and no prepared statement.
   */
  readonly pooled: boolean;
  readonly migrations: SqlMigrations;
}

/** PostgreSQL itself. */
export const POSTGRES_KIND: ServerKind = {
  portionsNeedTransaction: false,
  deferrable: true,
  pooled: false,
  migrations: POSTGRES_MIGRATIONS,
};

/** PostgreSQL behind a pooler that lends connections for a transaction. */
export const POOLED_KIND: ServerKind = { ...POSTGRES_KIND, pooled: true, migrations: POOLED_MIGRATIONS };

/** CockroachDB. */
export const COCKROACHDB_KIND: ServerKind = {
  portionsNeedTransaction: true,
  deferrable: false,
  pooled: false,
  migrations: COCKROACHDB_MIGRATIONS,
};

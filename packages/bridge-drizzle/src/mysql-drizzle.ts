import type { Readable } from 'node:stream';
import { type BeginOptions, DbManagerError, type IsolationLevel } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Pool, PoolConnection } from 'mysql2';
import { detachedError } from './detached-error.js';
import type { DrizzleEngine, DrizzleHandle, DrizzleSession } from './drizzle-engine.js';
import { loadDrizzle } from './drizzle-module.js';

/** What Drizzle's `transaction()` takes on MySQL. */
interface MysqlTransactionConfig {
  readonly isolationLevel?: IsolationLevel;
  readonly accessMode?: 'read only' | 'read write';
  readonly withConsistentSnapshot?: boolean;
}

interface MysqlSession extends DrizzleSession {
  readonly mode: unknown;
}

interface MysqlHandle extends DrizzleHandle {
  readonly session: MysqlSession;
  /** mysql2 has no public name for whether a pool has ended. */
  readonly $client: { readonly _closed: boolean };
}

/** The classes of `drizzle-orm/mysql2` that a transaction is made of. */
interface MysqlClasses {
  readonly MySql2Session: new (client: unknown, dialect: unknown, schema: unknown, options: object) => DrizzleSession;
  readonly MySql2Transaction: new (
    dialect: unknown,
    session: DrizzleSession,
    schema: unknown,
    nestedIndex: number,
    mode: unknown,
  ) => DrizzleHandle;
}

/** Drizzle over the engine's pool of mysql2; in a transaction over its connection. */
export const mysqlDrizzle: DrizzleEngine = {
  open(target, options) {
    const { drizzle } = loadDrizzle('mysql2', target.name);
    const pool = target.engine.native?.(target) as Pool;
    // MariaDB has no LATERAL, with which Drizzle would write relational queries.
    const mode = target.type === 'mariadb' ? 'planetscale' : 'default';
    return drizzle(pool, { mode, ...options }) as unknown as MysqlHandle;
  },

  bind(database, tx) {
    const { MySql2Session, MySql2Transaction } = loadDrizzle('mysql2', tx.name) as unknown as MysqlClasses;
    const { dialect, schema, logger, cache, mode } = (database as MysqlHandle).session;
    const client = lendingItself(tx.native() as PoolConnection);
    const session = new MySql2Session(client, dialect, schema, { logger, cache, mode });
    return new MySql2Transaction(dialect, session, schema, 0, mode);
  },

  beginOptions(config: MysqlTransactionConfig, connectionName): BeginOptions {
    const { isolationLevel, accessMode, withConsistentSnapshot = false } = config;
    if (withConsistentSnapshot) {
      throw new DbManagerError(
        'DBM_UNSUPPORTED',
        'withConsistentSnapshot cannot be used here: the first read takes the snapshot',
        {
          connectionName,
          option: 'withConsistentSnapshot',
        },
      );
    }
    const readOnly = accessMode === undefined ? undefined : accessMode === 'read only';
    return { isolation: isolationLevel, readOnly };
  },

  assertAttached(database, connectionName) {
    if ((database as MysqlHandle).$client._closed) throw detachedError(connectionName);
  },

  commitsSchemaChanges: true,
};

/**
 * A connection as Drizzle is given it: of a pool, too, it would borrow one to iterate over rows, and end that when its
 * reader leaves; of a connection it would leave the stream open, behind which all else waits.
 */
function lendingItself(connection: PoolConnection): object {
  const promised = connection.promise();
  return {
    query: promised.query.bind(promised),
    execute: promised.execute.bind(promised),
    async getConnection() {
      let rows: Readable | undefined;
      const query = (...args: Parameters<PoolConnection['query']>) => ({
        stream() {
          rows = connection.query(...args).stream();
          return rows;
        },
      });
      return { connection: { query, end: () => rows?.destroy() } };
    },
  };
}

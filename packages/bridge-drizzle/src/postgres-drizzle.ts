import type { BeginOptions, IsolationLevel } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Pool } from 'pg';
import { detachedError } from './detached-error.js';
import type { DrizzleEngine, DrizzleHandle, DrizzleSession } from './drizzle-engine.js';
import { loadDrizzle } from './drizzle-module.js';

/** What Drizzle's `transaction()` takes on PostgreSQL. */
interface PgTransactionConfig {
  readonly isolationLevel?: IsolationLevel;
  readonly accessMode?: 'read only' | 'read write';
  readonly deferrable?: boolean;
}

interface PgHandle extends DrizzleHandle {
  readonly $client: Pool;
}

/** The classes of `drizzle-orm/node-postgres` that a transaction is made of. */
interface PgClasses {
  readonly NodePgSession: new (client: unknown, dialect: unknown, schema: unknown, options: object) => DrizzleSession;
  readonly NodePgTransaction: new (dialect: unknown, session: DrizzleSession, schema: unknown) => DrizzleHandle;
}

/** Drizzle over the engine's `pg.Pool`; in a transaction over its `pg.PoolClient`. */
export const postgresDrizzle: DrizzleEngine = {
  open(target, options) {
    const { drizzle } = loadDrizzle('node-postgres', target.name);
    const pool = target.engine.native?.(target) as Pool;
    return drizzle(pool, options) as unknown as PgHandle;
  },

  bind({ session }, tx) {
    const { NodePgSession, NodePgTransaction } = loadDrizzle('node-postgres', tx.name) as unknown as PgClasses;
    const { dialect, schema, logger, cache } = session;
    return new NodePgTransaction(dialect, new NodePgSession(tx.native(), dialect, schema, { logger, cache }), schema);
  },

  beginOptions({ isolationLevel, accessMode, deferrable }: PgTransactionConfig): BeginOptions {
    const readOnly = accessMode === undefined ? undefined : accessMode === 'read only';
    return { isolation: isolationLevel, readOnly, deferrable };
  },

  assertAttached(database, connectionName) {
    if ((database as PgHandle).$client.ended) throw detachedError(connectionName);
  },
};

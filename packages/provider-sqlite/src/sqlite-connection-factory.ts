import { abortedError, type ConnectionFactory, DbManagerError } from '@dbmanager/core';
import { judge } from './errors.js';
import { SqliteConnection } from './sqlite-connection.js';
import type { SqliteDatabase } from './sqlite-driver.js';
import type { SqliteAccess, SqliteFile } from './sqlite-file.js';
import { StatementCache } from './statement-cache.js';

const SELECT_1 = { sql: 'SELECT 1' };

type SqliteFactory = ConnectionFactory<SqliteConnection>;

/** What all factories share: a connection is undone in the same way, whoever owns its handle. */
const COMMON = {
  isDirty: (connection) => connection.dirty,
  async clean(connection) {
    connection.clean();
  },
  judge,
} satisfies Partial<SqliteFactory>;

/** Connections with a handle each, on a file. */
export function fileFactory(file: SqliteFile, access: SqliteAccess): SqliteFactory {
  return {
    ...COMMON,
    create: (context) => file.open(access, context),
    async validate(connection) {
      file.verify();
      connection.run(SELECT_1);
    },
    async destroy(connection) {
      file.close(connection);
    },
  };
}

/** What {@link sharedFactory} makes its connections of. */
export interface SharedHandle {
  readonly connectionName: string;
  /** The handle; called for each connection. Throws when it cannot be had. */
  database(): SqliteDatabase;
  readonly statementCacheSize: number;
  /** The driver's busy timeout of the handle. */
  readonly busyTimeoutMs: number;
}

/**
 * Connections that are all the same handle, which outlives them: a database in memory, which would vanish with its
 * handle, or one that the caller owns. Destroying a connection closes nothing. A pool of one has at most one connection
 * in use or idle; a second one exists only while a renewal proves it, and is destroyed unused when the pool is full.
 */
export function sharedFactory({ connectionName, database, ...setup }: SharedHandle): SqliteFactory {
  let statements: StatementCache | undefined;
  return {
    ...COMMON,
    async create({ signal }) {
      if (signal.aborted) throw abortedError(signal, connectionName);
      const handle = database();
      statements ??= new StatementCache(handle, setup.statementCacheSize);
      const { busyTimeoutMs } = setup;
      return new SqliteConnection({ database: handle, statements, readOnly: false, busyTimeoutMs });
    },
    async validate({ open }) {
      if (!open) {
        throw new DbManagerError('DBM_CONNECTION_LOST', 'the handle has been closed', { connectionName });
      }
    },
    async destroy(connection) {
      if (connection.open && connection.dirty) connection.clean();
    },
  };
}

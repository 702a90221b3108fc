import {
  type BridgeTarget,
  isDbManagerError,
  NotSqlDatabaseError,
  type SqlSession,
  type Statement,
  type StatementOptions,
  type StatementResult,
} from '@dbmanager/core';
import type { DrizzleEngine, DrizzleHandle, DrizzleSession } from './drizzle-engine.js';
import { loadDrizzle } from './drizzle-module.js';

/** What sqlite-proxy calls for each statement. */
type Remote = (sql: string, params: unknown[], method: RemoteMethod) => Promise<RemoteResult>;
type RemoteMethod = 'run' | 'all' | 'values' | 'get';

/** For `get` the one row rather than a list. */
interface RemoteResult {
  readonly rows: unknown;
}

interface RemoteQuery {
  readonly sql: string;
  readonly params: unknown[];
  readonly method: RemoteMethod;
}

interface RemoteSession extends DrizzleSession {
  readonly client: Remote;
  all(query: unknown): Promise<unknown>;
  get(query: unknown): Promise<unknown>;
}

interface RemoteHandle extends DrizzleHandle {
  readonly session: RemoteSession;
}

/** The members of `drizzle-orm/sqlite-proxy`, as they are used here. */
interface ProxyModule {
  drizzle(client: Remote, batch: (queries: RemoteQuery[]) => Promise<RemoteResult[]>, options: object): RemoteHandle;
  readonly SQLiteRemoteSession: new (
    client: Remote,
    dialect: unknown,
    schema: unknown,
    batch: undefined,
    options: object,
  ) => RemoteSession;
  readonly SQLiteProxyTransaction: new (
    kind: 'async',
    dialect: unknown,
    session: DrizzleSession,
    schema: unknown,
  ) => DrizzleHandle;
}

/** Runs one statement. */
type Run = (statement: Statement, options: StatementOptions) => Promise<StatementResult>;

/**
 * Drizzle over sessions of the engine, by its sqlite-proxy: its own driver of better-sqlite3 is synchronous, and cannot
 * wait for a connection.
 */
export const sqliteDrizzle: DrizzleEngine = {
  open(target, options) {
    const module = loadProxy(target.name);
    const run = runOnPool(target);
    const database = module.drizzle(remote(run, true), (queries) => runBatch(database, queries), options);
    giveObjects(database.session, module, run);
    return database;
  },

  bind({ session: { dialect, schema, logger, cache } }, tx) {
    const module = loadProxy(tx.name);
    const run: Run = (statement, options) => tx.session.query(statement, options);
    const session = new module.SQLiteRemoteSession(remote(run, true), dialect, schema, undefined, { logger, cache });
    giveObjects(session, module, run);
    return new module.SQLiteProxyTransaction('async', dialect, session, schema);
  },

  /** Every transaction is begun IMMEDIATE; in WAL that is EXCLUSIVE too, and DEFERRED could fail at its first write. */
  beginOptions() {
    return {};
  },
};

function loadProxy(connectionName: string): ProxyModule {
  return loadDrizzle('sqlite-proxy', connectionName) as unknown as ProxyModule;
}

function runOnPool(target: BridgeTarget): Run {
  const { sql } = target.engine;
  if (sql === undefined) throw new NotSqlDatabaseError(target.name, 'Drizzle');
  return async (statement, options) => {
    const session: SqlSession = sql.session(target);
    try {
      return await session.query(statement, options);
    } finally {
      session.release();
    }
  };
}

/** Drizzle reads what it has built itself by position, as columns of several tables may have one name. */
function remote(run: Run, byPosition: boolean): Remote {
  return async (sql, params, method) => {
    const { rows, values, rowsAffected, lastInsertId } = await run({ sql, params }, { byPosition }).catch(
      asDriverError,
    );
    const all = values ?? rows;
    if (method === 'get') return { rows: all[0] };
    return method === 'run' ? { rows: all, changes: rowsAffected, lastInsertRowid: lastInsertId } : { rows: all };
  };
}

/** `all` and `get` of raw SQL give objects, as in Drizzle's other drivers; sqlite-proxy knows no names. */
function giveObjects(session: RemoteSession, { SQLiteRemoteSession }: ProxyModule, run: Run): void {
  const { dialect, schema, logger, cache } = session;
  const byName = new SQLiteRemoteSession(remote(run, false), dialect, schema, undefined, { logger, cache });
  session.all = (query) => byName.all(query);
  session.get = (query) => byName.get(query);
}

/** All or nothing. */
function runBatch({ session }: RemoteHandle, queries: readonly RemoteQuery[]): Promise<RemoteResult[]> {
  return session.transaction(async (tx) => {
    const { client } = (tx as RemoteHandle).session;
    const results: RemoteResult[] = [];
    for (const { sql, params, method } of queries) results.push(await client(sql, params, method));
    return results;
  });
}

/** Errors of statements are the driver's own in Drizzle; those of getting a connection are ours. */
function asDriverError(error: unknown): never {
  const ofStatement = isDbManagerError(error, 'DBM_QUERY_FAILED') || isDbManagerError(error, 'DBM_READ_ONLY');
  throw ofStatement && error.cause !== undefined ? error.cause : error;
}

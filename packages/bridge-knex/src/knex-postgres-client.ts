import { type EventEmitter, once } from 'node:events';
import type { Transform } from 'node:stream';
import {
  type BridgeTarget,
  CommitUnknownError,
  DbManagerError,
  type Lease,
  type TransactionTarget,
} from '@dbmanager/core';
import { boundClient } from './bound-client.js';
import { type Checkout, Checkouts } from './checkouts.js';
import { type KnexClientClass, type KnexConnection, type KnexQuery, loadDialect } from './knex-client.js';
import { leasedConnection } from './leased-connection.js';
import { pooledClient } from './pooled-client.js';
import { settlesWithin } from './settles-within.js';

/** How long the end of the last statement may take to arrive. */
const READY_GRACE_MS = 1_000;

const COMMIT = /^\s*commit\b/i;

/** Dialects of Knex that send their statements through pg. */
export type PgDialectName = 'postgres' | 'cockroachdb';

/** A dialect of Knex on the shared pool. */
export function createPostgresClient(
  dialect: PgDialectName,
  target: BridgeTarget,
  types: object | undefined,
): KnexClientClass {
  return pooledClient(pgDialect(dialect, target, types), new Checkouts(target, checkOut));
}

/** A dialect of Knex in a transaction. */
export function bindPostgresClient(
  dialect: PgDialectName,
  tx: TransactionTarget,
  types: object | undefined,
): KnexClientClass {
  return boundClient({
    Dialect: pgDialect(dialect, tx.source, types),
    tx,
    connection: (level) => Object.assign(level.native() as KnexConnection, { __knexUid: `${tx.name}#transaction` }),
    onLost: (connection, listener) => whenEnded(connection as PgClient, listener),
  });
}

/** The dialect with `types` on every statement, as they cannot stand on the pool. */
function pgDialect(dialect: PgDialectName, target: BridgeTarget, types: object | undefined): KnexClientClass {
  const Dialect = loadDialect(dialect, target.name);
  const withTypes = <O extends object | undefined>(options: O) =>
    types === undefined ? options : { types, ...options };

  class PostgresClient extends Dialect {
    override _query(connection: object, query: KnexQuery): Promise<KnexQuery> {
      if (types !== undefined) query.options = withTypes(query.options ?? {});
      const result = super._query(connection, query);
      return COMMIT.test(query.sql) ? committed(result, target) : result;
    }

    override _stream(connection: object, query: KnexQuery, stream: Transform, options: object | undefined) {
      return super._stream(connection, query, stream, withTypes(options));
    }
  }
  Object.defineProperty(PostgresClient, 'name', { value: Dialect.name });
  return PostgresClient;
}

/** What is needed of pg's client. */
interface PgClient extends EventEmitter {
  readonly readyForQuery: boolean;
  /** The wire. */
  readonly connection: EventEmitter;
}

async function checkOut(target: BridgeTarget): Promise<Checkout> {
  const lease = (await target.acquire({ lane: 'write' })) as Lease<PgClient>;
  const { sql } = target.engine;
  return {
    connection: Object.assign(leasedConnection(lease), { __knexUid: `${target.name}#${lease.id}` }),
    release: (error) => void whenReady(lease, () => lease.release(error)),
    discard: (reason) => lease.discard(reason),
    note: (sql) => lease.note(beforeLiterals(sql)),
    ...(sql?.cancel === undefined ? {} : { cancel: () => sql.cancel?.(lease.connection) ?? Promise.resolve() }),
    onLost: (listener) => whenEnded(lease.connection, listener),
  };
}

function whenEnded(client: PgClient, listener: () => void): () => void {
  client.once('end', listener);
  return () => client.off('end', listener);
}

/** The beginning of a statement, up to its first literal or parameter. */
function beforeLiterals(sql: string): string {
  return /^[^'$\d]{0,120}/.exec(sql)?.[0] ?? '';
}

/**
 * Calls `giveBack` once the client can tell its state: after an error the server's ReadyForQuery is still on its way, and
 * the pool would clean a client that is clean. When it does not come, that is for the pool to judge.
 */
async function whenReady(lease: Lease<PgClient>, giveBack: () => void): Promise<void> {
  if (!lease.released && !lease.connection.readyForQuery) {
    const client = lease.connection;
    const left = new AbortController();
    const ready = Promise.race([once(client.connection, 'readyForQuery', left), once(client, 'end', left)]);
    await settlesWithin(ready, READY_GRACE_MS);
    left.abort();
  }
  giveBack();
}

/** Knex takes any answer to COMMIT for a success; PostgreSQL answers ROLLBACK when a statement had failed before. */
async function committed(result: Promise<KnexQuery>, target: BridgeTarget): Promise<KnexQuery> {
  const { name: connectionName } = target;
  let query: KnexQuery;
  try {
    query = await result;
  } catch (error) {
    if (target.engine.factory.judge?.(error) === 'fatal') throw new CommitUnknownError(connectionName, error);
    throw error;
  }
  if ((query.response as { readonly command?: string }).command !== 'ROLLBACK') return query;
  throw new DbManagerError(
    'DBM_TRANSACTION_ABORTED',
    'COMMIT was answered with ROLLBACK: a statement of the transaction had failed before; nothing of it was committed',
    { connectionName },
  );
}

import type { EventEmitter } from 'node:events';
import type { Transform } from 'node:stream';
import { type BridgeTarget, confirmedCommit, type TransactionTarget } from '@dbmanager/core';
import { boundClient } from './bound-client.js';
import { type Checkout, Checkouts } from './checkouts.js';
import { type KnexClientClass, type KnexConnection, type KnexQuery, loadDialect } from './knex-client.js';
import { pooledClient } from './pooled-client.js';

const COMMIT = /^\s*commit\b/i;

/** Dialects of Knex that send their statements through pg. */
export type PgDialectName = 'postgres' | 'cockroachdb';

/** A dialect of Knex on the shared pool. */
export function createPostgresClient(
  dialect: PgDialectName,
  target: BridgeTarget,
  types: object | undefined,
): KnexClientClass {
  const pool = target.engine.native?.(target) as LendingPool;
  return pooledClient(pgDialect(dialect, target, types), new Checkouts(target, () => checkOut(target, pool)));
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
      return COMMIT.test(query.sql) ? confirmedCommit(result, target, tagOf) : result;
    }

    override _stream(connection: object, query: KnexQuery, stream: Transform, options: object | undefined) {
      return super._stream(connection, query, stream, withTypes(options));
    }
  }
  Object.defineProperty(PostgresClient, 'name', { value: Dialect.name });
  return PostgresClient;
}

/** What is needed of a client that pg's pool has lent. */
interface PgClient extends EventEmitter, KnexConnection {
  /** With anything true the connection is closed. */
  release(error?: unknown): void;
}

/** What is needed of pg's pool. */
interface LendingPool {
  connect(): Promise<PgClient>;
}

/** Of all checkouts, so that no two are called the same. */
let lastUid = 0;

async function checkOut(target: BridgeTarget, pool: LendingPool): Promise<Checkout> {
  const client = await pool.connect();
  client.__knexUid = `${target.name}#${++lastUid}`;
  return new PostgresCheckout(client, target);
}

class PostgresCheckout implements Checkout {
  readonly connection: PgClient;
  readonly #target: BridgeTarget;

  constructor(connection: PgClient, target: BridgeTarget) {
    this.connection = connection;
    this.#target = target;
  }

  release(error: unknown): void {
    this.connection.release(error);
  }

  discard(reason: unknown): void {
    this.connection.release(reason ?? true);
  }

  async cancel(): Promise<void> {
    await this.#target.engine.sql?.cancel?.(this.connection);
  }

  onLost(listener: () => void): () => void {
    return whenEnded(this.connection, listener);
  }
}

function whenEnded(client: PgClient, listener: () => void): () => void {
  client.once('end', listener);
  return () => client.off('end', listener);
}

/** The command tag of the answer. */
function tagOf({ response }: KnexQuery): string | undefined {
  return (response as { readonly command?: string }).command;
}

import type { Transform } from 'node:stream';
import type { BridgeTarget, TransactionTarget } from '@dbmanager/core';
import { boundClient } from './bound-client.js';
import { type Checkout, Checkouts } from './checkouts.js';
import {
  type KnexClient,
  type KnexClientClass,
  type KnexConnection,
  type KnexQuery,
  loadDialect,
} from './knex-client.js';
import { pooledClient } from './pooled-client.js';
import { requestRows, type TediousRequest } from './request-rows.js';

/** What is needed of a connection of tedious, lent by the shared pool or bound to a transaction. */
interface TediousConnection extends KnexConnection {
  /** Requests queue up on it. */
  execSql(request: TediousRequest): void;
  /** Stops what runs; false when nothing does. */
  cancel(): boolean;
  close(): void;
  on(event: 'end', listener: () => void): unknown;
  off(event: 'end', listener: () => void): unknown;
}

/** What is needed of node-mssql's `ConnectionPool`. */
interface LendingPool {
  acquire(requester: object, callback: (error: unknown, connection: TediousConnection) => void): unknown;
  release(connection: TediousConnection): unknown;
}

/** The members of Knex's client for SQL Server that are used or replaced here. */
interface MssqlClient extends KnexClient {
  _makeRequest(query: KnexQuery, ended: (error: unknown) => void): TediousRequest;
  _assignBindings(request: TediousRequest, bindings: readonly unknown[] | undefined): void;
}

/** Knex's client for SQL Server on the shared pool. */
export function createMssqlClient(target: BridgeTarget): KnexClientClass {
  const pool = target.engine.native?.(target) as LendingPool;
  return pooledClient(mssqlDialect(target.name), new Checkouts(target, () => checkOut(target, pool)));
}

/** Knex's client for SQL Server in a transaction. */
export function bindMssqlClient(tx: TransactionTarget): KnexClientClass {
  return boundClient({
    Dialect: mssqlDialect(tx.name),
    tx,
    connection: (level) => Object.assign(connectionOf(level), { __knexUid: `${tx.name}#transaction` }),
    onLost: whenEnded,
  });
}

/**
 * The dialect without its queue. Knex has one for all connections of a process: a statement of a transaction may be sent on
 * the connection of somebody else, outside of it.
 */
function mssqlDialect(connectionName: string): KnexClientClass {
  const Dialect = loadDialect('mssql', connectionName) as new (config: object) => MssqlClient;

  class MssqlDialect extends Dialect {
    /** Here a statement can be stopped. */
    get canCancelQuery(): boolean {
      return true;
    }

    _enqueueRequest(request: TediousRequest, connection: TediousConnection): void {
      connection.execSql(request);
    }

    _chomp(): void {}

    /** Knex's own reads rows faster than its reader, and reads on when that has left. */
    override async _stream(connection: object, query: KnexQuery, stream: Transform): Promise<void> {
      const { request, rows } = requestRows((ended) => this._makeRequest(query, ended));
      this._assignBindings(request, query.bindings);
      const finished = Promise.withResolvers<void>();
      rows.once('end', finished.resolve);
      rows.once('error', (error) => {
        finished.reject(error);
        stream.emit('error', error);
      });
      (connection as TediousConnection).execSql(request);
      rows.pipe(stream);
      await finished.promise;
    }
  }
  Object.defineProperty(MssqlDialect, 'name', { value: Dialect.name });
  return MssqlDialect;
}

/** Of all checkouts, so that no two are called the same. */
let lastUid = 0;

async function checkOut(target: BridgeTarget, pool: LendingPool): Promise<Checkout> {
  const connection = await new Promise<TediousConnection>((resolve, reject) => {
    pool.acquire({}, (error, lent) => (error ? reject(error) : resolve(lent)));
  });
  return {
    connection: Object.assign(connection, { __knexUid: `${target.name}#${++lastUid}` }),
    // It has noted its errors itself.
    release: () => pool.release(connection),
    discard() {
      connection.close();
      pool.release(connection);
    },
    cancel: async () => void connection.cancel(),
    onLost: (listener) => whenEnded(connection, listener),
  };
}

/** node-mssql's transaction that stands for ours has the connection of tedious, bound to it, under this name. */
function connectionOf(tx: TransactionTarget): TediousConnection {
  return (tx.native() as { readonly _acquiredConnection: TediousConnection })._acquiredConnection;
}

function whenEnded(connection: object, listener: () => void): () => void {
  (connection as TediousConnection).on('end', listener);
  return () => (connection as TediousConnection).off('end', listener);
}

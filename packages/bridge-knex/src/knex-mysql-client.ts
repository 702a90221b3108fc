import type { Socket } from 'node:net';
import type { Readable, Transform } from 'node:stream';
import { type BridgeTarget, CommitUnknownError, type TransactionTarget } from '@dbmanager/core';
import { boundClient } from './bound-client.js';
import { type Checkout, Checkouts } from './checkouts.js';
import { type KnexClientClass, type KnexConnection, type KnexQuery, loadDialect } from './knex-client.js';
import { pooledClient } from './pooled-client.js';

const COMMIT = /^\s*commit\b/i;

/** What is needed of a connection that mysql2's pool has lent. */
interface LentConnection extends KnexConnection {
  readonly stream: Socket;
  release(): void;
  destroy(): void;
}

/** What is needed of mysql2's pool. */
interface LendingPool {
  getConnection(callback: (error: unknown, connection: LentConnection) => void): void;
}

/** Knex's mysql2 dialect on the shared pool. */
export function createMysqlClient(target: BridgeTarget): KnexClientClass {
  const pool = target.engine.native?.(target) as LendingPool;
  return pooledClient(mysqlDialect(target), new Checkouts(target, () => checkOut(target, pool)));
}

/** Knex's mysql2 dialect in a transaction. */
export function bindMysqlClient(tx: TransactionTarget): KnexClientClass {
  return boundClient({
    Dialect: mysqlDialect(tx.source),
    tx,
    connection: (level) => Object.assign(level.native() as KnexConnection, { __knexUid: `${tx.name}#transaction` }),
    onLost: (connection, listener) => whenClosed((connection as LentConnection).stream, listener),
  });
}

/** The dialect, told what it would ask each connection of its own for. */
function mysqlDialect(target: BridgeTarget): KnexClientClass {
  const Dialect = loadDialect('mysql2', target.name);

  class MysqlClient extends Dialect {
    readonly isMariaDB = target.type === 'mariadb';

    override async _query(connection: object, query: KnexQuery): Promise<KnexQuery> {
      // What was never sent is not in doubt.
      const sent = !(connection as LentConnection).stream.destroyed;
      try {
        return await super._query(connection, query);
      } catch (error) {
        if (sent && COMMIT.test(query.sql) && target.engine.factory.judge?.(error) === 'fatal') {
          throw new CommitUnknownError(target.name, error);
        }
        throw error;
      }
    }

    override _stream(connection: object, query: KnexQuery, stream: Transform, options: object | undefined) {
      stream.once('pipe', (source: Readable) => leaveTogether(stream, source));
      return super._stream(connection, query, stream, options);
    }
  }
  Object.defineProperty(MysqlClient, 'name', { value: Dialect.name });
  return MysqlClient;
}

/** Knex lets go of the rows a little after its reader has left; until then other statements would be refused. */
function leaveTogether(reader: Transform, source: Readable): void {
  const { destroy } = reader;
  reader.destroy = (error) => {
    source.destroy();
    return destroy.call(reader, error);
  };
}

/** Of all checkouts, so that no two are called the same. */
let lastUid = 0;

async function checkOut(target: BridgeTarget, pool: LendingPool): Promise<Checkout> {
  const connection = await new Promise<LentConnection>((resolve, reject) => {
    pool.getConnection((error, lent) => (error ? reject(error) : resolve(lent)));
  });
  const { stream } = connection;
  const { sql } = target.engine;
  return {
    connection: Object.assign(connection, { __knexUid: `${target.name}#${++lastUid}` }),
    // It has noted its errors itself.
    release: () => connection.release(),
    discard: () => connection.destroy(),
    ...(sql?.cancel === undefined ? {} : { cancel: () => sql.cancel?.(connection) ?? Promise.resolve() }),
    onLost: (listener) => whenClosed(stream, listener),
  };
}

function whenClosed(stream: Socket, listener: () => void): () => void {
  stream.once('close', listener);
  return () => stream.off('close', listener);
}

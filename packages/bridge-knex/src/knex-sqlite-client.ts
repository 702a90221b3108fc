import { Readable, type Transform } from 'node:stream';
import {
  type BridgeTarget,
  DbManagerError,
  isDbManagerError,
  NotSqlDatabaseError,
  type Row,
  type TransactionTarget,
} from '@dbmanager/core';
import { boundClient } from './bound-client.js';
import { BoundSqliteConnection } from './bound-sqlite-connection.js';
import { Checkouts } from './checkouts.js';
import { type KnexClientClass, type KnexQuery, loadDialect } from './knex-client.js';
import { pooledClient } from './pooled-client.js';
import { type KnexSqliteConnection, SqliteConnection } from './sqlite-connection.js';

/** Knex's better-sqlite3 dialect on the shared pool. */
export function createSqliteClient(target: BridgeTarget): KnexClientClass {
  return pooledClient(sqliteDialect(target), new Checkouts(target, checkOut));
}

/** Knex's better-sqlite3 dialect in a transaction. */
export function bindSqliteClient(tx: TransactionTarget): KnexClientClass {
  return boundClient({
    Dialect: sqliteDialect(tx.source),
    tx,
    connection: (level) => new BoundSqliteConnection(level),
  });
}

/** The dialect on connections that answer asynchronously. */
function sqliteDialect(target: BridgeTarget): KnexClientClass {
  const Dialect = loadDialect('better-sqlite3', target.name);

  class SqliteClient extends Dialect {
    override async _query(connection: object, query: KnexQuery): Promise<KnexQuery> {
      const { sql, bindings } = prepared(this, query, target.name);
      const { rows, rowsAffected, lastInsertId } = await (connection as KnexSqliteConnection)
        .query(sql, bindings, typeof query.timeout === 'number')
        .catch(throwDriverError);
      if (lastInsertId === undefined) {
        query.response = rows;
      } else {
        query.response = { changes: rowsAffected, lastInsertRowid: lastInsertId };
        query.context = { lastID: lastInsertId, changes: rowsAffected };
      }
      return query;
    }

    /** Knex's own cannot show a bigint: it threw a TypeError in place of the error of every statement that had one. */
    override _escapeBinding(value: unknown, context: object): string {
      return typeof value === 'bigint' ? String(value) : super._escapeBinding(value, context);
    }

    /** Knex's own reads all rows before it passes on the first. */
    override async _stream(connection: object, query: KnexQuery, stream: Transform): Promise<void> {
      const { sql, bindings } = prepared(this, query, target.name);
      const lent = connection as KnexSqliteConnection;
      const rows = Readable.from(withDriverErrors(lent.stream(sql, bindings)));
      lent.reading(stream, rows);
      const ended = Promise.withResolvers<void>();
      rows.once('end', ended.resolve);
      rows.once('error', (error) => {
        ended.reject(error);
        stream.emit('error', error);
      });
      rows.pipe(stream);
      await ended.promise;
    }
  }
  Object.defineProperty(SqliteClient, 'name', { value: Dialect.name });
  return SqliteClient;
}

let checkouts = 0;

async function checkOut(target: BridgeTarget): Promise<SqliteConnection> {
  const { sql } = target.engine;
  if (sql === undefined) throw new NotSqlDatabaseError(target.name, 'Knex');
  const connection = new SqliteConnection(target, sql);
  connection.__knexUid = `${target.name}#${++checkouts}`;
  return connection;
}

/** The statement and its values as better-sqlite3 takes them. */
function prepared(client: object, query: KnexQuery, connectionName: string) {
  if (query.sql === '') throw new Error('The query is empty'); // as Knex says it
  if (Reflect.get(query.options ?? {}, 'safeIntegers') !== undefined) {
    throw new DbManagerError(
      'DBM_UNSUPPORTED',
      'the option "safeIntegers" cannot be used here: integers that a number cannot hold come as bigint',
      { connectionName },
    );
  }
  const { _formatBindings: format } = client as { _formatBindings(bindings: unknown): readonly unknown[] };
  return { sql: query.sql, bindings: format(query.bindings) };
}

/** Errors of statements are the driver's own in Knex; those of getting a connection are ours. */
function throwDriverError(error: unknown): never {
  const ofStatement = isDbManagerError(error, 'DBM_QUERY_FAILED') || isDbManagerError(error, 'DBM_READ_ONLY');
  throw ofStatement && error.cause !== undefined ? error.cause : error;
}

async function* withDriverErrors(rows: AsyncIterable<Row>): AsyncGenerator<Row> {
  try {
    yield* rows;
  } catch (error) {
    throwDriverError(error);
  }
}

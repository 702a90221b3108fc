import type { MssqlPool, MssqlTransaction } from '@dbmanager/provider-mssql';
import type { SqliteNative } from '@dbmanager/provider-sqlite';
import type { Database } from 'better-sqlite3';
import type { Pool as MysqlPool, PoolConnection } from 'mysql2';
import type { Connection } from 'mysql2/promise';
import type { Pool, PoolClient } from 'pg';
import type { EngineName, Hands } from '../hands.js';
import { databaseHands, type Statements } from './database.ts';

/** Opens a nested transaction; a driver by itself has none. */
export type Nest = Hands['transaction'];

/** The pg driver at work. */
export function pgHands(client: Pick<PoolClient, 'query'>, transaction: Nest): Hands {
  const statements = {
    query: async (text: string, params?: readonly unknown[]) =>
      (await client.query(numbered(text), [...(params ?? [])])).rows,
  };
  return { ...handsOf(statements, 'postgres'), transaction };
}

/** A pg pool at work: its transactions are begun and ended as pg's documentation shows. */
export function pgPoolHands(pool: Pool): Hands {
  const transaction: Nest = async (work) => {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      const result = await work(pgHands(client, nothingNested));
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  };
  return pgHands(pool, transaction);
}

/** The mysql2 driver at work. */
export function mysqlHands(client: Pick<Connection, 'query'>, transaction: Nest): Hands {
  const statements = {
    query: async (sql: string, params?: readonly unknown[]) =>
      (await client.query(sql, params as unknown[]))[0] as object[],
  };
  return { ...handsOf(statements, 'mariadb'), transaction };
}

/** A mysql2 pool at work: its transactions are begun and ended as mysql2's documentation shows. */
export function mysqlPoolHands(pool: MysqlPool): Hands {
  const promised = pool.promise();
  const transaction: Nest = async (work) => {
    const connection = await promised.getConnection();
    try {
      await connection.beginTransaction();
      const result = await work(mysqlHands(connection, nothingNested));
      await connection.commit();
      return result;
    } catch (error) {
      await connection.rollback();
      throw error;
    } finally {
      connection.release();
    }
  };
  return mysqlHands(promised, transaction);
}

/** mysql2 at work on the connection of a transaction. */
export function mysqlTransactionHands(connection: PoolConnection, nest: Nest): Hands {
  return mysqlHands(connection.promise(), nest);
}

/** node-mssql at work. */
export function mssqlHands(parent: Pick<MssqlPool | MssqlTransaction, 'request'>, transaction: Nest): Hands {
  const statements = {
    async query(sql: string, params: readonly unknown[] = []) {
      const request = parent.request();
      for (const [index, value] of params.entries()) request.input(`p${index + 1}`, value);
      const { recordset } = await request.query(numbered(sql, '@p'));
      return recordset;
    },
  };
  return { ...handsOf(statements, 'mssql'), transaction };
}

/** A pool of node-mssql at work: its transactions are begun and ended as its documentation shows. */
export function mssqlPoolHands(pool: MssqlPool): Hands {
  const transaction: Nest = async (work) => {
    const own = pool.transaction();
    await own.begin();
    try {
      const result = await work(mssqlHands(own, nothingNested));
      await own.commit();
      return result;
    } catch (error) {
      await own.rollback();
      throw error;
    }
  };
  return mssqlHands(pool, transaction);
}

/** better-sqlite3 at work on a handle. */
export function sqliteHands(database: Database, transaction: Nest): Hands {
  return { ...handsOf({ query: async (sql, params) => run(database, sql, params) }, 'sqlite'), transaction };
}

/** better-sqlite3 at work on the shared handles. */
export function sqliteNativeHands(native: SqliteNative): Hands {
  const query = (sql: string, params?: readonly unknown[]) =>
    /^select/.test(sql)
      ? native.read((database) => run(database, sql, params))
      : native.write((database) => run(database, sql, params));
  return {
    ...handsOf({ query }, 'sqlite'),
    transaction: (work) => native.transaction(async (database) => work(sqliteHands(database, nothingNested))),
  };
}

function run(database: Database, sql: string, params: readonly unknown[] = []): object[] {
  // `big` does not fit into a number.
  const statement = database.prepare(sql).safeIntegers(/from entries/.test(sql));
  if (statement.reader) return statement.all(...params) as object[];
  statement.run(...params);
  return [];
}

function handsOf(
  { query }: { query(sql: string, params?: readonly unknown[]): Promise<object[]> },
  engine: EngineName,
) {
  const statements = {
    query,
    queryOne: async (sql: string, params?: readonly unknown[]) => (await query(sql, params))[0],
    execute: query,
    transaction: nothingNested,
  };
  // The rows are what the caller says they are.
  return databaseHands(statements as unknown as Statements, engine);
}

function numbered(sql: string, prefix = '$'): string {
  let place = 0;
  return sql.replaceAll('?', () => `${prefix}${++place}`);
}

function nothingNested(): never {
  throw new Error('a driver has no nested transactions');
}

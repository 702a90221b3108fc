import type { KvNative } from '@dbmanager/provider-kv';
import type { MongoClient } from '@dbmanager/provider-mongodb';
import type { MssqlPool, MssqlTransaction } from '@dbmanager/provider-mssql';
import type { MysqlPool, MysqlPoolConnection } from '@dbmanager/provider-mysql';
import type { SqliteNative } from '@dbmanager/provider-sqlite';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Database as SqliteDatabase } from 'better-sqlite3';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Pool, PoolClient } from 'pg';

/** The native handle of each type. A package that adds a type may augment it. */
export interface NativeHandles {
  postgres: Pool;
  cockroachdb: Pool;
  /** The pool of mysql2 with callbacks; its `promise()` gives the other API. */
  mysql: MysqlPool;
  mariadb: MysqlPool;
  /** The `ConnectionPool` of node-mssql. */
  mssql: MssqlPool;
  /** Lends better-sqlite3 handles. */
  sqlite: SqliteNative;
  mongodb: MongoClient;
  /** An abstract-level database. */
  kv: KvNative;
}

/** The native handle inside a transaction, of each type that has one. A package that adds a type may augment it. */
export interface NativeTransactionHandles {
  postgres: PoolClient;
  cockroachdb: PoolClient;
  mysql: MysqlPoolConnection;
  mariadb: MysqlPoolConnection;
  /** The `Transaction` of node-mssql, begun. */
  mssql: MssqlTransaction;
  sqlite: SqliteDatabase;
}

import type { KvNative } from '@dbmanager/provider-kv';
import type { MongoClient } from '@dbmanager/provider-mongodb';
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
  sqlite: SqliteNative;
  /** Of mysql2, with callbacks; its `promise()` gives the other API. */
  mysql: MysqlPool;
  mariadb: MysqlPool;
  mongodb: MongoClient;
  kv: KvNative;
}

/** The native handle inside a transaction, of each type that has one. A package that adds a type may augment it. */
export interface NativeTransactionHandles {
  postgres: PoolClient;
  cockroachdb: PoolClient;
  sqlite: SqliteDatabase;
  mysql: MysqlPoolConnection;
  mariadb: MysqlPoolConnection;
}

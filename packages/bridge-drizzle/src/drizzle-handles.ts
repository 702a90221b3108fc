/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { ExtractTablesWithRelations } from 'drizzle-orm';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { MySql2Database, MySql2Transaction } from 'drizzle-orm/mysql2';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { NodePgDatabase, NodePgTransaction } from 'drizzle-orm/node-postgres';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { BaseSQLiteDatabase, SQLiteTransaction } from 'drizzle-orm/sqlite-core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { SqliteRemoteDatabase } from 'drizzle-orm/sqlite-proxy';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Pool as MysqlPool } from 'mysql2';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Pool } from 'pg';

/** Tables and relations by name, as Drizzle's `schema` takes them. */
export type DrizzleSchema = Record<string, unknown>;

/** What a statement of Drizzle on SQLite gives that returns no rows; the names are better-sqlite3's. */
export interface SqliteRunResult {
  readonly rows: unknown[][];
  readonly changes: number;
  /** Of an insert. */
  readonly lastInsertRowid: number | bigint | undefined;
}

/** Drizzle on SQLite. Its statements are asynchronous, because they may have to wait for a connection. */
export type DrizzleSqliteDatabase<S extends DrizzleSchema> = BaseSQLiteDatabase<'async', SqliteRunResult, S> & {
  /** Runs all of it in one transaction. */
  readonly batch: SqliteRemoteDatabase<S>['batch'];
};

/** Drizzle on MySQL and MariaDB. `$client` behaves as a `mysql2` pool on the shared pool; ending it detaches this handle only. */
export type DrizzleMysqlDatabase<S extends DrizzleSchema> = MySql2Database<S> & { readonly $client: MysqlPool };

/** The same in a transaction. */
export type DrizzleMysqlTransaction<S extends DrizzleSchema> = MySql2Transaction<S, ExtractTablesWithRelations<S>>;

/** Drizzle on PostgreSQL and CockroachDB. `$client` behaves as a `pg.Pool` on the shared pool; ending it detaches this handle only. */
export type DrizzlePostgresDatabase<S extends DrizzleSchema> = NodePgDatabase<S> & { readonly $client: Pool };

/** The same in a transaction. */
export type DrizzlePostgresTransaction<S extends DrizzleSchema> = NodePgTransaction<S, ExtractTablesWithRelations<S>>;

/** What Drizzle is on each type of connection. */
export interface DrizzleHandles<S extends DrizzleSchema = Record<string, never>> {
  postgres: DrizzlePostgresDatabase<S>;
  cockroachdb: DrizzlePostgresDatabase<S>;
  mysql: DrizzleMysqlDatabase<S>;
  mariadb: DrizzleMysqlDatabase<S>;
  sqlite: DrizzleSqliteDatabase<S>;
}

/** The same in a transaction. */
export interface DrizzleTransactions<S extends DrizzleSchema = Record<string, never>> {
  postgres: DrizzlePostgresTransaction<S>;
  cockroachdb: DrizzlePostgresTransaction<S>;
  mysql: DrizzleMysqlTransaction<S>;
  mariadb: DrizzleMysqlTransaction<S>;
  sqlite: SQLiteTransaction<'async', SqliteRunResult, S, ExtractTablesWithRelations<S>>;
}

/** Types of connection that Drizzle runs on. */
export type DrizzleType = keyof DrizzleHandles;

import { type KnexBridgeOptions, knexBridge } from '@dbmanager/bridge-knex';
import { type Bridge, DbManagerError, ManagedConnection } from '@dbmanager/core';
import { createDatabase, type Database } from '@dbmanager/database';
import type { SqliteNative } from '@dbmanager/provider-sqlite';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Knex } from 'knex';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { Pool } from 'pg';

/** The native handle of each type. A package that adds a type may augment it. */
export interface NativeHandles {
  postgres: Pool;
  sqlite: SqliteNative;
}

/** Bridges that come with this package; `default_orm` may name each of them, or `native`. */
// biome-ignore lint/suspicious/noExplicitAny: each bridge has its own handle and options
export const BRIDGES: readonly Bridge<any, any>[] = [knexBridge];

/** One named connection, with a typed handle for each ORM. All of them run on its one pool. */
export class Connection extends ManagedConnection {
  #database: Database | undefined;

  /**
   * A Knex on the shared pool; the same one each time. Its `destroy()` only detaches. Throws `DBM_PACKAGE_NOT_INSTALLED`
   * without knex, `DBM_UNSUPPORTED` on a type Knex cannot drive.
   */
  knex(options?: KnexBridgeOptions): Knex {
    return this.use(knexBridge, options);
  }

  /**
   * The driver's own kind of handle on the shared pool: for postgres it behaves as a `pg.Pool`, for sqlite it lends
   * better-sqlite3 handles. Ending it only detaches. Naming the type checks it (`DBM_UNSUPPORTED`) and types the result.
   */
  override native<T extends keyof NativeHandles = 'postgres'>(type?: T): NativeHandles[T] {
    if (type !== undefined && type !== this.type) {
      throw new DbManagerError('DBM_UNSUPPORTED', `native("${type}") asked of type ${this.type}`, {
        connectionName: this.name,
      });
    }
    return super.native() as NativeHandles[T];
  }

  /** The Database API on the shared pool; the same object each time. Throws `DBM_NOT_SQL` when it is no SQL database. */
  database(): Database {
    this.#database ??= createDatabase(this);
    return this.#database;
  }
}

import { DbManagerError } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DatabaseConnection, Driver, TransactionSettings } from 'kysely';
import type { SharedConnection } from './shared-connection.js';

/** Lends a connection. */
export type CheckOut = () => Promise<SharedConnection>;

/** Kysely's driver over connections that somebody else pools. Destroying it only detaches it. */
export class SharedDriver implements Driver {
  readonly #checkOut: CheckOut;
  readonly #connectionName: string;
  #detached = false;

  constructor(checkOut: CheckOut, connectionName: string) {
    this.#checkOut = checkOut;
    this.#connectionName = connectionName;
  }

  async init(): Promise<void> {}

  acquireConnection(): Promise<DatabaseConnection> {
    if (!this.#detached) return this.#checkOut();
    const error = new DbManagerError(
      'DBM_CLOSED',
      'this Kysely handle was destroyed; the shared pool still answers, and another name gives another handle',
      { connectionName: this.#connectionName },
    );
    return Promise.reject(error);
  }

  beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    return own(connection).begin(settings);
  }

  commitTransaction(connection: DatabaseConnection): Promise<void> {
    return own(connection).commit();
  }

  rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    return own(connection).rollback();
  }

  savepoint(connection: DatabaseConnection, name: string): Promise<void> {
    return own(connection).savepoint(name);
  }

  rollbackToSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    return own(connection).rollbackTo(name);
  }

  releaseSavepoint(connection: DatabaseConnection, name: string): Promise<void> {
    return own(connection).releaseSavepoint(name);
  }

  releaseConnection(connection: DatabaseConnection): Promise<void> {
    return own(connection).release();
  }

  /** Refuses what comes after; what is lent comes back as usual, and the pool goes on. */
  async destroy(): Promise<void> {
    this.#detached = true;
  }
}

/** Kysely gives back the very objects that `acquireConnection` gave it. */
function own(connection: DatabaseConnection): SharedConnection {
  return connection as SharedConnection;
}

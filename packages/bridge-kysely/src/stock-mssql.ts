import { loadPeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DatabaseConnection, Tedious, TediousConnection, TransactionSettings } from 'kysely';
import type { KyselyModule } from './kysely-module.js';

/** What is needed of a connection of tedious, lent by the shared pool or bound to a transaction. */
export type MssqlClient = TediousConnection;

/** Kysely's own object around a connection of tedious: its statements, its types of parameters, its streams. */
export interface StockMssqlConnection extends DatabaseConnection {
  beginTransaction(settings: TransactionSettings): Promise<void>;
  commitTransaction(): Promise<void>;
  /** The whole, or back to a savepoint. */
  rollbackTransaction(savepoint?: string): Promise<void>;
  savepoint(name: string): Promise<void>;
}

/** Puts a connection of tedious into Kysely's own object for one. */
export type WrapMssql = (client: MssqlClient) => Promise<StockMssqlConnection>;

/**
 * Kysely has that object made by its pool, tarn: here one that makes one whenever it is asked, of the connection that is
 * given, and keeps none.
 */
export function stockMssql(kysely: KyselyModule, connectionName: string): WrapMssql {
  const { Request, TYPES, ISOLATION_LEVEL } = loadPeer<Tedious>('tedious', import.meta.url, {
    by: 'Kysely on SQL Server',
    connectionName,
  });
  let given: MssqlClient | undefined;
  const driver = new kysely.MssqlDriver({
    tarn: { Pool: MakingPool as never, options: { min: 0, max: 1 } },
    tedious: { Request, TYPES, ISOLATION_LEVEL, connectionFactory: () => given as MssqlClient },
    validateConnections: false,
  });
  return (client) => {
    // Kysely asks for it before it first waits.
    given = client;
    return driver.acquireConnection() as Promise<StockMssqlConnection>;
  };
}

/** What Kysely needs of tarn. */
class MakingPool {
  readonly #create: () => Promise<unknown>;

  constructor({ create }: { create(): Promise<unknown> }) {
    this.#create = create;
  }

  acquire(): { promise: Promise<unknown> } {
    return { promise: this.#create() };
  }
}

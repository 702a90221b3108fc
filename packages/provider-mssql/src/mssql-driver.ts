import { createRequire } from 'node:module';
import { DbManagerError, loadPeer, resolvePeer } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { ConnectionPool, Transaction } from 'mssql';

/** node-mssql's pool. */
export type MssqlPool = ConnectionPool;

/** node-mssql's transaction. */
export type MssqlTransaction = Transaction;

/** How node-mssql calls back. */
export type MssqlCallback<T = unknown> = (error?: Error | null, value?: T, config?: object) => void;

/** The class of node-mssql's pools for one that pools nothing: its own state, and no more. */
export interface MssqlPoolBase {
  readonly config: object;
  readonly connected: boolean;
  _connected: boolean;
  _healthy: boolean;
}

/** What this package uses of the module `mssql`. */
export interface MssqlDriver {
  readonly ConnectionPool: new (config: object) => MssqlPoolBase;
  readonly Transaction: new (parent: unknown) => MssqlTransaction;
}

/**
 * Loads `mssql`. Throws `DBM_PACKAGE_NOT_INSTALLED`, or `DBM_PACKAGE_VERSION`: also when it has another copy of tedious than
 * the one that connects.
 */
export function loadMssql(connectionName: string): MssqlDriver {
  const needed = { by: 'the native handle of type mssql', connectionName };
  const mssql = resolvePeer('mssql', import.meta.url, needed);
  if (createRequire(mssql).resolve('tedious') !== resolvePeer('tedious', import.meta.url, needed)) {
    throw new DbManagerError(
      'DBM_PACKAGE_VERSION',
      'mssql has a copy of tedious of its own; install the version of tedious that it asks for',
      { connectionName },
    );
  }
  return loadPeer<MssqlDriver>('mssql', import.meta.url, needed);
}

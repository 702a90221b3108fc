import { DbManagerError, type TransactionTarget } from '@dbmanager/core';
import type { ConnectionViewSetup } from './connection-view.js';
import type { MssqlConnection } from './mssql-connection.js';
import type { MssqlCallback, MssqlDriver, MssqlPool, MssqlPoolBase, MssqlTransaction } from './mssql-driver.js';
import { TransactionConnection } from './transaction-connection.js';

/** What the handle of one transaction is made of. */
export interface TransactionFacadeSetup extends ConnectionViewSetup {
  readonly mssql: MssqlDriver;
  /** The native handle of the connection. */
  readonly pool: MssqlPool;
}

/**
 * node-mssql's Transaction, already begun, that stands for a transaction of dbmanager: requests on it run there, as many at a
 * time as are asked for, each in its turn. Beginning, committing and rolling it back are refused, and it is dead after the
 * end. tedious' connection, bound to the transaction, is its `_acquiredConnection`, as in node-mssql.
 */
export function createTransactionFacade(
  setup: TransactionFacadeSetup,
  tx: TransactionTarget<MssqlConnection>,
): MssqlTransaction {
  const { mssql, pool, connectionName } = setup;
  const refuse = (callback: MssqlCallback) => {
    const message = 'the end of the transaction is up to whoever began it';
    setImmediate(callback, new DbManagerError('DBM_UNSUPPORTED', message, { connectionName }));
  };

  class TransactionFacade extends mssql.Transaction {
    readonly _acquiredConnection = new TransactionConnection(setup, tx);
    readonly _acquiredConfig = (pool as unknown as MssqlPoolBase).config;

    constructor() {
      super(pool);
    }

    /** A connection of its own for each request, so that it hears of its own errors only. */
    acquire(_request: unknown, callback: MssqlCallback<TransactionConnection>): this {
      setImmediate(() => {
        try {
          callback(null, new TransactionConnection(setup, tx), this._acquiredConfig);
        } catch (error) {
          callback(error as Error);
        }
      });
      return this;
    }

    release(): this {
      return this;
    }

    _begin(_isolation: unknown, callback: MssqlCallback): void {
      refuse(callback);
    }

    _commit(callback: MssqlCallback): void {
      refuse(callback);
    }

    _rollback(callback: MssqlCallback): void {
      refuse(callback);
    }
  }
  return new TransactionFacade();
}

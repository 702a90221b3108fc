import { type BridgeTarget, CommitUnknownError, isDbManagerError, type SqlEngine } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { TransactionSettings } from 'kysely';
import { type MysqlClient, type MysqlResults, MysqlStatements } from './mysql-statements.js';
import { ServerConnection } from './server-connection.js';
import { abortedForKysely } from './shared-connection.js';

/** What is needed of mysql2's `Pool`. */
export interface MysqlPool {
  getConnection(callback: (error: unknown, connection: MysqlClient) => void): void;
}

/** A connection of mysql2, lent by the shared pool. */
export class MysqlConnection extends ServerConnection<MysqlClient> {
  protected readonly statements: MysqlStatements;

  constructor(client: MysqlClient, target: BridgeTarget, sql: SqlEngine<unknown>, results: MysqlResults | undefined) {
    super(client, target, sql);
    this.statements = new MysqlStatements(client, results, () => this.cancelQuery());
  }

  async begin({ isolationLevel, accessMode }: TransactionSettings): Promise<void> {
    const begin = accessMode === undefined ? 'begin' : `start transaction ${accessMode}`;
    if (isolationLevel === undefined) {
      await this.send(begin);
      return;
    }
    await this.send(`set transaction isolation level ${isolationLevel}`);
    try {
      await this.send(begin);
    } catch (error) {
      // The isolation would be that of the next transaction, whoever begins it.
      this.spoil();
      throw error;
    }
  }

  /** Rejects with `DBM_TRANSACTION_ABORTED` or `DBM_COMMIT_UNKNOWN` when it did not commit, or may not have. */
  async commit(): Promise<void> {
    // What was never sent is not in doubt.
    const sent = !this.client.stream.destroyed;
    try {
      await this.send('commit');
    } catch (error) {
      if (isDbManagerError(error, 'DBM_TRANSACTION_ABORTED')) {
        await this.rollback();
        throw abortedForKysely(error);
      }
      throw sent && this.isLost(error) ? new CommitUnknownError(this.target.name, error) : error;
    }
  }

  protected send(command: string): Promise<unknown> {
    return this.statements.send(command);
  }

  protected discard(): void {
    this.client.destroy();
  }
}

/** Borrows a connection. */
export function borrow(pool: MysqlPool): Promise<MysqlClient> {
  return new Promise((resolve, reject) => {
    pool.getConnection((error, client) => (error ? reject(error) : resolve(client)));
  });
}

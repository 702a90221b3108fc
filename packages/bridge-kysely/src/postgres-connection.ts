import { type BridgeTarget, confirmedCommit, isDbManagerError, type SqlEngine } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { TransactionSettings } from 'kysely';
import { type PgClient, type PgResult, PostgresStatements, type TypeParsers } from './postgres-statements.js';
import { ServerConnection } from './server-connection.js';
import { abortedForKysely } from './shared-connection.js';

/** What is needed of a `pg.Pool`. */
export interface PgPool {
  connect(): Promise<PgClient>;
}

/** A client of pg, lent by the shared pool. */
export class PostgresConnection extends ServerConnection<PgClient> {
  protected readonly statements: PostgresStatements;

  constructor(client: PgClient, target: BridgeTarget, sql: SqlEngine<unknown>, types: TypeParsers | undefined) {
    super(client, target, sql);
    this.statements = new PostgresStatements(client, types, target.name);
  }

  async begin({ isolationLevel, accessMode }: TransactionSettings): Promise<void> {
    const words = ['begin', isolationLevel && `isolation level ${isolationLevel}`, accessMode];
    await this.send(words.filter((word) => word !== undefined).join(' '));
  }

  /** Rejects with `DBM_TRANSACTION_ABORTED` or `DBM_COMMIT_UNKNOWN` when it did not commit, or may not have. */
  async commit(): Promise<void> {
    try {
      await confirmedCommit(this.send('commit'), this.target, ({ command }) => command);
    } catch (error) {
      throw isDbManagerError(error, 'DBM_TRANSACTION_ABORTED') ? abortedForKysely(error) : error;
    }
  }

  protected send(command: string): Promise<PgResult> {
    return this.statements.send(command);
  }

  protected discard(): void {
    this.client.release(true);
  }
}

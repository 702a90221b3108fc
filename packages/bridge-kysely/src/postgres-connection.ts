import { type BridgeTarget, CommitUnknownError, DbManagerError, type SqlEngine } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { TransactionSettings } from 'kysely';
import { type PgClient, PostgresStatements, type TypeParsers } from './postgres-statements.js';
import { abortedForKysely, SharedConnection } from './shared-connection.js';

/** What is needed of a `pg.Pool`. */
export interface PgPool {
  connect(): Promise<PgClient>;
}

/** A client of pg, lent by the shared pool. */
export class PostgresConnection extends SharedConnection {
  protected readonly statements: PostgresStatements;
  readonly #client: PgClient;
  readonly #target: BridgeTarget;
  readonly #sql: SqlEngine<unknown>;
  /** It must not be used again. */
  #spoilt = false;

  constructor(client: PgClient, target: BridgeTarget, sql: SqlEngine<unknown>, types: TypeParsers | undefined) {
    super();
    this.#client = client;
    this.#target = target;
    this.#sql = sql;
    this.statements = new PostgresStatements(client, types, target.name);
  }

  async begin({ isolationLevel, accessMode }: TransactionSettings): Promise<void> {
    const words = ['begin', isolationLevel && `isolation level ${isolationLevel}`, accessMode];
    await this.statements.send(words.filter((word) => word !== undefined).join(' '));
  }

  /** Rejects with `DBM_TRANSACTION_ABORTED` or `DBM_COMMIT_UNKNOWN` when it did not commit, or may not have. */
  async commit(): Promise<void> {
    const { name: connectionName } = this.#target;
    let command: string;
    try {
      ({ command } = await this.statements.send('commit'));
    } catch (error) {
      throw this.#isLost(error) ? new CommitUnknownError(connectionName, error) : error;
    }
    if (command !== 'ROLLBACK') return;
    const text = 'COMMIT was answered with ROLLBACK: a statement had failed before; nothing of it was committed';
    throw abortedForKysely(new DbManagerError('DBM_TRANSACTION_ABORTED', text, { connectionName }));
  }

  /** Resolves also when the connection is gone: the server has rolled back then, and Kysely passes on why it was asked to. */
  async rollback(): Promise<void> {
    try {
      await this.statements.send('rollback');
    } catch (error) {
      this.spoil();
      if (!this.#isLost(error)) throw error;
    }
  }

  savepoint(name: string): Promise<void> {
    return this.#savepoint('savepoint', name);
  }

  rollbackTo(name: string): Promise<void> {
    return this.#savepoint('rollback to', name);
  }

  releaseSavepoint(name: string): Promise<void> {
    return this.#savepoint('release', name);
  }

  /** Asks the server to stop what runs, on a way that takes no slot of the pool: for Kysely's `cancel query`. */
  async cancelQuery(): Promise<void> {
    await this.#sql.cancel?.(this.#client);
  }

  /** For Kysely's `kill session`: stops what runs, and closes the connection once it is given back. */
  async killSession(): Promise<void> {
    this.spoil();
    await this.cancelQuery();
  }

  /** The connection is closed when it is given back. */
  override spoil(): void {
    this.#spoilt = true;
  }

  async release(): Promise<void> {
    this.#client.release(this.#spoilt);
  }

  #isLost(error: unknown): boolean {
    return this.#target.engine.factory.judge?.(error) === 'fatal';
  }

  async #savepoint(command: string, name: string): Promise<void> {
    await this.statements.send(`${command} ${this.#sql.quoteIdentifier(name)}`);
  }
}

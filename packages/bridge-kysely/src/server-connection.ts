import type { BridgeTarget, SqlEngine } from '@dbmanager/core';
import { SharedConnection } from './shared-connection.js';

/** What a driver's own pool lends. */
export interface LentClient {
  release(): void;
}

/** A connection to a database server, lent by the shared pool as its driver's own pool lends one. */
export abstract class ServerConnection<C extends LentClient> extends SharedConnection {
  protected readonly client: C;
  protected readonly target: BridgeTarget;
  readonly #sql: SqlEngine<unknown>;
  #spoilt = false;

  constructor(client: C, target: BridgeTarget, sql: SqlEngine<unknown>) {
    super();
    this.client = client;
    this.target = target;
    this.#sql = sql;
  }

  /** Sends a command of ours, which has no parameters. */
  protected abstract send(command: string): Promise<unknown>;

  /** Closes it instead of giving it back. */
  protected abstract discard(): void;

  /** Resolves also when the connection is gone: the server has rolled back then, and Kysely passes on why it was asked to. */
  async rollback(): Promise<void> {
    try {
      await this.send('rollback');
    } catch (error) {
      this.spoil();
      if (!this.isLost(error)) throw error;
    }
  }

  async savepoint(name: string): Promise<void> {
    await this.send(`savepoint ${this.#sql.quoteIdentifier(name)}`);
  }

  async rollbackTo(name: string): Promise<void> {
    await this.send(`rollback to ${this.#sql.quoteIdentifier(name)}`);
  }

  async releaseSavepoint(name: string): Promise<void> {
    await this.send(`release savepoint ${this.#sql.quoteIdentifier(name)}`);
  }

  /** Asks the server to stop what runs, on a way that takes no slot of the pool: for Kysely's `cancel query`. */
  async cancelQuery(): Promise<void> {
    await this.#sql.cancel?.(this.client);
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
    if (this.#spoilt) this.discard();
    else this.client.release();
  }

  /** True for an error that says that the connection died. */
  protected isLost(error: unknown): boolean {
    return this.target.engine.factory.judge?.(error) === 'fatal';
  }
}

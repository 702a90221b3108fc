import type { BridgeTarget, SqlEngine } from '@dbmanager/core';
import { LentConnection } from './lent-connection.js';

/** What a driver's own pool lends. */
export interface LentClient {
  release(): void;
}

/** A connection that is lent as its driver's own pool lends one, and whose transactions are ended by statements. */
export abstract class ServerConnection<C extends LentClient> extends LentConnection {
  protected readonly client: C;
  readonly #sql: SqlEngine<unknown>;

  constructor(client: C, target: BridgeTarget, sql: SqlEngine<unknown>) {
    super(target);
    this.client = client;
    this.#sql = sql;
  }

  /** Sends a command of ours, which has no parameters. */
  protected abstract send(command: string): Promise<unknown>;

  protected undo(): Promise<unknown> {
    return this.send('rollback');
  }

  protected giveBack(): void {
    this.client.release();
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

  /** Asks the server to stop what runs, on a way that takes no slot of the pool. */
  async cancelQuery(): Promise<void> {
    await this.#sql.cancel?.(this.client);
  }
}

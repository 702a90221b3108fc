import type { BridgeTarget } from '@dbmanager/core';
import { SharedConnection } from './shared-connection.js';

/** A connection to a database server, lent by the shared pool. */
export abstract class LentConnection extends SharedConnection {
  protected readonly target: BridgeTarget;
  #spoilt = false;

  constructor(target: BridgeTarget) {
    super();
    this.target = target;
  }

  /** Rolls the transaction back. */
  protected abstract undo(): Promise<unknown>;

  /** Lends it to others again. */
  protected abstract giveBack(): void;

  /** Closes it instead of giving it back. */
  protected abstract discard(): void;

  /** Stops what runs: for Kysely's `cancel query`. */
  abstract cancelQuery(): Promise<void>;

  /** For Kysely's `kill session`: stops what runs, and closes the connection once it is given back. */
  async killSession(): Promise<void> {
    this.spoil();
    await this.cancelQuery();
  }

  /** Resolves also when the connection is gone: the server has rolled back then, and Kysely passes on why it was asked to. */
  async rollback(): Promise<void> {
    try {
      await this.undo();
    } catch (error) {
      this.spoil();
      if (!this.isLost(error)) throw error;
    }
  }

  /** The connection is closed when it is given back. */
  override spoil(): void {
    this.#spoilt = true;
  }

  async release(): Promise<void> {
    if (this.#spoilt) this.discard();
    else this.giveBack();
  }

  /** True for an error that says that the connection died. */
  protected isLost(error: unknown): boolean {
    return this.target.engine.factory.judge?.(error) === 'fatal';
  }
}

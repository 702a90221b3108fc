import { DbManagerError, type TransactionScope, type TransactionTarget } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { TransactionSettings } from 'kysely';
import { nestedTransactionBegun } from './nested-transactions.js';
import { SharedConnection } from './shared-connection.js';
import type { Statements } from './statements.js';

/** Where the statements of a transaction of ours, or of a nested one, go. */
export type StatementsOf = (tx: TransactionTarget) => Statements;

/** What Kysely takes for its connection inside a transaction of ours: its transactions are nested ones. */
export class BoundConnection extends SharedConnection {
  readonly #tx: TransactionTarget;
  readonly #statementsOf: StatementsOf;
  /** Of the innermost transaction; made when first asked for, as a transaction that is over gives none. */
  #statements: Statements | undefined;
  #nested: { readonly scope: TransactionScope; readonly name: string } | undefined;

  constructor(tx: TransactionTarget, statementsOf: StatementsOf) {
    super();
    this.#tx = tx;
    this.#statementsOf = statementsOf;
  }

  protected get statements(): Statements {
    this.#statements ??= this.#statementsOf(this.#nested?.scope ?? this.#tx);
    return this.#statements;
  }

  async begin({ isolationLevel, accessMode }: TransactionSettings): Promise<void> {
    if (isolationLevel !== undefined || accessMode !== undefined) {
      const text = 'a nested transaction has the isolation and the access mode of the outer one';
      throw this.#unsupported(text);
    }
    const scope = await this.#tx.enter();
    try {
      const name = scope.savepointName('kysely');
      await scope.session.savepoint(name);
      this.#nested = { scope, name };
      this.#statements = undefined;
    } catch (error) {
      scope.leave();
      throw error;
    }
    nestedTransactionBegun(scope);
  }

  async commit(): Promise<void> {
    const { scope, name } = this.#innermost();
    await scope.session.releaseSavepoint(name);
    this.#leave();
  }

  async rollback(): Promise<void> {
    const { scope, name } = this.#innermost();
    try {
      await scope.session.rollbackTo(name);
      await scope.session.releaseSavepoint(name);
    } finally {
      this.#leave();
    }
  }

  async savepoint(name: string): Promise<void> {
    await this.#innermost().scope.session.savepoint(name);
  }

  async rollbackTo(name: string): Promise<void> {
    await this.#innermost().scope.session.rollbackTo(name);
  }

  async releaseSavepoint(name: string): Promise<void> {
    await this.#innermost().scope.session.releaseSavepoint(name);
  }

  /** The connection is the transaction's, and stays with it. */
  async release(): Promise<void> {}

  #innermost() {
    if (this.#nested === undefined) throw this.#unsupported('there is no nested transaction to end');
    return this.#nested;
  }

  #leave(): void {
    this.#nested?.scope.leave();
    this.#nested = undefined;
    this.#statements = undefined;
  }

  #unsupported(text: string): DbManagerError {
    return new DbManagerError('DBM_UNSUPPORTED', text, { connectionName: this.#tx.name });
  }
}

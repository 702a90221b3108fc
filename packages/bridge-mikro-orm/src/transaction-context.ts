import {
  type AnyDatabase,
  boundDialect,
  createKysely,
  nestByCallback,
  nestedTransactionBegun,
} from '@dbmanager/bridge-kysely';
import { DbManagerError, type TransactionScope, type TransactionTarget } from '@dbmanager/core';
import type { Binding } from './bound-entity-manager.js';

/** A step of a transaction, in the form that Kysely gives it. */
interface Command<T> {
  execute(): Promise<T>;
}

/** What MikroORM takes for a transaction of Kysely that it controls: statements go to a transaction of ours. */
export interface TransactionContext extends AnyDatabase {
  readonly isRolledBack: boolean;
  savepoint(name: string): Command<TransactionContext>;
  releaseSavepoint(name: string): Command<void>;
  rollbackToSavepoint(name: string): Command<void>;
  commit(): Command<void>;
  rollback(): Command<void>;
}

/** A nested transaction of MikroORM's. */
interface Nested {
  readonly scope: TransactionScope;
  readonly savepoint: string;
}

/** The context of `tx`, or with `nested` of a nested transaction in it. */
export function transactionContext(binding: Binding, tx: TransactionTarget, nested?: Nested): TransactionContext {
  const { kysely, results } = binding;
  const dialect = boundDialect(kysely, tx, results);
  return Object.assign(createKysely(kysely, { dialect }, nestByCallback), {
    isRolledBack: false,
    // MikroORM's names are those of Knex, so they are replaced: they only count.
    savepoint: () => ({ execute: () => begin(binding, tx) }),
    releaseSavepoint: () => ({ execute: () => release(tx, nested) }),
    rollbackToSavepoint: () => ({ execute: () => rollBack(tx, nested) }),
    commit: () => ({ execute: () => refuse(tx, 'commit') }),
    rollback: () => ({ execute: () => refuse(tx, 'rollback') }),
  }) as unknown as TransactionContext;
}

async function begin(binding: Binding, tx: TransactionTarget): Promise<TransactionContext> {
  const scope = await tx.enter();
  try {
    const savepoint = scope.savepointName('mikroorm');
    await scope.session.savepoint(savepoint);
    nestedTransactionBegun(scope);
    return transactionContext(binding, scope, { scope, savepoint });
  } catch (error) {
    scope.leave();
    throw error;
  }
}

/** When it fails MikroORM rolls back. */
async function release(tx: TransactionTarget, nested: Nested | undefined): Promise<void> {
  if (nested === undefined) return refuse(tx, 'commit');
  await nested.scope.session.releaseSavepoint(nested.savepoint);
  nested.scope.leave();
}

async function rollBack(tx: TransactionTarget, nested: Nested | undefined): Promise<void> {
  if (nested === undefined) return refuse(tx, 'rollback');
  const { scope, savepoint } = nested;
  try {
    await scope.session.rollbackTo(savepoint);
    await scope.session.releaseSavepoint(savepoint);
  } finally {
    scope.leave();
  }
}

async function refuse({ name: connectionName }: TransactionTarget, what: string): Promise<never> {
  throw new DbManagerError('DBM_UNSUPPORTED', `${what} is up to whoever began the transaction`, { connectionName });
}

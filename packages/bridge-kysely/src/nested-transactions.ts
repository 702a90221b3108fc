import { AsyncLocalStorage } from 'node:async_hooks';
import type { TransactionScope } from '@dbmanager/core';

/** A nested transaction that a callback will end. */
interface CallbackTransaction {
  scope?: TransactionScope;
}

/** Set from the call of an ORM's method that takes a callback to the call of that callback. */
const beginning = new AsyncLocalStorage<CallbackTransaction>();

/**
 * Runs an ORM's method that begins a transaction, calls back and ends it, when the transaction is nested in one of ours:
 * the callback then runs inside the scope that {@link nestedTransactionBegun} tells of.
 */
export function nestByCallback<A extends unknown[], R, T>(
  method: (callback: (...args: A) => Promise<R>) => Promise<T>,
  callback: (...args: A) => Promise<R>,
): Promise<T> {
  const transaction: CallbackTransaction = {};
  const inside = (...args: A) => {
    const { scope } = transaction;
    return beginning.exit(() => (scope === undefined ? callback(...args) : scope.inside(() => callback(...args))));
  };
  return beginning.run(transaction, () => method(inside));
}

/** To be called when an ORM has opened a scope: one that no callback is known to end is ended by hand. */
export function nestedTransactionBegun(scope: TransactionScope): void {
  const transaction = beginning.getStore();
  if (transaction === undefined) scope.byHand();
  else transaction.scope = scope;
}

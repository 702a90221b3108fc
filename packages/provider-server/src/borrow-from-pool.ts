import { abortedError } from '@dbmanager/core';

/** What {@link borrowFromPool} needs. */
export interface Borrowing<C> {
  readonly connectionName: string;
  readonly signal: AbortSignal;
  /** Asks the pool, which cannot be told to stop waiting. */
  borrow(): Promise<C>;
  giveBack(connection: C): void;
  /** The error to reject with when the pool refuses. */
  explain(error: unknown): unknown;
}

/** Borrows from a pool that somebody else owns. After the abort it rejects at once, and what comes then goes back. */
export function borrowFromPool<C>({ connectionName, signal, borrow, giveBack, explain }: Borrowing<C>): Promise<C> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(abortedError(signal, connectionName));
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const done = () => signal.removeEventListener('abort', onAbort);
    borrow().then(
      (connection) => {
        done();
        if (signal.aborted) giveBack(connection);
        else resolve(connection);
      },
      (error: unknown) => {
        done();
        reject(explain(error));
      },
    );
  });
}

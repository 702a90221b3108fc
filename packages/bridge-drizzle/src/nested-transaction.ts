import type { TransactionScope, TransactionTarget } from '@dbmanager/core';

/** Runs `work` in a savepoint of `outer`: kept when it resolves, undone when it rejects, with its error passed on. */
export function nestedTransaction<T>(
  outer: TransactionTarget,
  work: (inner: TransactionScope) => Promise<T>,
): Promise<T> {
  return outer.scope(async (inner) => {
    const { session } = inner;
    const name = inner.savepointName('drizzle');
    await session.savepoint(name);
    let result: T;
    try {
      result = await work(inner);
    } catch (error) {
      await session.rollbackTo(name);
      await session.releaseSavepoint(name);
      throw error;
    }
    await session.releaseSavepoint(name);
    return result;
  });
}

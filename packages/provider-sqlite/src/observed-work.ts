import type { Statement, StatementObserver } from '@dbmanager/core';
import { failed } from './observed-handle.js';

/**
 * Does the work of one statement, all attempts at it, and tells the observer how it ended. Not a promise when the work is done
 * at once.
 */
export function observeWork<T>(
  observer: StatementObserver | undefined,
  statement: Statement,
  work: () => T | Promise<T>,
  rows: (result: T) => number | undefined,
): T | Promise<T> {
  if (observer === undefined) return work();
  const observation = observer.begin(statement.sql, hasParams(statement));
  const ended = (result: T) => {
    observation.end(rows(result));
    return result;
  };
  const fail = (error: unknown): never => {
    failed(observation, error);
    throw error;
  };
  try {
    const result = work();
    return result instanceof Promise ? result.then(ended, fail) : ended(result);
  } catch (error) {
    return fail(error);
  }
}

/** For statements that give no rows. */
export function noRows(): undefined {}

/** Whether values are sent beside the text. */
export function hasParams({ params }: Statement): boolean {
  return params !== undefined && params.length > 0;
}

import type { Statement, StatementObserver } from '@dbmanager/core';
import { failed } from './observed-handle.js';

/** Who sends what to whom, for who observes. */
export interface ObservedStatement {
  readonly observer: StatementObserver | undefined;
  readonly statement: Statement;
  /** The handle it is sent on. */
  readonly handle: object;
}

/**
 * Does the work of one statement, all attempts at it, and tells the observer how it ended. Not a promise when the work is done
 * at once.
 */
export function observeWork<T>(
  { observer, statement, handle }: ObservedStatement,
  work: () => T | Promise<T>,
  rows: (result: T) => number | undefined,
): T | Promise<T> {
  if (observer === undefined) return work();
  const observation = observer.begin(statement.sql, hasParams(statement), handle);
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

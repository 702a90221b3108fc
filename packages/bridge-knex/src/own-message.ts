import { isDbManagerError } from '@dbmanager/core';

const messages = new WeakMap<Error, string>();

/**
 * Notes the message of an error of ours, and gives the error. Knex puts the statement with its values before the message of
 * every error; ours never hold values, and several callers may be given the same one.
 */
export function remembered(error: unknown): unknown {
  if (isDbManagerError(error) && !messages.has(error)) messages.set(error, error.message);
  return error;
}

/** Gives an error the message back that it had when it was noted, and gives the error. */
export function restored(error: unknown): unknown {
  const message = isDbManagerError(error) ? messages.get(error) : undefined;
  if (message !== undefined) (error as Error).message = message;
  return error;
}

import { DbManagerError } from '@dbmanager/core';

/** The error of an option that cannot be meant. */
export function invalidOption(option: string, message: string): DbManagerError {
  return new DbManagerError('DBM_INVALID_OPTION', message, { option });
}

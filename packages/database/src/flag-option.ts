import { DbManagerError } from '@dbmanager/core';

/** Throws `DBM_INVALID_OPTION` for what is neither true, false nor left out: a text would count as true, `'false'` too. */
export function assertFlag(flag: boolean | undefined, option: string, connectionName: string | undefined): void {
  if (flag === undefined || typeof flag === 'boolean') return;
  throw new DbManagerError('DBM_INVALID_OPTION', `${option} must be true or false`, { connectionName, option });
}

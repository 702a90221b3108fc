import { DbManagerError } from '@dbmanager/core';

/** The error for what is asked of a handle whose pool has been ended. */
export function detachedError(connectionName: string): DbManagerError {
  return new DbManagerError('DBM_CLOSED', 'this Drizzle handle was closed by $client.end(); the pool still answers', {
    connectionName,
  });
}

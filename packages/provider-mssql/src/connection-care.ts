import { DbManagerError } from '@dbmanager/core';
import { bounded } from '@dbmanager/provider-server';
import { lostError } from './errors.js';
import type { MssqlConnection } from './mssql-connection.js';

/** Rejects when the server does not answer; the connection is then destroyed. */
export function validateConnection(connection: MssqlConnection, signal: AbortSignal): Promise<void> {
  return bounded(
    signal,
    () => connection.destroy(),
    () => connection.run('select 1'),
  );
}

/** True when a transaction is open, or something runs. */
export function isDirty(connection: MssqlConnection): boolean {
  return !connection.isIdle || connection.transaction.isOpen;
}

/** Stops what runs and rolls back. Rejects when the connection could not be cleaned. */
export async function cleanConnection(connection: MssqlConnection, signal: AbortSignal, name: string): Promise<void> {
  await bounded(
    signal,
    () => connection.destroy(),
    async () => {
      connection.withdraw(
        new DbManagerError('DBM_LEASE_RELEASED', 'the connection was released', { connectionName: name }),
      );
      connection.cancel();
      await connection.untilIdle();
      if (connection.transaction.isOpen) await connection.abort();
    },
  );
  if (isDirty(connection) || connection.isGone) throw lostError('it could not be rolled back', name);
}

/** Calls `lost` when the connection dies by itself; what it returns ends that. */
export function tellOfDeath(connection: MssqlConnection, name: string, lost: (error: Error) => void): () => void {
  const watcher = {
    onConnectionEvent(event: string, payload: unknown) {
      if (event === 'error') lost(lostError(payload, name));
      else if (event === 'end') lost(lostError('the connection has ended', name));
    },
  };
  connection.watch(watcher);
  return () => connection.unwatch(watcher);
}

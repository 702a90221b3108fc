import { unobserved } from '@dbmanager/core';
import { bounded as boundedBy } from '@dbmanager/provider-server';
import { lostError } from './errors.js';
import { destroySocket, isReady, type MysqlConnection, ping, runText } from './mysql-driver.js';
import { ServerStatus } from './server-status.js';

/** Runs `work` on a connection; when the signal aborts, its socket is destroyed and `work` rejects with it. */
export function bounded(connection: MysqlConnection, signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
  return boundedBy(signal, () => destroySocket(connection), work);
}

/** Rejects when the server does not answer a ping; the connection is then destroyed. */
export function validateConnection(connection: MysqlConnection, signal: AbortSignal): Promise<void> {
  return bounded(connection, signal, () => ping(connection));
}

/** True when a transaction is open, or may be, or a command is under way. */
export function isDirty(connection: MysqlConnection): boolean {
  const { inTransaction, certain, autocommit } = ServerStatus.of(connection);
  return !isReady(connection) || !certain || inTransaction || !autocommit;
}

/** Waits for what is under way and rolls back. Rejects when the connection could not be cleaned. */
export async function cleanConnection(connection: MysqlConnection, signal: AbortSignal, name: string): Promise<void> {
  const status = ServerStatus.of(connection);
  await bounded(connection, signal, async () => {
    // Of a stream that nobody reads any more, its rest goes by.
    connection.resume();
    if (!isReady(connection) || !status.certain) await ping(connection);
    status.unguard();
    if (status.inTransaction || !status.autocommit) await unobserved(() => runText(connection, { sql: 'ROLLBACK' }));
    if (!status.autocommit) await unobserved(() => runText(connection, { sql: 'SET autocommit = 1' }));
    // Who has just been told of the end of a statement may have asked for something else.
    while (!isReady(connection)) await ping(connection);
  });
  if (isDirty(connection)) throw lostError('it could not be rolled back', name);
}

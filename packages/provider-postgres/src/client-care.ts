import { unobserved } from '@dbmanager/core';
import { bounded as boundedBy } from '@dbmanager/provider-server';
import { lostError } from './errors.js';
import { destroySocket, isReady, type PgClient, untilReady } from './pg-driver.js';

/** Runs `work` on a client; when the signal aborts, the client's socket is destroyed and `work` rejects with it. */
export function bounded(client: PgClient, signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
  return boundedBy(signal, () => destroySocket(client), work);
}

/** Rejects when the server does not answer; the client is then destroyed. */
export function validateClient(client: PgClient, signal: AbortSignal): Promise<void> {
  // The cheapest round trip there is: no parsing, no planning, no entry in pg_stat_statements.
  return bounded(client, signal, () => unobserved(() => client.query('')));
}

/** True when a transaction is open or a query is under way: from the last ReadyForQuery and what was sent since. */
export function isDirty(client: PgClient): boolean {
  return !isReady(client) || client.getTransactionStatus() !== 'I';
}

/** Waits for what is under way and rolls back. Rejects when the client could not be cleaned. */
export async function cleanClient(client: PgClient, signal: AbortSignal, connectionName: string): Promise<void> {
  await bounded(client, signal, async () => {
    await untilReady(client);
    if (client.getTransactionStatus() !== 'I') await unobserved(() => client.query('ROLLBACK'));
  });
  if (isDirty(client)) throw lostError('it could not be rolled back', connectionName);
}

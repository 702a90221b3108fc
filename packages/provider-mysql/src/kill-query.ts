import { unobserved } from '@dbmanager/core';
import { bounded } from './connection-care.js';
import { isStopped, isUnknownThread } from './errors.js';
import { destroySocket, isGone, type MysqlConnection, runText } from './mysql-driver.js';

/** Opens a connection beside the pool, to the same server and as the same user. */
export type OpenBeside = (target: MysqlConnection, signal: AbortSignal) => Promise<MysqlConnection>;

/** Connections whose statement is being stopped. */
const stopping = new WeakSet<MysqlConnection>();

/**
 * Lets what is left of a result go by, unless its statement is being stopped: reading a long one leaves the loop no time to
 * get the request through.
 */
export function letPass(connection: MysqlConnection): void {
  if (!stopping.has(connection)) connection.resume();
}

/**
 * Asks the server to stop what runs on `connection`, over a connection of its own. Resolves when the server has acted on
 * it, and no statement sent after that can be hit by mistake. Rejects when the server cannot be told; aborting frees the
 * socket.
 */
export async function killQuery(open: OpenBeside, connection: MysqlConnection, signal: AbortSignal): Promise<void> {
  const { threadId } = connection;
  if (threadId === null) return;
  stopping.add(connection);
  connection.pause();
  try {
    const beside = await open(connection, signal);
    try {
      await bounded(beside, signal, () => runText(beside, { sql: `KILL QUERY ${threadId}` }));
    } catch (error) {
      if (!isUnknownThread(error)) throw error;
    } finally {
      destroySocket(beside);
    }
  } finally {
    stopping.delete(connection);
    connection.resume();
  }
  await absorb(connection);
}

/** A request that came after the end of its statement stops the next one: this, which does nothing. */
async function absorb(connection: MysqlConnection): Promise<void> {
  if (isGone(connection)) return;
  await unobserved(() => runText(connection, { sql: 'DO 0' })).catch((error: unknown) => {
    if (!isStopped(error) && !isGone(connection)) throw error;
  });
}

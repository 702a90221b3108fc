import type { StatementControl } from '@dbmanager/core';
import { isStopped, statementError } from './errors.js';
import { killQuery, type OpenBeside } from './kill-query.js';
import { destroySocket, isGone, isReady, type MysqlConnection, ping } from './mysql-driver.js';
import { ServerStatus } from './server-status.js';

/** True when nothing is under way and it is known whether a transaction is open. */
export function isSettled(connection: MysqlConnection): boolean {
  return isReady(connection) && ServerStatus.of(connection).certain;
}

/** Resolves when that is so, or the connection is gone. Never rejects. */
export async function untilSettled(connection: MysqlConnection): Promise<void> {
  if (isSettled(connection) || isGone(connection)) return;
  // Of a stream that nobody reads any more, its rest goes by.
  connection.resume();
  await ping(connection).catch(() => destroySocket(connection));
}

/** How statements of mysql2's connections are stopped. */
export function statementControl(open: OpenBeside): StatementControl<MysqlConnection> {
  return {
    isReady: isSettled,
    untilReady: untilSettled,
    cancel: (connection, signal) => killQuery(open, connection, signal),
    destroy: destroySocket,
    isStopped,
    explain: statementError,
  };
}

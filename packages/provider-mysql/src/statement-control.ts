import { type Clock, type StatementControl, type StatementWatch, settlesWithin } from '@dbmanager/core';
import { isStopped, statementError } from './errors.js';
import { killQuery, letPass, type OpenBeside } from './kill-query.js';
import { destroySocket, isGone, isReady, type MysqlConnection, ping } from './mysql-driver.js';
import { ServerStatus } from './server-status.js';

/** How long the rest of a result that nobody reads may take to go by before the server is asked to stop it. */
const DRAIN_MS = 50;

/** True when nothing is under way and it is known whether a transaction is open. */
export function isSettled(connection: MysqlConnection): boolean {
  return isReady(connection) && ServerStatus.of(connection).certain;
}

/** Resolves when that is so, or the connection is gone. Never rejects. */
export async function untilSettled(connection: MysqlConnection): Promise<void> {
  if (isSettled(connection) || isGone(connection)) return;
  letPass(connection);
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

/** A result cannot be called off but by stopping its statement; a short rest goes by faster. Never rejects. */
export async function drainOrStop(
  watch: StatementWatch<MysqlConnection>,
  clock: Clock,
  drained: Promise<unknown>,
): Promise<void> {
  if (!(await settlesWithin(clock, drained, DRAIN_MS))) watch.stop();
  await watch.settle();
}

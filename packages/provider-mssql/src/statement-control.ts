import type { StatementControl } from '@dbmanager/core';
import { isStopped, statementError } from './errors.js';
import type { MssqlConnection } from './mssql-connection.js';

/** How statements are stopped: by an attention, on the connection itself. */
export const STATEMENT_CONTROL: StatementControl<MssqlConnection> = {
  isReady: (connection) => connection.isIdle,
  untilReady: (connection) => connection.untilIdle(),
  cancel: stopStatement,
  destroy: (connection) => connection.destroy(),
  isStopped,
  explain: statementError,
};

/** Stops what runs. Resolves when it has ended, and no later statement can be hit. Never rejects. */
export async function stopStatement(connection: MssqlConnection): Promise<void> {
  connection.cancel();
  await connection.untilIdle();
}

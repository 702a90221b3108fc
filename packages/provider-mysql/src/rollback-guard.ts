import { DbManagerError } from '@dbmanager/core';
import type { MysqlCommand, MysqlConnection } from './mysql-driver.js';

/** The end of a transaction, or of its part since a savepoint: the latter harms nothing where there is none any more. */
const ROLLBACK = /^\s*rollback\b/i;
const ROLLBACK_TO = /^\s*rollback\s+(?:work\s+)?to\b/i;

/** What is known of the transaction of a connection. */
export interface TransactionKnowledge {
  /** True after an error in a transaction, until an answer tells whether it is still open. */
  readonly inDoubt: boolean;
  /** The error after which the server has rolled the transaction back by itself; until that is acknowledged. */
  readonly rolledBackAfter: number | undefined;
  /** Takes note of that. */
  acknowledge(): void;
}

/**
 * Keeps statements from running outside of the transaction that they were meant for. Some errors make the server roll the whole
 * transaction back, a deadlock always, a lock timeout under `innodb_rollback_on_timeout`; what follows it would commit by itself.
 * So where an error has left doubts a ping asks before the next statement, and what comes after a rollback is refused until
 * ROLLBACK has taken note of it. To be called when mysql2 takes a command up, so that it holds for those too that were
 * queued before. False: the command must not be sent now; it has been put back, and comes again.
 */
export function mayStart(
  connection: MysqlConnection,
  command: MysqlCommand,
  knowledge: TransactionKnowledge,
  connectionName: string,
): boolean {
  const { sql } = command;
  // No statement; or one that has been refused, here or by mysql2, which then sends nothing.
  if (sql === undefined || Object.hasOwn(command, 'start')) return true;
  const rollsBack = ROLLBACK.test(sql);
  const toSavepoint = rollsBack && ROLLBACK_TO.test(sql);
  if (rollsBack && !toSavepoint) knowledge.acknowledge();
  else if (knowledge.inDoubt && !toSavepoint) {
    askFirst(connection, command);
    return false;
  } else if (knowledge.rolledBackAfter !== undefined) {
    refuse(connection, command, abortedError(knowledge.rolledBackAfter, connectionName));
  }
  return true;
}

/** Any answer shows the state of the transaction, a ping's too. */
function askFirst(connection: MysqlConnection, command: MysqlCommand): void {
  connection._commands.unshift(command);
  connection._command = undefined;
  connection.ping();
}

/** Has the command fail in a later turn, as one that the server refuses does, without being sent. */
function refuse(connection: MysqlConnection, command: MysqlCommand, error: DbManagerError): void {
  const tell = () => {
    if (command.onResult !== undefined) command.onResult(error);
    else if (command.listenerCount('error') > 0) command.emit('error', error);
    return null;
  };
  command.start = () => {
    process.nextTick(() => {
      if (connection._command === command) connection.handlePacket();
    });
    return tell;
  };
}

function abortedError(errno: number, connectionName: string): DbManagerError {
  const message = `the server has rolled the transaction back, after error ${errno}; end it by ROLLBACK first`;
  return new DbManagerError('DBM_TRANSACTION_ABORTED', message, { connectionName });
}

import { DbManagerError, type ErrorCode, type TransactionConflict } from '@dbmanager/core';
import {
  type ConnectVerdict,
  codeOf,
  isError,
  isTlsError,
  SOCKET_CODES,
  type StatementVerdict,
  serverErrors,
} from '@dbmanager/provider-server';
import { ParameterCountError } from './mysql-driver.js';
import { violationOf } from './violation.js';

/** What the server said, as mysql2 makes an error of it. */
interface ServerError extends Error {
  readonly errno: number;
  readonly sqlState: string;
  readonly code?: string;
}

/** Errors with which the server ends a connection. */
const ENDING = new Set([
  1053, // ER_SERVER_SHUTDOWN
  1080, // ER_FORCING_CLOSE
  1152, // ER_ABORTING_CONNECTION
  1158, // ER_NET_READ_ERROR
  1159, // ER_NET_READ_INTERRUPTED
  1160, // ER_NET_ERROR_ON_WRITE
  1161, // ER_NET_WRITE_INTERRUPTED
  1184, // ER_NEW_ABORTING_CONNECTION
  1927, // ER_CONNECTION_KILLED of MariaDB
  2006, // CR_SERVER_GONE_ERROR, passed on by proxies
  2013, // CR_SERVER_LOST, passed on by proxies
  4031, // ER_CLIENT_INTERACTION_TIMEOUT
]);

/** Codes for a connection that died or could not be opened. */
const LOST_CODES = new Set([...SOCKET_CODES, 'PROTOCOL_CONNECTION_LOST', 'PROTOCOL_UNEXPECTED_PACKET']);
const MYSQL2_CLOSED = /^Can't (?:add new command when connection|write) (?:is )?in closed state/;

/** mysql2's codes of a TLS handshake that failed. */
const TLS_CODES = new Set(['HANDSHAKE_NO_SSL_SUPPORT', 'HANDSHAKE_SSL_ERROR']);

const TOO_MANY = new Set([
  1040, // ER_CON_COUNT_ERROR
  1203, // ER_TOO_MANY_USER_CONNECTIONS
  1226, // ER_USER_LIMIT_REACHED
]);
const AUTH = new Set([
  1045, // ER_ACCESS_DENIED_ERROR
  1251, // ER_NOT_SUPPORTED_AUTH_MODE
  1275, // ER_SERVER_IS_IN_SECURE_AUTH_MODE
  1524, // ER_PLUGIN_IS_NOT_LOADED
  1698, // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
  1820, // ER_MUST_CHANGE_PASSWORD
  1862, // ER_MUST_CHANGE_PASSWORD_LOGIN
  3118, // ER_ACCOUNT_HAS_BEEN_LOCKED of MySQL
  4151, // ER_ACCOUNT_HAS_BEEN_LOCKED of MariaDB
]);
const AUTH_CODES = new Set(['AUTH_SWITCH_PLUGIN_ERROR', 'MYSQL_CLEAR_PASSWORD_NOT_ENABLED']);
const NOT_FOR_THIS_USER = new Set([
  1044, // ER_DBACCESS_DENIED_ERROR
  1130, // ER_HOST_NOT_PRIVILEGED
]);
const BAD_DATABASE = 1049;
/** ER_UNKNOWN_COM_ERROR: what a node of a Galera cluster answers before it has joined. */
const NOT_JOINED = 1047;

/** A transaction that loses to another one; the whole of it may be repeated. */
const CONFLICTS: Readonly<Record<number, TransactionConflict>> = {
  1213: 'deadlock', // ER_LOCK_DEADLOCK
  1020: 'serialization_failure', // ER_CHECKREAD, under innodb_snapshot_isolation
  1614: 'deadlock', // ER_XA_RBDEADLOCK
};
/** A lock that could not be had: the statement is undone, the transaction goes on. */
const LOCK_NOT_HAD = new Set([
  1205, // ER_LOCK_WAIT_TIMEOUT
  3572, // ER_LOCK_NOWAIT
]);
/** ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: of the transaction, not of the server. */
const READ_ONLY_TRANSACTION = 1792;
/** ER_OPTION_PREVENTS_STATEMENT, which says of other options too that they forbid a statement. */
const OPTION_PREVENTS = 1290;
const PACKET_TOO_LARGE = 1153;
const READ_ONLY_MODE = 1836;
/** The server has stopped a statement: by KILL QUERY, max_statement_time, max_execution_time. */
const STOPPED = new Set([1317, 1969, 3024]);
const UNKNOWN_THREAD = 1094;
const UNKNOWN_VARIABLE = 1193;

/** Statements that were refused for what they say or what they would store. */
const REFUSALS: ReadonlyMap<number, ErrorCode> = new Map(
  Object.entries({
    DBM_UNIQUE_VIOLATION: [
      1022, // ER_DUP_KEY
      1062, // ER_DUP_ENTRY
      1169, // ER_DUP_UNIQUE
      1586, // ER_DUP_ENTRY_WITH_KEY_NAME
    ],
    DBM_FOREIGN_KEY_VIOLATION: [
      1216, // ER_NO_REFERENCED_ROW
      1217, // ER_ROW_IS_REFERENCED
      1451, // ER_ROW_IS_REFERENCED_2
      1452, // ER_NO_REFERENCED_ROW_2
    ],
    DBM_NOT_NULL_VIOLATION: [
      1048, // ER_BAD_NULL_ERROR
      1364, // ER_NO_DEFAULT_FOR_FIELD
    ],
    DBM_CHECK_VIOLATION: [
      3819, // ER_CHECK_CONSTRAINT_VIOLATED of MySQL
      4025, // ER_CONSTRAINT_FAILED of MariaDB
    ],
    DBM_SYNTAX: [
      1052, // ER_NON_UNIQ_ERROR: an ambiguous column
      1064, // ER_PARSE_ERROR
      1065, // ER_EMPTY_QUERY
      1091, // ER_CANT_DROP_FIELD_OR_KEY
      1109, // ER_UNKNOWN_TABLE
      1136, // ER_WRONG_VALUE_COUNT_ON_ROW
      1149, // ER_SYNTAX_ERROR
      1305, // ER_SP_DOES_NOT_EXIST
    ],
    DBM_PERMISSION_DENIED: [
      1044, // ER_DBACCESS_DENIED_ERROR
      1095, // ER_KILL_DENIED_ERROR
      1142, // ER_TABLEACCESS_DENIED_ERROR
      1143, // ER_COLUMNACCESS_DENIED_ERROR
      1227, // ER_SPECIFIC_ACCESS_DENIED_ERROR
      1370, // ER_PROCACCESS_DENIED_ERROR
    ],
  } satisfies Partial<Record<ErrorCode, readonly number[]>>).flatMap(([code, numbers]) =>
    numbers.map((errno) => [errno, code as ErrorCode] as const),
  ),
);
/** Tables, columns and keys that there are not, or are already: `42S02`, `42S22` … The class 42000 says too much. */
const NAMES = /^42S/;

/** Errors whose messages hold names but no values: they may be shown. */
const NAMING = new Set([
  1044, 1045, 1048, 1049, 1050, 1051, 1054, 1091, 1109, 1142, 1143, 1146, 1205, 1213, 1227, 1290, 1295, 1305, 1317,
  1364, 1451, 1452, 1792, 1836, 1969, 3024, 4025,
]);

function isServerError(error: unknown): error is ServerError {
  return isError(error) && 'sqlState' in error && 'errno' in error && typeof error.errno === 'number';
}

/** The server's number of a driver's error, or of the driver's error inside one of ours; 0 when there is none. */
export function errnoOf(error: unknown): number {
  if (error instanceof DbManagerError) return errnoOf(error.cause);
  return isServerError(error) ? error.errno : 0;
}

/** True when a driver's error says that its connection is gone. */
export function isConnectionLost(error: unknown): boolean {
  if (isServerError(error)) return ENDING.has(error.errno);
  return isError(error) && (LOST_CODES.has(codeOf(error)) || MYSQL2_CLOSED.test(error.message));
}

/** True when connecting failed for want of TLS, or of certificates that fit. */
export function isTlsFailure(error: unknown): boolean {
  return isError(error) && !isServerError(error) && (isTlsError(error) || TLS_CODES.has(codeOf(error)));
}

/** True when the server has no system variable of that name. */
export function isUnknownVariable(error: unknown): boolean {
  return errnoOf(error) === UNKNOWN_VARIABLE;
}

/** True when there is no connection any more that KILL could stop. */
export function isUnknownThread(error: unknown): boolean {
  return errnoOf(error) === UNKNOWN_THREAD;
}

/** True for the error of a statement that the server has stopped. */
export function isStopped(error: unknown): boolean {
  return STOPPED.has(errnoOf(error));
}

/** ER_NET_PACKET_TOO_LARGE: the server has not read what was sent, and closes the connection. */
function endsConnection(error: unknown): boolean {
  return errnoOf(error) === PACKET_TOO_LARGE;
}

function isReadOnlyServer(error: unknown): boolean {
  const errno = errnoOf(error);
  if (errno === READ_ONLY_MODE) return true;
  return errno === OPTION_PREVENTS && /read[-_]only/i.test((error as Error).message);
}

function classifyConnect(error: unknown): ConnectVerdict {
  if (isServerError(error)) return classifyRefusal(error.errno);
  if (isTlsFailure(error)) return { code: 'DBM_TLS_FAILED', option: 'sslmode' };
  if (AUTH_CODES.has(codeOf(error))) return { code: 'DBM_AUTH_FAILED', option: 'password' };
  return { code: 'DBM_CONNECT_FAILED', option: 'host' };
}

function classifyRefusal(errno: number): ConnectVerdict {
  if (AUTH.has(errno)) return { code: 'DBM_AUTH_FAILED', option: 'password' };
  if (NOT_FOR_THIS_USER.has(errno)) return { code: 'DBM_AUTH_FAILED', option: 'user' };
  if (errno === BAD_DATABASE) return { code: 'DBM_DATABASE_NOT_FOUND', option: 'database' };
  if (TOO_MANY.has(errno)) return { code: 'DBM_TOO_MANY_CONNECTIONS', option: 'max_open_conns' };
  if (ENDING.has(errno) || errno === NOT_JOINED) return { code: 'DBM_SERVER_STARTING' };
  return { code: 'DBM_CONNECT_FAILED' };
}

function classifyStatement(error: unknown): StatementVerdict {
  if (isReadOnlyTransaction(error) || isReadOnlyServer(error)) return { code: 'DBM_READ_ONLY' };
  if (error instanceof ParameterCountError) return { code: 'DBM_INVALID_OPTION', option: 'params' };
  if (!isServerError(error)) return {};
  if (LOCK_NOT_HAD.has(error.errno)) return { retryable: true };
  const code = REFUSALS.get(error.errno) ?? (NAMES.test(error.sqlState) ? 'DBM_SYNTAX' : undefined);
  return code === undefined ? {} : { code, ...violationOf(error) };
}

/** True for the refusal of a write in a transaction that was begun read-only: it says nothing of the server. */
export function isReadOnlyTransaction(error: unknown): boolean {
  return errnoOf(error) === READ_ONLY_TRANSACTION;
}

/** Whether an error of the driver, or of ours around one, says that a transaction lost to another one. */
export function conflictOf(error: unknown): TransactionConflict | undefined {
  return CONFLICTS[errnoOf(error)];
}

/** The text of a driver's error where it cannot hold a value of the caller, else its number alone. */
function describe(error: Error): string {
  if (!isServerError(error)) return error.message;
  const name = error.code === undefined ? `error ${error.errno}` : `error ${error.errno} ${error.code}`;
  return NAMING.has(error.errno) ? `${error.message} (${name})` : `${name}; see the cause`;
}

/** Errors of ours for those of mysql2. */
export const { judge, connectError, lostError, statementError } = serverErrors({
  isConnectionLost,
  endsConnection,
  isReadOnlyServer,
  conflictOf,
  classifyConnect,
  classifyStatement,
  describe,
});

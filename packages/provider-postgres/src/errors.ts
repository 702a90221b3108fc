import { types } from 'node:util';
import { DbManagerError, type ErrorCode, type ErrorVerdict, type TransactionConflict } from '@dbmanager/core';

/** What the server said, as pg's `DatabaseError` carries it. */
interface ServerError extends Error {
  readonly code: string;
  readonly severity: string;
}

/** Where a connect was going, for its error. */
export interface ConnectPlace {
  readonly connectionName: string;
  readonly host: string;
  readonly port: number;
}

/** SQLSTATEs with which the server ends a connection, besides the class 08. */
const ENDING_STATES = new Set([
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P04', // database_dropped
  '57P05', // idle_session_timeout
  '25P03', // idle_in_transaction_session_timeout
  '25P04', // transaction_timeout
]);

/** Node's codes of a socket that died or could not be opened. */
const SOCKET_CODES = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'ERR_STREAM_DESTROYED',
  'ERR_SOCKET_CLOSED',
]);

/** pg reports these with a text only. */
const PG_LOST = /^(?:Connection terminated|Client has encountered a connection error|Client was closed and is not)/;
const PG_NO_TLS = /^(?:The server does not support SSL|There was an error establishing an SSL)/;
const PG_NO_PASSWORD = /client password must be a/;

/** Node's codes of a TLS handshake that failed for a reason that waiting does not mend. */
const TLS_CODE =
  /^(?:ERR_TLS_|ERR_SSL_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_)/;

/** A transaction that loses to another one; the whole of it may be repeated. */
const CONFLICT_STATES: Readonly<Record<string, TransactionConflict>> = {
  '40001': 'serialization_failure',
  '40P01': 'deadlock',
};
/** SQLSTATEs that have a code of their own; the others are `DBM_QUERY_FAILED`. */
const STATEMENT_CODES: Readonly<Record<string, ErrorCode>> = {
  '25006': 'DBM_READ_ONLY',
  '40001': 'DBM_SERIALIZATION_FAILURE',
  '40P01': 'DBM_DEADLOCK',
};
const LOCK_NOT_AVAILABLE = '55P03';

/** Classes whose messages hold names but no values: they may be shown. */
const NAMING_CLASSES = new Set(['23', '25', '28', '3D', '3F', '40', '42', '53', '54', '55', '57']);

/** Also of errors that another realm made, as Node's own are where tests run in a VM. */
function isError(error: unknown): error is Error {
  return types.isNativeError(error);
}

function isServerError(error: unknown): error is ServerError {
  return isError(error) && 'severity' in error && 'code' in error && typeof error.code === 'string';
}

function socketCode(error: unknown): string {
  return isError(error) && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** The SQLSTATE of a driver's error, or of the driver's error inside one of ours; empty when there is none. */
export function sqlState(error: unknown): string {
  if (error instanceof DbManagerError) return sqlState(error.cause);
  return isServerError(error) ? error.code : '';
}

/** True when a driver's error says that its connection is gone. */
export function isConnectionLost(error: unknown): boolean {
  if (isServerError(error)) return error.code.startsWith('08') || ENDING_STATES.has(error.code);
  return isError(error) && (SOCKET_CODES.has(socketCode(error)) || PG_LOST.test(error.message));
}

/** True when connecting failed for want of TLS, or of certificates that fit. */
export function isTlsFailure(error: unknown): boolean {
  return isError(error) && !isServerError(error) && (TLS_CODE.test(socketCode(error)) || PG_NO_TLS.test(error.message));
}

/** What an error given at release says about the connection. */
export function judge(error: unknown): ErrorVerdict {
  if (error instanceof DbManagerError) {
    if (error.code === 'DBM_CONNECTION_LOST' || error.code === 'DBM_COMMIT_UNKNOWN') return 'fatal';
    return error.cause === undefined ? 'harmless' : judge(error.cause);
  }
  if (sqlState(error) === '25006') return 'failover';
  return isConnectionLost(error) ? 'fatal' : 'harmless';
}

/** The error of a connect that failed. */
export function connectError(error: unknown, { connectionName, host, port }: ConnectPlace): DbManagerError {
  const { code, option, retryable } = classifyConnect(error);
  const reason = isError(error) && error.message !== '' ? error.message : socketCode(error);
  return new DbManagerError(code, `cannot connect to ${host.includes(':') ? `[${host}]` : host}:${port}: ${reason}`, {
    cause: error,
    connectionName,
    option,
    retryable,
  });
}

function classifyConnect(error: unknown): { code: ErrorCode; option?: string; retryable?: boolean } {
  if (isServerError(error)) return classifyRefusal(error.code);
  if (isTlsFailure(error)) return { code: 'DBM_TLS_FAILED', option: 'sslmode' };
  if (isError(error) && PG_NO_PASSWORD.test(error.message)) {
    return { code: 'DBM_AUTH_FAILED', option: 'password' };
  }
  return { code: 'DBM_CONNECT_FAILED', option: 'host' };
}

function classifyRefusal(state: string): { code: ErrorCode; option?: string; retryable?: boolean } {
  if (state.startsWith('28')) return { code: 'DBM_AUTH_FAILED', option: 'password' };
  if (state === '42501') return { code: 'DBM_AUTH_FAILED', option: 'user' };
  if (state === '3D000') return { code: 'DBM_DATABASE_NOT_FOUND', option: 'database' };
  if (state === '53300') return { code: 'DBM_TOO_MANY_CONNECTIONS', option: 'max_open_conns' };
  if (ENDING_STATES.has(state)) return { code: 'DBM_SERVER_STARTING' };
  // 08, 53, 58 and XX are troubles of the server that may pass; the rest is how we were configured.
  return { code: 'DBM_CONNECT_FAILED', retryable: /^(?:08|53|57|58|XX)/.test(state) };
}

/** The error for a connection that died, in use or idle. */
export function lostError(error: unknown, connectionName: string): DbManagerError {
  return new DbManagerError('DBM_CONNECTION_LOST', `the connection was lost: ${describe(error)}`, {
    cause: error,
    connectionName,
  });
}

/** The error of a statement that failed. Those of this package pass through. */
export function statementError(error: unknown, connectionName: string): DbManagerError {
  if (error instanceof DbManagerError) return error;
  if (isConnectionLost(error)) return lostError(error, connectionName);
  const state = sqlState(error);
  return new DbManagerError(STATEMENT_CODES[state] ?? 'DBM_QUERY_FAILED', `the statement failed: ${describe(error)}`, {
    cause: error,
    connectionName,
    retryable: state in CONFLICT_STATES || state === LOCK_NOT_AVAILABLE,
  });
}

/** Whether an error of the driver, or of ours around one, says that a transaction lost to another one. */
export function conflictOf(error: unknown): TransactionConflict | undefined {
  return CONFLICT_STATES[sqlState(error)];
}

/** The text of a driver's error where it cannot hold a value of the caller, else the SQLSTATE alone. */
function describe(error: unknown): string {
  if (!isError(error)) return String(error);
  if (!isServerError(error)) return error.message;
  const shown = NAMING_CLASSES.has(error.code.slice(0, 2));
  return shown ? `${error.message} (SQLSTATE ${error.code})` : `SQLSTATE ${error.code}; see the cause`;
}

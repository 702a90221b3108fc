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

/** What the server said, as pg's `DatabaseError` carries it. */
interface ServerError extends Error {
  readonly code: string;
  readonly severity: string;
  readonly constraint?: string;
  readonly table?: string;
  readonly column?: string;
  /** The function of the server that raised it, in no language. */
  readonly routine?: string;
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

/** pg reports these with a text only. */
const PG_LOST = /^(?:Connection terminated|Client has encountered a connection error|Client was closed and is not)/;
const PG_NO_TLS = /^(?:The server does not support SSL|There was an error establishing an SSL)/;
/** protocol_violation: what PgBouncer says of every login that it refuses; the reason is in its words. */
const POOLER_REFUSES = '08P01';
const POOLER_REFUSALS: readonly (readonly [RegExp, ConnectVerdict])[] = [
  [/authentication failed|no such user|auth failed/i, { code: 'DBM_AUTH_FAILED', option: 'password' }],
  [/^(?:database ".*" does not exist|no such database)/s, { code: 'DBM_DATABASE_NOT_FOUND', option: 'database' }],
  [/^no more connections allowed/, { code: 'DBM_TOO_MANY_CONNECTIONS', option: 'max_open_conns' }],
  [/^unsupported startup parameter/, { code: 'DBM_CONNECT_FAILED', option: 'pooler', retryable: false }],
];
const PG_NO_PASSWORD = /client password must be a/;

/** A transaction that loses to another one; the whole of it may be repeated. */
const CONFLICT_STATES: Readonly<Record<string, TransactionConflict>> = {
  '40001': 'serialization_failure',
  '40P01': 'deadlock',
};
/** read_only_sql_transaction. */
export const READ_ONLY = '25006';
const LOCK_NOT_AVAILABLE = '55P03';
/** Where the server finds that it was given another number of values than the statement has parameters: as 08P01. */
const BIND_ROUTINE = 'exec_bind_message';
/** statement_completion_unknown: what CockroachDB says of a COMMIT whose outcome its nodes could not find out. */
const COMPLETION_UNKNOWN = '40003';

/** Statements that were refused for what they say or what they would store. */
const REFUSALS: Readonly<Record<string, ErrorCode>> = {
  '23505': 'DBM_UNIQUE_VIOLATION',
  '23503': 'DBM_FOREIGN_KEY_VIOLATION',
  '23001': 'DBM_FOREIGN_KEY_VIOLATION', // restrict_violation
  '23502': 'DBM_NOT_NULL_VIOLATION',
  '23514': 'DBM_CHECK_VIOLATION',
  '42501': 'DBM_PERMISSION_DENIED',
  [READ_ONLY]: 'DBM_READ_ONLY',
};
/** Syntax Error or Access Rule Violation. */
const SYNTAX_CLASS = '42';

/** Classes whose messages hold names but no values: they may be shown. */
const NAMING_CLASSES = new Set(['23', '25', '28', '3D', '3F', '40', '42', '53', '54', '55', '57']);

function isServerError(error: unknown): error is ServerError {
  return isError(error) && 'severity' in error && 'code' in error && typeof error.code === 'string';
}

/** The SQLSTATE of a driver's error, or of the driver's error inside one of ours; empty when there is none. */
export function sqlState(error: unknown): string {
  if (error instanceof DbManagerError) return sqlState(error.cause);
  return isServerError(error) ? error.code : '';
}

/** True when a driver's error says that its connection is gone. */
export function isConnectionLost(error: unknown): boolean {
  if (isServerError(error)) {
    return (error.code.startsWith('08') && error.routine !== BIND_ROUTINE) || ENDING_STATES.has(error.code);
  }
  return isError(error) && (SOCKET_CODES.includes(codeOf(error)) || PG_LOST.test(error.message));
}

/** True when the server itself does not know whether what it was asked to do was done. */
export function isOutcomeUnknown(error: unknown): boolean {
  return sqlState(error) === COMPLETION_UNKNOWN;
}

/** True when connecting failed for want of TLS, or of certificates that fit. */
export function isTlsFailure(error: unknown): boolean {
  return isError(error) && !isServerError(error) && (isTlsError(error) || PG_NO_TLS.test(error.message));
}

function classifyConnect(error: unknown): ConnectVerdict {
  if (isServerError(error)) {
    const byPooler = error.code === POOLER_REFUSES && POOLER_REFUSALS.find(([words]) => words.test(error.message));
    return byPooler ? byPooler[1] : classifyRefusal(error.code);
  }
  if (isTlsFailure(error)) return { code: 'DBM_TLS_FAILED', option: 'sslmode' };
  if (isError(error) && PG_NO_PASSWORD.test(error.message)) {
    return { code: 'DBM_AUTH_FAILED', option: 'password' };
  }
  return { code: 'DBM_CONNECT_FAILED', option: 'host' };
}

function classifyRefusal(state: string): ConnectVerdict {
  if (state.startsWith('28')) return { code: 'DBM_AUTH_FAILED', option: 'password' };
  if (state === '42501') return { code: 'DBM_AUTH_FAILED', option: 'user' };
  if (state === '3D000') return { code: 'DBM_DATABASE_NOT_FOUND', option: 'database' };
  if (state === '53300') return { code: 'DBM_TOO_MANY_CONNECTIONS', option: 'max_open_conns' };
  if (ENDING_STATES.has(state)) return { code: 'DBM_SERVER_STARTING' };
  // 08, 53, 58 and XX are troubles of the server that may pass; the rest is how we were configured.
  return { code: 'DBM_CONNECT_FAILED', retryable: /^(?:08|53|57|58|XX)/.test(state) };
}

function classifyStatement(error: unknown): StatementVerdict {
  if (!isServerError(error)) return {};
  const { code: state, constraint, table, column, routine } = error;
  if (routine === BIND_ROUTINE && state === '08P01') return { code: 'DBM_INVALID_OPTION', option: 'params' };
  const refusal = REFUSALS[state] ?? (state.startsWith(SYNTAX_CLASS) ? 'DBM_SYNTAX' : undefined);
  return {
    ...(refusal && { code: refusal }),
    ...(state === LOCK_NOT_AVAILABLE && { retryable: true }),
    constraint,
    table,
    column,
  };
}

/** Whether an error of the driver, or of ours around one, says that a transaction lost to another one. */
export function conflictOf(error: unknown): TransactionConflict | undefined {
  return CONFLICT_STATES[sqlState(error)];
}

/** The text of a driver's error where it cannot hold a value of the caller, else the SQLSTATE alone. */
function describe(error: Error): string {
  if (!isServerError(error)) return error.message;
  const shown = NAMING_CLASSES.has(error.code.slice(0, 2));
  return shown ? `${error.message} (SQLSTATE ${error.code})` : `SQLSTATE ${error.code}; see the cause`;
}

/** Errors of ours for those of pg. */
export const { judge, connectError, lostError, statementError } = serverErrors({
  isConnectionLost,
  isReadOnlyServer: (error) => sqlState(error) === READ_ONLY,
  conflictOf,
  classifyConnect,
  classifyStatement,
  describe,
});

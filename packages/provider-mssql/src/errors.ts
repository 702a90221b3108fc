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
import { isCheckViolation, violationOf } from './violation.js';

/** Severity from which the server ends the connection. */
const FATAL_SEVERITY = 20;

/** Errors with which the server ends a connection, or says that it is going. */
const ENDING = new Set([
  596, // the session is in the kill state
  6005, // SHUTDOWN is in progress
  18059, // dropped because its principal assumed another security context
  40197, // Azure SQL: an error while processing, e.g. a failover
  40613, // Azure SQL: the database is not available now
]);
/** Errors of a server, or of a database on it, that will take connections later. */
const STARTING = new Set([
  904, // the database cannot be autostarted during shutdown or startup
  921, // the database has not been recovered yet
  922, // the database is being recovered
  983, // the availability database has no role to take connections in
  6005, // SHUTDOWN is in progress
  17142, // the server is paused
  18401, // the server is in script upgrade mode
  40197,
  40501, // Azure SQL: busy
  40613,
  42108, // the SQL pool is warming up
  42109,
]);
const TOO_MANY = new Set([
  10928, // Azure SQL: the limit of sessions or workers of the database is reached
  10929,
  10936,
  17809, // the maximum of user connections is reached
  17300, // not enough memory for another session
]);
const AUTH = new Set([
  18452, // the login is from an untrusted domain
  18456, // login failed
  18470, // the account is disabled
  18486, // the account is locked out
  18487, // the password has expired
  18488, // the password must be changed
  40532, // Azure SQL: cannot open the server that the login asks for
  40615, // Azure SQL: the firewall does not let this address in
]);
const NO_DATABASE = new Set([
  911, // there is no such database
  4060, // it cannot be opened by this login
  4063,
]);

/** A transaction that loses to another one; the whole of it may be repeated. */
const CONFLICTS: Readonly<Record<number, TransactionConflict>> = {
  1205: 'deadlock',
  3960: 'serialization_failure', // an update conflict under snapshot isolation
  3961: 'serialization_failure', // the table was altered meanwhile, under snapshot isolation
  41301: 'serialization_failure', // memory-optimised tables: what it depended on has aborted
  41302: 'serialization_failure', // a row was updated meanwhile
  41305: 'serialization_failure', // repeatable read could not be kept
  41325: 'serialization_failure', // serializable could not be kept
  41839: 'serialization_failure', // it depended on too many others
};
/** A lock that could not be had: the statement is undone, the transaction goes on. */
const LOCK_TIMEOUT = 1222;
const READ_ONLY = new Set([
  3906, // the database is read-only
  3908, // the database is in emergency mode or damaged: no updates
]);

/** Statements that were refused for what they say or what they would store. */
const REFUSALS: ReadonlyMap<number, ErrorCode> = new Map(
  Object.entries({
    DBM_UNIQUE_VIOLATION: [
      2601, // a unique index
      2627, // a constraint
    ],
    DBM_NOT_NULL_VIOLATION: [515],
    DBM_SYNTAX: [
      102, // incorrect syntax
      103, // a name that is too long
      105, // a string that is not closed
      137, // a variable that was not declared
      156, // a keyword where none may be
      195, // no such function
      201, // a parameter that was not given
      207, // no such column
      208, // no such object
      209, // an ambiguous column
      213, // another number of columns
      319, // WITH after a statement without a semicolon
      2705, // a column twice
      2714, // an object of that name is there
      2812, // no such procedure
      3701, // nothing of that name to drop
      4104, // no such name in this statement
      4121, // no such function or method
      4145, // no condition where one is needed
    ],
    DBM_PERMISSION_DENIED: [
      229, // on an object
      230, // on a column
      262, // to create
      297, // to do this
      300, // on the server
      916, // in the database
      1088, // the object is not there, or not for this login
      15_151, // the same of a principal
      15_247, // to do this
    ],
  } satisfies Partial<Record<ErrorCode, readonly number[]>>).flatMap(([code, numbers]) =>
    numbers.map((number) => [number, code as ErrorCode] as const),
  ),
);
/** With a foreign key, in either direction, or a check constraint. */
const CONSTRAINT_CONFLICT = 547;

/** tedious' codes of a connection that died or could not be opened; requests are queued, so a bad state is the last one. */
const LOST_CODES = new Set([...SOCKET_CODES, 'ESOCKET', 'ECLOSE', 'EINVALIDSTATE', 'ENOTOPEN']);
const CANCELLED = new Set(['ECANCEL', 'ETIMEOUT']);
/** tedious' ConnectionError of an attention that was not acknowledged; a request that took too long has the same code. */
const NO_ACKNOWLEDGEMENT = /^Failed to cancel request/;

/** Errors whose messages hold names but no values: they may be shown. */
const NAMING = new Set([
  102, 156, 170, 201, 207, 208, 213, 229, 230, 262, 297, 911, 1205, 1222, 1505, 1785, 1913, 2714, 2812, 3701, 3902,
  3903, 3906, 3952, 3960, 4060, 4104, 8144, 8145, 8146, 18456,
]);

/** What the server said, as tedious makes an error of it. */
interface ServerError extends Error {
  readonly number: number;
  readonly class?: number;
}

function isServerError(error: unknown): error is ServerError {
  return isError(error) && 'number' in error && typeof error.number === 'number';
}

/** The errors of tedious inside one of node-mssql, of ours, or of an ORM that keeps it; of several in their order. */
function leaves(error: unknown): readonly unknown[] {
  if (error instanceof DbManagerError) return leaves(error.cause);
  if (Array.isArray(error)) return error.flatMap(leaves);
  if (error instanceof AggregateError) return error.errors.flatMap(leaves);
  if (!isError(error)) return [error];
  // Of several errors node-mssql has the last, with those before it.
  const { precedingErrors, originalError } = error as { precedingErrors?: unknown; originalError?: unknown };
  const before = Array.isArray(precedingErrors) ? precedingErrors : [];
  return [...before, ...(isServerError(error) || originalError === undefined ? [error] : leaves(originalError))];
}

/**
 * The error to go by of several that one request gave: the first that says what became of the transaction or the
 * connection, else the first of all, as what follows is the consequence.
 */
function mainError(error: unknown): unknown {
  const all = leaves(error);
  return all.find((leaf) => CONFLICTS[numberOfLeaf(leaf)] !== undefined || isLost(leaf)) ?? all[0];
}

function numberOfLeaf(error: unknown): number {
  return isServerError(error) ? error.number : 0;
}

/** The server's number of a driver's error, or of the driver's error inside another; 0 when there is none. */
export function numberOf(error: unknown): number {
  return numberOfLeaf(mainError(error));
}

/**
 * One error for what a request of tedious ends with. Of several, which it hands over as one that has no number, it is the
 * {@link mainError}; all of them are its `errors`.
 */
export function singleError(error: Error): Error {
  if (!(error instanceof AggregateError)) return error;
  const main = mainError(error);
  // Not enumerable, as it is among them itself.
  return isError(main) ? Object.defineProperty(main, 'errors', { value: error.errors, configurable: true }) : error;
}

/** True when a driver's error says that its connection is gone. */
export function isConnectionLost(error: unknown): boolean {
  return isLost(mainError(error));
}

function isLost(error: unknown): boolean {
  if (isServerError(error)) return ENDING.has(error.number) || (error.class ?? 0) >= FATAL_SEVERITY;
  if (!isError(error)) return false;
  return LOST_CODES.has(codeOf(error)) || NO_ACKNOWLEDGEMENT.test(error.message);
}

/** True when connecting failed for want of TLS, or of certificates that fit. */
function isTlsFailure(error: unknown): boolean {
  return isError(error) && (codeOf(error) === 'EENCRYPT' || isTlsError(error) || isTlsError(error.cause));
}

/** True for the error of a request that was stopped by an attention. */
export function isStopped(error: unknown): boolean {
  return isError(error) && CANCELLED.has(codeOf(error));
}

function isReadOnlyServer(error: unknown): boolean {
  return READ_ONLY.has(numberOf(error));
}

function classifyConnect(error: unknown): ConnectVerdict {
  if (isServerError(error)) return classifyRefusal(error.number);
  if (isTlsFailure(error)) return { code: 'DBM_TLS_FAILED', option: 'sslmode' };
  switch (codeOf(error)) {
    case 'ETIMEOUT':
      return { code: 'DBM_CONNECT_TIMEOUT', option: 'connect_timeout' };
    case 'EINSTLOOKUP':
      return { code: 'DBM_CONNECT_FAILED', option: 'instance' };
    case 'ELOGIN':
    case 'EFEDAUTH':
      return { code: 'DBM_AUTH_FAILED', option: 'authentication' };
    default:
      return { code: 'DBM_CONNECT_FAILED', option: 'host' };
  }
}

function classifyRefusal(number: number): ConnectVerdict {
  if (AUTH.has(number)) return { code: 'DBM_AUTH_FAILED', option: 'password' };
  if (NO_DATABASE.has(number)) return { code: 'DBM_DATABASE_NOT_FOUND', option: 'database' };
  if (TOO_MANY.has(number)) return { code: 'DBM_TOO_MANY_CONNECTIONS', option: 'max_open_conns' };
  if (STARTING.has(number)) return { code: 'DBM_SERVER_STARTING' };
  return { code: 'DBM_CONNECT_FAILED' };
}

function classifyStatement(error: unknown): StatementVerdict {
  if (isReadOnlyServer(error)) return { code: 'DBM_READ_ONLY' };
  const main = mainError(error);
  if (!isServerError(main)) return {};
  if (main.number === LOCK_TIMEOUT) return { retryable: true };
  const code = refusalOf(main);
  return code === undefined ? {} : { code, ...violationOf(main) };
}

function refusalOf({ number, message }: ServerError): ErrorCode | undefined {
  if (number !== CONSTRAINT_CONFLICT) return REFUSALS.get(number);
  return isCheckViolation(message) ? 'DBM_CHECK_VIOLATION' : 'DBM_FOREIGN_KEY_VIOLATION';
}

/** Whether an error of the driver, or of ours around one, says that a transaction lost to another one. */
export function conflictOf(error: unknown): TransactionConflict | undefined {
  return CONFLICTS[numberOf(error)];
}

/** The text of a driver's error where it cannot hold a value of the caller, else its number alone. */
function describe(error: Error): string {
  if (!isServerError(error)) return error.message;
  return NAMING.has(error.number) ? `${error.message} (error ${error.number})` : `error ${error.number}; see the cause`;
}

/** Errors of ours for those of tedious. */
export const { judge, connectError, lostError, statementError } = serverErrors({
  isConnectionLost,
  isReadOnlyServer,
  conflictOf,
  classifyConnect,
  classifyStatement,
  describe,
});

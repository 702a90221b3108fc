import { errorChain } from './error-chain.js';
import { DbManagerError, type ErrorCode } from './errors.js';

const CONSTRAINTS: readonly ErrorCode[] = [
  'DBM_UNIQUE_VIOLATION',
  'DBM_FOREIGN_KEY_VIOLATION',
  'DBM_NOT_NULL_VIOLATION',
  'DBM_CHECK_VIOLATION',
];
const TIMEOUTS: readonly ErrorCode[] = [
  'DBM_QUERY_TIMEOUT',
  'DBM_TRANSACTION_TIMEOUT',
  'DBM_ACQUIRE_TIMEOUT',
  'DBM_CONNECT_TIMEOUT',
];
const CONNECTIONS: readonly ErrorCode[] = [
  'DBM_CONNECTION_LOST',
  'DBM_CONNECT_FAILED',
  'DBM_CONNECT_TIMEOUT',
  'DBM_SERVER_STARTING',
  'DBM_TOO_MANY_CONNECTIONS',
  'DBM_AUTH_FAILED',
  'DBM_DATABASE_NOT_FOUND',
  'DBM_TLS_FAILED',
  'DBM_FILE_NOT_ACCESSIBLE',
];

/**
 * The error of dbmanager that `error` is, or that is inside of it, however an application or an ORM has wrapped it. Of one
 * inside another it is the outer. Undefined when there is none: errors of ORMs and of native handles are their own.
 */
export function dbManagerErrorOf(error: unknown): DbManagerError | undefined {
  for (const each of errorChain(error)) {
    if (each instanceof DbManagerError) return each;
  }
  return undefined;
}

function hasCode(error: unknown, codes: readonly ErrorCode[]): boolean {
  const found = dbManagerErrorOf(error);
  return found !== undefined && codes.includes(found.code);
}

/** True when a row that had to be there was not. */
export function isNotFound(error: unknown): boolean {
  return hasCode(error, ['DBM_NOT_FOUND']);
}

/** True for a violated unique constraint, unique index or primary key. */
export function isUniqueViolation(error: unknown): boolean {
  return hasCode(error, ['DBM_UNIQUE_VIOLATION']);
}

/** True for a row that refers to none, or is still referred to. */
export function isForeignKeyViolation(error: unknown): boolean {
  return hasCode(error, ['DBM_FOREIGN_KEY_VIOLATION']);
}

/** True when a column that must have a value was given none. */
export function isNotNullViolation(error: unknown): boolean {
  return hasCode(error, ['DBM_NOT_NULL_VIOLATION']);
}

/** True for a violated check constraint. */
export function isCheckViolation(error: unknown): boolean {
  return hasCode(error, ['DBM_CHECK_VIOLATION']);
}

/** True for a violated constraint of the four kinds: unique, foreign key, not null, check. */
export function isConstraintViolation(error: unknown): boolean {
  return hasCode(error, CONSTRAINTS);
}

/** True when the database could make no sense of a statement, or of a name in it. */
export function isSyntaxError(error: unknown): boolean {
  return hasCode(error, ['DBM_SYNTAX']);
}

/** True when the user of the connection may not do what a statement asked for. */
export function isPermissionDenied(error: unknown): boolean {
  return hasCode(error, ['DBM_PERMISSION_DENIED']);
}

/** True when a statement, a transaction, a connect, or the wait for a connection took too long. */
export function isTimeout(error: unknown): boolean {
  return hasCode(error, TIMEOUTS);
}

/** True when the database could not be reached or opened, or the connection to it was lost. */
export function isConnectionError(error: unknown): boolean {
  return hasCode(error, CONNECTIONS);
}

/** True when a transaction could not be put in order with others: repeat the whole of it. */
export function isSerializationFailure(error: unknown): boolean {
  return hasCode(error, ['DBM_SERIALIZATION_FAILURE']);
}

/** True when transactions waited for each other and this one was given up: repeat the whole of it. */
export function isDeadlock(error: unknown): boolean {
  return hasCode(error, ['DBM_DEADLOCK']);
}

/** True when a write was refused because the database, the transaction or the call is read-only. */
export function isReadOnly(error: unknown): boolean {
  return hasCode(error, ['DBM_READ_ONLY']);
}

/** True when the caller's AbortSignal ended the call. */
export function isCancelled(error: unknown): boolean {
  return hasCode(error, ['DBM_ABORTED']);
}

/** True when the same call may succeed later and this one did nothing. */
export function isRetryable(error: unknown): boolean {
  return dbManagerErrorOf(error)?.retryable === true;
}

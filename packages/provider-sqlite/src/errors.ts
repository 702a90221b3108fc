import {
  DbManagerError,
  type DbManagerErrorOptions,
  type ErrorCode,
  type ErrorVerdict,
  type TransactionConflict,
} from '@dbmanager/core';
import { isCompileError } from './statement-cache.js';
import { violationOf } from './violation.js';

/** What one error of SQLite means for a statement. The first entry whose code matches is taken. */
interface StatementFault {
  readonly pattern: RegExp;
  readonly code: ErrorCode;
  readonly message?: string;
  readonly options?: Pick<DbManagerErrorOptions, 'option' | 'retryable'>;
}

const STATEMENT_FAULTS: readonly StatementFault[] = [
  {
    pattern: /^SQLITE_READONLY_DBMOVED$/,
    code: 'DBM_CONNECTION_LOST',
    message: 'the database file was moved or deleted',
    options: { option: 'filepath' },
  },
  { pattern: /^SQLITE_READONLY/, code: 'DBM_READ_ONLY' },
  { pattern: /^SQLITE_CONSTRAINT_(?:UNIQUE|PRIMARYKEY|ROWID)$/, code: 'DBM_UNIQUE_VIOLATION' },
  { pattern: /^SQLITE_CONSTRAINT_FOREIGNKEY$/, code: 'DBM_FOREIGN_KEY_VIOLATION' },
  { pattern: /^SQLITE_CONSTRAINT_NOTNULL$/, code: 'DBM_NOT_NULL_VIOLATION' },
  { pattern: /^SQLITE_CONSTRAINT_CHECK$/, code: 'DBM_CHECK_VIOLATION' },
  { pattern: /^SQLITE_(?:AUTH|PERM)$/, code: 'DBM_PERMISSION_DENIED' },
  {
    pattern: /^SQLITE_(BUSY|LOCKED)/,
    code: 'DBM_QUERY_FAILED',
    message: 'the database is locked by another process',
    options: { option: 'busy_timeout', retryable: true },
  },
  {
    pattern: /^SQLITE_FULL$/,
    code: 'DBM_QUERY_FAILED',
    message: 'the disk, or max_page_count, is full',
  },
  {
    pattern: /^SQLITE_CANTOPEN/,
    code: 'DBM_FILE_NOT_ACCESSIBLE',
    message: 'the database file, or one beside it, cannot be opened',
    options: { option: 'filepath' },
  },
];

const CONSTRAINT = 'SQLITE_CONSTRAINT';
/** A kept statement is compiled anew as it runs, once the schema has changed; what is wrong with it then has no code of its own. */
const LOST_NAME = /^no such (?:table|column): /;

/** Codes after which the handle must not be used again. */
const FATAL = /^SQLITE_(CORRUPT|NOTADB|IOERR|CANTOPEN|NOMEM|PROTOCOL|READONLY_DBMOVED)/;

/** The code of an error of better-sqlite3, or of one of ours that wraps it. */
export function sqliteCode(error: unknown): string | undefined {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  if (typeof code !== 'string') return undefined;
  return code.startsWith('SQLITE_') ? code : sqliteCode(cause);
}

/** True when the same may succeed once another process has released its lock. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  // A snapshot that is no longer the newest cannot be written from, however long one waits.
  return code?.startsWith('SQLITE_BUSY') === true && code !== 'SQLITE_BUSY_SNAPSHOT';
}

/** Whether the transaction lost to another process, by its lock or its changes, so that it may be repeated as a whole. */
export function conflict(error: unknown): TransactionConflict | undefined {
  return /^SQLITE_(BUSY|LOCKED)/.test(sqliteCode(error) ?? '') ? 'serialization_failure' : undefined;
}

/** The error for a statement that failed; those of dbmanager pass through. */
export function statementError(error: unknown, connectionName: string): DbManagerError {
  if (error instanceof DbManagerError) return error;
  const code = sqliteCode(error);
  const fault = STATEMENT_FAULTS.find(({ pattern }) => code !== undefined && pattern.test(code));
  const message = messageOf(error);
  if (code === undefined && isRefusalOfValues(error)) {
    return new DbManagerError('DBM_INVALID_OPTION', message, { connectionName, cause: error, option: 'params' });
  }
  return new DbManagerError(
    fault?.code ?? (isCompileError(error) || isLostName(code, message) ? 'DBM_SYNTAX' : 'DBM_QUERY_FAILED'),
    fault?.message === undefined ? message : `${fault.message} (${message})`,
    { connectionName, cause: error, ...(code?.startsWith(CONSTRAINT) && violationOf(message)), ...fault?.options },
  );
}

function isLostName(code: string | undefined, message: string): boolean {
  return code === 'SQLITE_ERROR' && LOST_NAME.test(message);
}

/** True for what is said of values that are too many, too few, or none that SQLite stores. */
function isRefusalOfValues(error: unknown): boolean {
  const { name } = (error ?? {}) as { name?: unknown };
  return name === 'RangeError' && !isCompileError(error);
}

/** The error for a database that cannot be opened; those of dbmanager pass through. */
export function openError(error: unknown, connectionName: string, path: string): DbManagerError {
  if (error instanceof DbManagerError) return error;
  const options = { connectionName, cause: error, option: 'filepath' };
  if (isBusy(error)) {
    return new DbManagerError('DBM_CONNECT_FAILED', `${path} is locked by another process`, {
      ...options,
      option: 'busy_timeout',
    });
  }
  const reason = /^SQLITE_NOTADB/.test(sqliteCode(error) ?? '')
    ? 'is no SQLite database'
    : `cannot be opened: ${messageOf(error)}`;
  return new DbManagerError('DBM_FILE_NOT_ACCESSIBLE', `${path} ${reason}`, options);
}

/** What an error says about the handle it came from. */
export function judge(error: unknown): ErrorVerdict {
  return FATAL.test(sqliteCode(error) ?? '') ? 'fatal' : 'harmless';
}

/** Not by `instanceof`: the driver's errors may be of another realm, where it was loaded first. */
function messageOf(error: unknown): string {
  return String((error as { message?: unknown } | undefined)?.message ?? error);
}

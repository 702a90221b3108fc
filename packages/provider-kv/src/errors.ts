import { DbManagerError, type ErrorVerdict } from '@dbmanager/core';

/** After these the handle must not be used again: LevelDB itself refuses writes, or may have lost the end of its log. */
const FATAL = new Set(['LEVEL_CORRUPTION', 'LEVEL_IO_ERROR', 'LEVEL_DATABASE_NOT_OPEN']);

/** The innermost code of abstract-level in an error or its causes: a failed open hides the reason inside. */
export function levelCode(error: unknown): string | undefined {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  const inner = cause === undefined ? undefined : levelCode(cause);
  if (inner !== undefined) return inner;
  return typeof code === 'string' && code.startsWith('LEVEL_') ? code : undefined;
}

/** True when the handle is of no more use after this error. */
export function isFatal(error: unknown): boolean {
  return FATAL.has(levelCode(error) ?? '');
}

/** True when the operation cannot have reached the database. */
export function neverSent(error: unknown): boolean {
  return levelCode(error) === 'LEVEL_DATABASE_NOT_OPEN';
}

/** The error for an operation that failed; those of dbmanager pass through. */
export function operationError(error: unknown, connectionName: string): DbManagerError {
  if (error instanceof DbManagerError) return error;
  const options = { connectionName, cause: error };
  if (neverSent(error)) return new DbManagerError('DBM_CONNECTION_LOST', 'the database was closed', options);
  if (isFatal(error)) {
    return new DbManagerError('DBM_CONNECTION_LOST', `the database failed: ${messageOf(error)}`, options);
  }
  return new DbManagerError('DBM_QUERY_FAILED', messageOf(error), options);
}

/** The error for a folder that cannot be opened; those of dbmanager pass through. */
export function openError(error: unknown, connectionName: string, folder: string): DbManagerError {
  if (error instanceof DbManagerError) return error;
  const options = { connectionName, cause: error, option: 'filepath' };
  switch (levelCode(error)) {
    case 'LEVEL_LOCKED':
      return new DbManagerError(
        'DBM_DATABASE_LOCKED',
        `${folder} is open already, in another process or a second time in this one; LevelDB lets in one`,
        options,
      );
    case 'LEVEL_CORRUPTION':
      return new DbManagerError('DBM_FILE_NOT_ACCESSIBLE', `${folder} is damaged: ${innerMessage(error)}`, options);
    default:
      return new DbManagerError(
        'DBM_FILE_NOT_ACCESSIBLE',
        `${folder} cannot be opened: ${innerMessage(error)}`,
        options,
      );
  }
}

/** What an error says about the connection it came from. */
export function judge(error: unknown): ErrorVerdict {
  return isFatal(error) ? 'fatal' : 'harmless';
}

function innerMessage(error: unknown): string {
  const { cause } = (error ?? {}) as { cause?: unknown };
  return cause === undefined ? messageOf(error) : innerMessage(cause);
}

/** Not by `instanceof`: the driver's errors may be of another realm, where it was loaded first. */
function messageOf(error: unknown): string {
  return String((error as { message?: unknown } | undefined)?.message ?? error);
}

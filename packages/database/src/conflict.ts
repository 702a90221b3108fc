import { errorChain, isDbManagerError, type SqlEngine, type TransactionConflict } from '@dbmanager/core';

/**
 * Why a transaction failed that may be repeated as a whole, however an ORM has wrapped the driver's error; undefined when
 * it is for another reason, or when nobody knows whether it was applied.
 */
export function conflictOf(error: unknown, sql: SqlEngine<unknown>): TransactionConflict | undefined {
  const errors = [...errorChain(error)];
  if (errors.some((each) => isDbManagerError(each, 'DBM_COMMIT_UNKNOWN'))) return undefined;
  for (const each of errors) {
    if (isDbManagerError(each, 'DBM_SERIALIZATION_FAILURE')) return 'serialization_failure';
    if (isDbManagerError(each, 'DBM_DEADLOCK')) return 'deadlock';
    const conflict = sql.conflict?.(each);
    if (conflict !== undefined) return conflict;
  }
  return undefined;
}

import { SqlError } from '../sql-error.js';

/** What SQL Server has and the stand-in has not. */
export function unsupported(what: string): SqlError {
  return new SqlError(50_001, `The SQL Server stand-in does not know ${what}.`, { reach: 'batch' });
}

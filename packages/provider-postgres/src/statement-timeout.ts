/** The longest that PostgreSQL knows: 24 days. */
const LONGEST_MS = 2 ** 31 - 1;

/** A limit as `statement_timeout` takes it: in whole milliseconds, 0 for none. */
export function statementTimeout(ms: number): number {
  return Math.min(Math.ceil(ms), LONGEST_MS);
}

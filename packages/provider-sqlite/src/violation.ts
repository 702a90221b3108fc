import type { DbManagerErrorOptions } from '@dbmanager/core';

/** What SQLite names of a constraint that was violated. */
type Violation = Pick<DbManagerErrorOptions, 'constraint' | 'table' | 'column'>;

/** SQLite's own texts (`sqlite3UniqueConstraint` and its kin), which are never translated. */
const OF_COLUMNS = /^(?:UNIQUE|NOT NULL) constraint failed: (.+)$/s;
const OF_INDEX = /^UNIQUE constraint failed: index '(.+)'$/s;
const OF_CHECK = /^CHECK constraint failed: (.+)$/s;

/** The constraint, or the table and the one column, that the text of an error names. A check without a name is its expression. */
export function violationOf(message: string): Violation {
  const named = OF_INDEX.exec(message) ?? OF_CHECK.exec(message);
  if (named !== null) return { constraint: named[1] };
  const columns = OF_COLUMNS.exec(message)?.[1]?.split(', ') ?? [];
  const [table, column] = columns[0]?.split('.') ?? [];
  return { table, column: columns.length === 1 ? column : undefined };
}

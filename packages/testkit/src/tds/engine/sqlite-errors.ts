import { SqlError } from '../sql-error.js';
import type { TableDefinition } from '../table-definition.js';
import { LENGTH_CHECK } from './table-sql.js';

/** What an error of SQLite is told with. */
export interface StatementContext {
  readonly database: string;
  readonly verb: string;
  /** The table that was written to. */
  readonly table: { readonly name: string; readonly definition: TableDefinition } | undefined;
  /** The values of these columns in the row that was one too many, as far as they can be told. */
  duplicate?(columns: readonly string[]): string | undefined;
  /** How the transaction reads: decides what a conflict is called. */
  readonly snapshot: boolean;
}

type Make = (match: RegExpExecArray, context: StatementContext) => SqlError;

/** SQL Server's errors for those of SQLite, by the latter's messages. */
const ERRORS: readonly (readonly [RegExp, Make])[] = [
  [/^no such table: (?:main\.|temp\.)?(.*)$/, ([, name = '']) => invalidObject(name)],
  [
    /^no such column: (.*)$/,
    ([, name = '']) => new SqlError(207, `Invalid column name '${lastPart(name)}'.`, { reach: 'batch' }),
  ],
  [
    /^table .* has no column named (.*)$/,
    ([, name]) => new SqlError(207, `Invalid column name '${name}'.`, { reach: 'batch' }),
  ],
  [
    /^ambiguous column name: (.*)$/,
    ([, name = '']) => new SqlError(209, `Ambiguous column name '${lastPart(name)}'.`, { reach: 'batch' }),
  ],
  [/^near "(.*?)": syntax error/s, ([, near]) => syntax(near ?? '')],
  [/^incomplete input$/, () => syntax('')],
  [
    /^no such function: (.*)$/,
    ([, name]) =>
      new SqlError(195, `'${name}' is not a recognized built-in function name.`, {
        severity: 15,
        state: 10,
        reach: 'batch',
      }),
  ],
  [
    /^wrong number of arguments to function (\w+)/,
    ([, name]) => new SqlError(174, `The ${name} function requires other arguments.`, { severity: 15, reach: 'batch' }),
  ],
  [
    /values for \d+ columns$|^table .* has \d+ columns but \d+ values/,
    () =>
      new SqlError(213, 'Column name or number of supplied values does not match table definition.', {
        reach: 'batch',
      }),
  ],
  [/^UNIQUE constraint failed: (.*)$/, ([, columns = ''], context) => notUnique(columns, context)],
  [/^NOT NULL constraint failed: (.*)$/, ([, column = ''], context) => isNull(lastPart(column), context)],
  [/^CHECK constraint failed: (.*)$/, ([, name = ''], context) => checkFailed(name, context)],
  [/^FOREIGN KEY constraint failed$/, (_match, context) => noParent(context)],
  [/^foreign key mismatch/, (_match, context) => noParent(context)],
];

/** The error of SQL Server for one that running SQL has thrown; an error that is none of the database is given back as it is. */
export function translateError(error: unknown, context: StatementContext): unknown {
  if (error instanceof SqlError || !isSqliteError(error)) return error;
  if (error.code === 'SQLITE_BUSY_SNAPSHOT') return conflict(context);
  for (const [pattern, make] of ERRORS) {
    const match = pattern.exec(error.message);
    if (match !== null) return make(match, context);
  }
  return new SqlError(50_002, `The SQL Server stand-in cannot run this: ${error.message}`, { reach: 'batch' });
}

/** Told with the error of a statement that a constraint has stopped. */
export function endsStatement({ number }: SqlError): boolean {
  return [2627, 2601, 547, 515, 2628].includes(number);
}

function isSqliteError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && (error.name === 'SqliteError' || error.constructor.name === 'SqliteError');
}

function lastPart(name: string): string {
  return (name.split('.').at(-1) ?? '').replace(/^"(.*)"$/, '$1');
}

export function invalidObject(name: string): SqlError {
  return new SqlError(208, `Invalid object name '${name}'.`, { reach: 'batch' });
}

function syntax(near: string): SqlError {
  return new SqlError(102, `Incorrect syntax near '${near}'.`, { severity: 15, reach: 'batch' });
}

/** @param failed Columns with their table, as `t.a, t.b`. */
function notUnique(failed: string, { table, duplicate }: StatementContext): SqlError {
  const columns = failed.split(', ').map(lastPart);
  const name = table?.name ?? '';
  const is = (other: readonly string[]) =>
    other.length === columns.length && other.every((column, at) => column.toLowerCase() === columns[at]?.toLowerCase());
  const key = table?.definition.constraints.find(
    (constraint) => (constraint.kind === 'primary' || constraint.kind === 'unique') && is(constraint.columns),
  );
  const values = duplicate?.(columns);
  const told = values === undefined ? '' : ` The duplicate key value is (${values}).`;
  if (key !== undefined) {
    const what = `${key.kind === 'primary' ? 'PRIMARY' : 'UNIQUE'} KEY constraint '${key.name}'`;
    const text = `Violation of ${what}. Cannot insert duplicate key in object 'dbo.${name}'.${told}`;
    return new SqlError(2627, text, { severity: 14 });
  }
  const index = table?.definition.indexes.find((candidate) => is(candidate.columns))?.name ?? failed;
  const text = `Cannot insert duplicate key row in object 'dbo.${name}' with unique index '${index}'.${told}`;
  return new SqlError(2601, text, { severity: 14 });
}

function isNull(column: string, { database, verb, table }: StatementContext): SqlError {
  const place = `${database}.dbo.${table?.name ?? ''}`;
  return new SqlError(
    515,
    `Cannot insert the value NULL into column '${column}', table '${place}'; column does not allow nulls. ${verb} fails.`,
    { state: 2 },
  );
}

function checkFailed(name: string, { database, verb, table }: StatementContext): SqlError {
  if (name.startsWith(LENGTH_CHECK)) {
    const column = name.slice(LENGTH_CHECK.length);
    return new SqlError(
      2628,
      `String or binary data would be truncated in table '${database}.dbo.${table?.name ?? ''}', column '${column}'.`,
    );
  }
  return conflicts(verb, `CHECK constraint "${name}"`, database, table?.name);
}

function noParent({ database, verb, table }: StatementContext): SqlError {
  const keys = table?.definition.constraints.filter(({ kind }) => kind === 'foreign') ?? [];
  const what = verb === 'DELETE' || keys.length === 0 ? 'REFERENCE constraint' : 'FOREIGN KEY constraint';
  const name = keys.length === 1 ? ` "${keys[0]?.name}"` : '';
  return conflicts(verb, `${what}${name}`, database, table?.name);
}

function conflicts(verb: string, what: string, database: string, table = ''): SqlError {
  const text = `The ${verb} statement conflicted with the ${what}. The conflict occurred in database "${database}", table "dbo.${table}".`;
  return new SqlError(547, text, { state: 0 });
}

/** Two transactions have changed what both have read. */
function conflict({ snapshot, table }: StatementContext): SqlError {
  if (!snapshot) return deadlock();
  const text = `Snapshot isolation transaction aborted due to update conflict. You cannot use snapshot isolation to access table 'dbo.${table?.name ?? ''}' directly or indirectly. Retry the transaction or change the isolation level for the update/delete statement.`;
  return new SqlError(3960, text, { state: 2, reach: 'transaction' });
}

export function deadlock(spid = 0): SqlError {
  const text = `Transaction (Process ID ${spid}) was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction.`;
  return new SqlError(1205, text, { severity: 13, state: 51, reach: 'transaction' });
}

import type { SqlType } from '../sql-type.js';
import type { TableDefinition } from '../table-definition.js';

/** A table that a name has been resolved to. */
export interface ResolvedTable {
  /** Its name in SQLite, quoted. */
  readonly sqlName: string;
  /** True when nobody else can see it: a temporary table or a table variable. */
  readonly temporary: boolean;
  readonly definition: TableDefinition | undefined;
}

/** What a translation must know of where it is to run. */
export interface TranslationScope {
  readonly database: string;
  isSchema(name: string): boolean;
  isTableVariable(name: string): boolean;
  /** The type of a variable or parameter; undefined when there is none of that name. */
  variableType(name: string): SqlType | undefined;
  table(parts: readonly string[]): ResolvedTable;
}

/** What is known of a column of a result before it runs. */
export interface ResultColumn {
  readonly name: string;
  readonly type: SqlType | undefined;
  /** The column that it is, when it is no more than that. */
  readonly reference?: string | undefined;
}

/** A statement in SQLite's SQL. */
export interface Translation {
  readonly sql: string;
  readonly verb: 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';
  /** The columns of its result; undefined: as SQLite gives them. */
  readonly columns?: readonly ResultColumn[] | undefined;
  /** Variables that take the values of the last row instead of sending any. */
  readonly assigns?: readonly string[];
  /** The new table of SELECT … INTO. */
  readonly into?: readonly string[];
  /** Where the rows of OUTPUT … INTO go, and which columns of it they fill. */
  readonly outputInto?: { readonly table: ResolvedTable; readonly columns: readonly string[] };
  /** The table that it writes to. */
  readonly target?: ResolvedTable;
  /** The columns that INSERT names. */
  readonly inserted?: readonly string[];
  /** The values that INSERT has for its columns, as expressions, row by row. */
  readonly insertedValues?: { readonly columns: readonly string[]; readonly rows: readonly (readonly string[])[] };
  /** It asks for locks as a writer does, by hints. */
  readonly locks: boolean;
  /** Of MERGE, which is several statements; then `sql` is empty. */
  readonly merge?: MergeSteps;
}

/** What MERGE does, one after the other. */
export interface MergeSteps {
  /** Makes the temporary table of the source, and marks its rows that match. */
  readonly prepare: readonly string[];
  /** Writes; each may give the rows of OUTPUT. */
  readonly write: readonly string[];
  readonly clean: string;
}

import type { LeaseSource } from './provider.js';
import type { SqlMigrations } from './sql-migrations.js';

/** A statement in the engine's own placeholder style, with its parameters. */
export interface Statement {
  readonly sql: string;
  readonly params?: readonly unknown[] | undefined;
}

/** Options of one statement. */
export interface StatementOptions {
  /** Cancels the statement on the server; the call rejects with `DBM_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  /** Overrides `query_timeout`, in milliseconds; 0 is no limit. */
  readonly timeoutMs?: number | undefined;
  /** Rows by position, in `values`, rather than by name, where of several columns with one name only the last is left. */
  readonly byPosition?: boolean | undefined;
  /**
   * Keeps the statement prepared on the connection, where that can be and is not done anyway: then the same text is not parsed
   * again there. `unprepare` of the engine frees it.
   */
  readonly prepared?: boolean | undefined;
  /** Of a stream: told the columns of the result before its first row, where the driver tells them. */
  readonly onColumns?: ((columns: readonly ResultColumn[]) => void) | undefined;
}

/** A column of a result. */
export interface ResultColumn {
  readonly name: string;
  /** The engine's name of its type (`int4`, `VARCHAR`; of SQLite as it was declared); undefined where it has none. */
  readonly type: string | undefined;
}

/** One row by column name. */
export type Row = Record<string, unknown>;

/** What a statement gave. */
export interface StatementResult {
  /** Empty when the rows were asked for by position. */
  readonly rows: readonly Row[];
  /** The rows by position, in the order of the columns. Present when they were asked for so. */
  readonly values?: readonly (readonly unknown[])[] | undefined;
  /** Rows inserted, updated or deleted; for a read the number of rows. */
  readonly rowsAffected: number;
  /** Where the engine reports one. */
  readonly lastInsertId: number | bigint | undefined;
}

/** Isolation levels of the SQL standard, and SQL Server's `snapshot`, which other engines refuse. */
export type IsolationLevel = 'read uncommitted' | 'read committed' | 'repeatable read' | 'serializable' | 'snapshot';

/** How a transaction is begun. */
export interface BeginOptions {
  readonly isolation?: IsolationLevel | undefined;
  readonly readOnly?: boolean | undefined;
  readonly deferrable?: boolean | undefined;
  /** Gives up waiting for the connection and for BEGIN, with `DBM_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * One logical connection to an SQL database: its statements run in order, and a transaction stays on it. It may borrow
 * from the pool per statement (outside transactions) or for its whole life, as suits the engine.
 */
export interface SqlSession {
  /** Errors are `DbManagerError`s with the driver's as cause. */
  query(statement: Statement, options?: StatementOptions): Promise<StatementResult>;
  /** Rows one by one in bounded memory; ending the loop early frees what it held. */
  stream(statement: Statement, options?: StatementOptions): AsyncIterable<Row>;
  begin(options?: BeginOptions): Promise<void>;
  /** Rejects with `DBM_COMMIT_UNKNOWN` when the connection dies meanwhile, with `DBM_TRANSACTION_ABORTED` when the server rolled back instead. */
  commit(): Promise<void>;
  rollback(): Promise<void>;
  savepoint(name: string): Promise<void>;
  rollbackTo(name: string): Promise<void>;
  releaseSavepoint(name: string): Promise<void>;
  readonly inTransaction: boolean;
  /** Gives everything back; does nothing the second time. An open transaction is rolled back by the pool. */
  release(error?: unknown): void;
}

/** Why a transaction lost to another one; the whole of it may be repeated. */
export type TransactionConflict = 'serialization_failure' | 'deadlock';

/** How the database reads what is quoted or commented out, where databases differ. Left out: it does not do that. */
export interface SqlLexis {
  /** A comment may hold comments. */
  readonly nestedComments?: boolean;
  /** What ends a `--` comment; left out: a line feed alone. */
  readonly lineEnds?: 'cr-or-lf';
  /** `$tag$ … $tag$` is a string. */
  readonly dollarQuotes?: boolean;
  /** `#` begins a comment too, and `--` only before white space. */
  readonly hashComments?: boolean;
  /** What stands in a comment that begins with `/*!` or `/*M!` is part of the statement. */
  readonly executableComments?: boolean;
  /** A backslash escapes in strings: only in those that begin with E, or in all, those in `"` among them. */
  readonly backslashes?: 'e-strings' | 'all-strings';
  /** Names may be quoted with these, besides `"`; `[` is closed by `]`. */
  readonly nameQuotes?: readonly ('`' | '[')[];
  /** Characters that names and variables hold besides letters, digits, `_` and `$`. */
  readonly nameSigns?: '@#';
  /** `optional`: statements may follow each other without one, and BEGIN … END encloses a block of them. */
  readonly semicolons?: 'optional';
}

/** How numbered parameters are written: `$1`, or `@p1`. */
export type NumberedPlaceholders = 'numbered' | 'at-numbered';

/** The optional SQL capability of an engine. */
export interface SqlEngine<C> {
  /** How parameters are written: `$1`, `@p1` or `?`. */
  readonly placeholders: NumberedPlaceholders | 'question-mark';
  readonly lexis?: SqlLexis;
  /** `name` as a quoted identifier. */
  quoteIdentifier(name: string): string;
  /** A session on the given pool. It borrows at first use, not here. */
  session(source: LeaseSource<C>): SqlSession;
  /**
   * Runs one statement outside of transactions on a connection that it borrows: as a session that is released after it, with
   * less about it. Left out: such a session is made.
   */
  run?(source: LeaseSource<C>, statement: Statement, options: StatementOptions): Promise<StatementResult>;
  /**
   * Asks the server, on a way of its own that takes no slot of the pool, to stop the statement that runs on `connection`;
   * that statement then rejects. Does nothing when none runs. Left out: statements cannot be stopped from outside.
   */
  cancel?(connection: C): Promise<void>;
  /**
   * Whether an error of the driver, or one of ours around it, says that the transaction lost to another one and may be
   * repeated as a whole. Left out: errors of ours tell by their code.
   */
  conflict?(error: unknown): TransactionConflict | undefined;
  /** Frees what sessions keep prepared for a text, on each connection before its next statement. Left out: nothing is kept. */
  unprepare?(sql: string): void;
  /**
   * Has the database read a statement in the engine's own style without running it: rejects as a session would with what is wrong
   * with it, and is false for a kind of statement that it cannot be asked about. Left out: it cannot be asked about any.
   */
  check?(connection: C, sql: string, connectionName: string): Promise<boolean>;
  /** How schemas are migrated. Left out: they are not, by us. */
  readonly migrations?: SqlMigrations;
}

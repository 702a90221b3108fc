import {
  type Clock,
  DbManagerError,
  type Row,
  type SqlEngine,
  type Statement,
  type StatementResult,
} from '@dbmanager/core';
import type { NamedSql } from './named-sql.js';
import { PreparedStatement } from './prepared-statement.js';
import { type CallOptions, checkQueryOptions, type QueryOptions } from './query-options.js';
import { RowStream } from './row-stream.js';
import type { SqlTemplate } from './sql-template.js';
import { type QueryParams, StatementTexts } from './statement-text.js';

/** The words that make rows of new ids. */
const INSERTS = /\b(?:insert|replace)\b/i;

/** What a data-changing statement did. */
export interface ExecuteResult {
  /** Rows inserted, updated or deleted; for a read the number of rows. */
  readonly rowsAffected: number;
  /** Where the engine reports one (SQLite, MySQL); elsewhere ask with `returning`. */
  readonly lastInsertId: number | bigint | undefined;
  /** From the call to the result, in milliseconds: waiting for a connection included. */
  readonly durationMs: number;
}

/** A statement with its values and options: of a text they come after it, a template and a statement of a file hold theirs. */
export type StatementCall =
  | [sql: string, params?: QueryParams | undefined, options?: QueryOptions | undefined]
  | [statement: SqlTemplate | NamedSql, options?: QueryOptions | undefined];

/**
 * The statements that the database and a transaction have in common.
 *
 * Parameters are written the same on every engine, and values are never part of the text: `?` with an array, `:name` with an
 * object, or a template of {@link sql}. The engine's native `$1` or `@p1` is accepted with an array too, and `??` is then the
 * operator character `?`. Every method rejects with a `DbManagerError`; for a statement that the database refused that is
 * `DBM_QUERY_FAILED` or a closer code, with the driver's error as cause.
 */
export abstract class Queryable {
  /** Name of the connection, for errors. */
  protected abstract readonly name: string;
  protected abstract readonly clock: Clock;
  /** Throws `NotSqlDatabaseError` when the database is none. */
  protected abstract get sql(): SqlEngine<unknown>;
  /** Ends every call when aborted. */
  protected readonly signal: AbortSignal | undefined;
  /** Runs a statement that is already in the engine's style. */
  protected abstract run(statement: Statement, options: CallOptions | undefined): Promise<StatementResult>;
  /** The rows of such a statement one by one. */
  protected abstract rows(statement: Statement, options: CallOptions): AsyncIterator<Row, void>;

  constructor(signal?: AbortSignal) {
    this.signal = signal;
  }

  /** The rows of a statement, all in memory; `T` is the caller's word for their shape. */
  async query<T extends object = Row>(...call: StatementCall): Promise<T[]> {
    const { rows } = await this.run(...this.#prepare(call));
    return rows as unknown as T[];
  }

  /** The first row of a statement, or undefined when there is none. */
  async queryOne<T extends object = Row>(...call: StatementCall): Promise<T | undefined> {
    const rows = await this.query<T>(...call);
    return rows[0];
  }

  /** The first row of a statement. Rejects with `DBM_NOT_FOUND` when there is none. */
  async queryOneOrThrow<T extends object = Row>(...call: StatementCall): Promise<T> {
    const row = await this.queryOne<T>(...call);
    if (row !== undefined) return row;
    throw new DbManagerError('DBM_NOT_FOUND', 'the statement found no row', { connectionName: this.name });
  }

  /** Runs a statement for what it does rather than for its rows. */
  async execute(...call: StatementCall): Promise<ExecuteResult> {
    const startedAt = this.clock.now();
    const [statement, options] = this.#prepare(call);
    // Who runs it for what it does does not mean an earlier run.
    const result = await this.run(statement, options?.cache === undefined ? options : { ...options, cache: undefined });
    const lastInsertId = insertedId(statement, result);
    return { rowsAffected: result.rowsAffected, lastInsertId, durationMs: this.clock.now() - startedAt };
  }

  /**
   * The rows of a statement, read as they are asked for: memory stays bounded however many there are, and a loop that is left
   * early gives the connection back. Nothing is sent before the first row is asked for. Throws `DBM_INVALID_OPTION` for what
   * cannot be meant; everything else rejects as it is read.
   */
  stream<T extends object = Row>(...call: StatementCall): RowStream<T> {
    const [statement, options] = this.#prepare(call);
    return new RowStream<T>((onColumns) => this.rows(statement, { ...options, onColumns }), this.name);
  }

  /**
   * A statement for many runs; nothing is sent yet. It runs where it was asked for: on the database on any connection, in a
   * transaction on that one's. Close it when it is not needed any more. Throws `DBM_INVALID_OPTION` for what is no text.
   */
  prepare(sql: string): PreparedStatement {
    const engine = this.sql;
    if (typeof sql !== 'string')
      throw this.#invalid('sql', 'what is prepared is a text; its values come with each run');
    const forget = () => {
      for (const text of StatementTexts.of(engine).renderings(sql)) engine.unprepare?.(text);
    };
    return new PreparedStatement({ owner: this, connectionName: this.name, sql, forget });
  }

  /** Lets one `Queryable` run statements by another. */
  protected static runOn(
    other: Queryable,
    statement: Statement,
    options: CallOptions | undefined,
  ): Promise<StatementResult> {
    return other.run(statement, options);
  }

  /** Lets one `Queryable` read rows by another. */
  protected static rowsOn(other: Queryable, statement: Statement, options: CallOptions): AsyncIterator<Row, void> {
    return other.rows(statement, options);
  }

  #prepare(call: StatementCall): [statement: Statement, options: CallOptions | undefined] {
    const [text, params, options] = isTextCall(call) ? call : [call[0], undefined, call[1]];
    if (Array.isArray(options))
      throw this.#invalid('params', 'the statement has its values; none can be given beside it');
    const statement = StatementTexts.of(this.sql).statement(text, params, this.name);
    return [statement, checkQueryOptions(options, this.signal, this.name)];
  }

  #invalid(option: string, message: string): DbManagerError {
    return new DbManagerError('DBM_INVALID_OPTION', message, { connectionName: this.name, option });
  }
}

/** Of what inserts nothing, SQLite tells the id of an insert before. */
function insertedId({ sql }: Statement, { rowsAffected, lastInsertId }: StatementResult): number | bigint | undefined {
  return lastInsertId !== undefined && rowsAffected > 0 && INSERTS.test(sql) ? lastInsertId : undefined;
}

function isTextCall(call: StatementCall): call is Extract<StatementCall, [string, ...unknown[]]> {
  return typeof call[0] === 'string';
}

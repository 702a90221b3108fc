import {
  type Clock,
  DbManagerError,
  type Row,
  type SqlEngine,
  type Statement,
  type StatementOptions,
  type StatementResult,
} from '@dbmanager/core';
import { numberPlaceholders } from './placeholders.js';

/** What a data-changing statement did. */
export interface ExecuteResult {
  /** Rows inserted, updated or deleted; for a read the number of rows. */
  readonly rowsAffected: number;
  /** Where the engine reports one (SQLite, MySQL); elsewhere ask with `returning`. */
  readonly lastInsertId: number | bigint | undefined;
  /** From the call to the result, in milliseconds: waiting for a connection included. */
  readonly durationMs: number;
}

/** Options of one statement. */
export type QueryOptions = StatementOptions;

/**
 * The statements that the database and a transaction have in common.
 *
 * Parameters are written `?` on every engine; on one with numbered parameters they are rewritten (`??` is the operator
 * character `?`), and its native `$1` or `@p1` is accepted too. Every method rejects with a `DbManagerError`; for a statement that
 * the database refused that is `DBM_QUERY_FAILED` or a closer code, with the driver's error as cause.
 */
export abstract class Queryable {
  /** Name of the connection, for errors. */
  protected abstract readonly name: string;
  protected abstract readonly clock: Clock;
  /** Throws `NotSqlDatabaseError` when the database is none. */
  protected abstract get sql(): SqlEngine<unknown>;
  /** Runs a statement that is already in the engine's style. */
  protected abstract run(statement: Statement, options: QueryOptions | undefined): Promise<StatementResult>;

  /** The rows of a statement, all in memory; `T` is the caller's word for their shape. */
  async query<T extends object = Row>(sql: string, params?: readonly unknown[], options?: QueryOptions): Promise<T[]> {
    const { rows } = await this.run(this.#statement(sql, params), options);
    return rows as unknown as T[];
  }

  /** The first row of a statement, or undefined when there is none. */
  async queryOne<T extends object = Row>(
    sql: string,
    params?: readonly unknown[],
    options?: QueryOptions,
  ): Promise<T | undefined> {
    const rows = await this.query<T>(sql, params, options);
    return rows[0];
  }

  /** The first row of a statement. Rejects with `DBM_NOT_FOUND` when there is none. */
  async queryOneOrThrow<T extends object = Row>(
    sql: string,
    params?: readonly unknown[],
    options?: QueryOptions,
  ): Promise<T> {
    const row = await this.queryOne<T>(sql, params, options);
    if (row !== undefined) return row;
    throw new DbManagerError('DBM_NOT_FOUND', 'the statement found no row', { connectionName: this.name });
  }

  /** Runs a statement for what it does rather than for its rows. */
  async execute(sql: string, params?: readonly unknown[], options?: QueryOptions): Promise<ExecuteResult> {
    const startedAt = this.clock.now();
    const { rowsAffected, lastInsertId } = await this.run(this.#statement(sql, params), options);
    return { rowsAffected, lastInsertId, durationMs: this.clock.now() - startedAt };
  }

  /** Lets one `Queryable` run statements by another. */
  protected static runOn(
    other: Queryable,
    statement: Statement,
    options: QueryOptions | undefined,
  ): Promise<StatementResult> {
    return other.run(statement, options);
  }

  #statement(sql: string, params: readonly unknown[] | undefined): Statement {
    const { placeholders, lexis = {} } = this.sql;
    if (placeholders === 'question-mark') return { sql, params };
    const numbered = numberPlaceholders(sql, lexis, placeholders);
    const given = params?.length ?? 0;
    if (numbered.parameterCount !== undefined && numbered.parameterCount !== given) {
      throw new DbManagerError(
        'DBM_INVALID_OPTION',
        `the statement has ${numbered.parameterCount} \`?\` placeholders and was given ${given} parameters; ` +
          'an operator with a question mark is written with two (`??`)',
        { connectionName: this.name, option: 'params' },
      );
    }
    return { sql: numbered.sql, params };
  }
}

import {
  type BeginOptions,
  CommitUnknownError,
  DbManagerError,
  type HeldTurn,
  isDbManagerError,
  type LeaseSource,
  type Row,
  SessionTurns,
  type SqlSession,
  type Statement,
  type StatementOptions,
  type StatementResult,
} from '@dbmanager/core';
import { rowPortions } from '@dbmanager/provider-server';
import { lostError, statementError } from './errors.js';
import { destroySocket, isGone, type MysqlConnection, type MysqlField } from './mysql-driver.js';
import type { MysqlStatements } from './mysql-statements.js';
import { quoteIdentifier } from './mysql-target.js';
import { RowReader } from './row-reader.js';
import { ServerStatus } from './server-status.js';
import { drainOrStop } from './statement-control.js';
import { implicitCommit, summarise } from './statement-text.js';

/**
 * A session on one connection, borrowed at the first statement and kept until the session is released.
 */
export class MysqlSession implements SqlSession {
  readonly #source: LeaseSource<MysqlConnection>;
  readonly #statements: MysqlStatements;
  readonly #turns: SessionTurns<MysqlConnection>;
  /** Begun here, and not ended here. */
  #begun = false;
  /** Why the server has rolled that transaction back: what follows must not run outside of it. */
  #aborted: unknown;

  constructor(source: LeaseSource<MysqlConnection>, statements: MysqlStatements) {
    this.#source = source;
    this.#statements = statements;
    this.#turns = new SessionTurns(source);
  }

  get inTransaction(): boolean {
    const { connection } = this.#turns;
    return connection !== undefined && ServerStatus.of(connection).inTransaction;
  }

  query(statement: Statement, options: StatementOptions = {}): Promise<StatementResult> {
    return this.#turns.run(options.signal, async (connection) => {
      this.#assertMayRun(connection, statement.sql);
      this.#turns.note(() => summarise(statement.sql));
      return this.#following(connection, this.#statements.query(connection, this.#source, statement, options));
    });
  }

  async *stream(statement: Statement, options: StatementOptions = {}): AsyncGenerator<Row, void> {
    // Its consumer may take its time: only the waits for the server are limited, and those by ourselves.
    const turn = await this.#turns.hold(options.signal, (connection, work) => {
      this.#assertMayRun(connection, statement.sql);
      return this.#statements.limited(connection, this.#source, 0, work);
    });
    try {
      yield* this.#read(turn, statement, options);
    } finally {
      await turn.end();
    }
  }

  begin({ isolation, readOnly, signal }: BeginOptions = {}): Promise<void> {
    return this.#turns.run(signal, async (connection) => {
      if (this.#begun || this.inTransaction) throw this.#error('DBM_QUERY_FAILED', 'a transaction is open already');
      const access = readOnly === undefined ? '' : readOnly ? ' READ ONLY' : ' READ WRITE';
      if (isolation !== undefined) {
        await this.#command(connection, `SET TRANSACTION ISOLATION LEVEL ${isolation.toUpperCase()}`, signal);
      }
      try {
        await this.#command(connection, `START TRANSACTION${access}`, signal);
      } catch (error) {
        // The isolation would be that of the next transaction, whoever begins it.
        if (isolation !== undefined) destroySocket(connection);
        throw error;
      }
      this.#begun = true;
      this.#aborted = undefined;
    });
  }

  commit(): Promise<void> {
    const { name } = this.#source;
    return this.#turns.run(undefined, async (connection) => {
      // Not sent, so not in doubt.
      if (isGone(connection)) throw lostError('before COMMIT', name);
      const aborted = this.#isAborted(connection);
      const cause = this.#aborted;
      this.#begun = false;
      if (aborted) throw this.#error('DBM_TRANSACTION_ABORTED', 'the server had rolled the transaction back', cause);
      try {
        await this.#command(connection, 'COMMIT');
      } catch (error) {
        // The server, or a proxy before it, may say that it goes before the socket does.
        const lost = isGone(connection) || isDbManagerError(error, 'DBM_CONNECTION_LOST');
        throw lost ? new CommitUnknownError(name, error) : error;
      }
    });
  }

  rollback(): Promise<void> {
    return this.#turns.run(undefined, async (connection) => {
      this.#begun = false;
      this.#aborted = undefined;
      await this.#command(connection, 'ROLLBACK');
    });
  }

  savepoint(name: string): Promise<void> {
    return this.#inside(`SAVEPOINT ${quoteIdentifier(name)}`);
  }

  rollbackTo(name: string): Promise<void> {
    return this.#inside(`ROLLBACK TO SAVEPOINT ${quoteIdentifier(name)}`);
  }

  releaseSavepoint(name: string): Promise<void> {
    return this.#inside(`RELEASE SAVEPOINT ${quoteIdentifier(name)}`);
  }

  release(error?: unknown): void {
    this.#turns.release(error);
  }

  #inside(sql: string): Promise<void> {
    return this.#turns.run(undefined, (connection) => {
      this.#assertMayRun(connection, sql);
      return this.#command(connection, sql);
    });
  }

  /** A statement that is ours rather than a user's. */
  async #command(connection: MysqlConnection, sql: string, signal?: AbortSignal): Promise<void> {
    this.#turns.note(() => sql);
    await this.#following(connection, this.#statements.run(connection, this.#source, { sql }, { signal }));
  }

  /** Takes note of what a statement has made of the transaction. */
  async #following<T>(connection: MysqlConnection, work: Promise<T>): Promise<T> {
    try {
      const outcome = await work;
      // It was a COMMIT, a ROLLBACK, or a procedure that did either.
      if (!ServerStatus.of(connection).inTransaction) this.#begun = false;
      return outcome;
    } catch (error) {
      throw this.#failed(connection, error);
    }
  }

  #read(turn: HeldTurn<MysqlConnection>, statement: Statement, options: StatementOptions): AsyncGenerator<Row, void> {
    const { connection } = turn;
    const watch = this.#statements.watch(connection, this.#source, options);
    this.#turns.note(() => summarise(statement.sql));
    return rowPortions({
      connectionName: this.#source.name,
      turn,
      watch,
      signal: options.signal,
      open: () => {
        this.#statements.keep(connection, statement, options);
        return new RowReader(
          connection,
          () => this.#statements.sendForRows(connection, statement),
          this.#columnsFor(options),
        );
      },
      // Also what was refused before it was sent.
      failed: (error) => this.#failed(connection, statementError(error, this.#source.name)),
      settle: async (reader) => {
        if (reader !== undefined) await drainOrStop(watch, this.#statements.clock, reader.close());
      },
    });
  }

  #columnsFor({ onColumns }: StatementOptions): ((fields: readonly MysqlField[]) => void) | undefined {
    const { Types } = this.#statements.driver;
    return (
      onColumns && ((fields) => onColumns(fields.map(({ name, columnType }) => ({ name, type: Types[columnType] }))))
    );
  }

  #failed(connection: MysqlConnection, error: unknown): unknown {
    if (this.#isAborted(connection)) this.#aborted ??= error;
    return error;
  }

  /** The server rolls back by itself after some errors; then there is no transaction where one was begun. */
  #isAborted(connection: MysqlConnection): boolean {
    return this.#begun && !ServerStatus.of(connection).inTransaction;
  }

  #assertMayRun(connection: MysqlConnection, sql: string): void {
    if (!this.#begun) return;
    if (this.#isAborted(connection)) {
      throw this.#error(
        'DBM_TRANSACTION_ABORTED',
        'the server has rolled the transaction back; end it first',
        this.#aborted,
      );
    }
    const commits = implicitCommit(sql);
    if (commits === undefined) return;
    throw this.#error(
      'DBM_UNSUPPORTED',
      `${commits} cannot be sent inside a transaction: the server would commit it; run it outside`,
    );
  }

  #error(code: ConstructorParameters<typeof DbManagerError>[0], message: string, cause?: unknown): DbManagerError {
    const connectionName = this.#source.name;
    return new DbManagerError(code, message, cause === undefined ? { connectionName } : { connectionName, cause });
  }
}

import {
  type BeginOptions,
  type Clock,
  CommitUnknownError,
  DbManagerError,
  type HeldTurn,
  type LeaseSource,
  type Row,
  SessionTurns,
  type SqlSession,
  type Statement,
  type StatementControl,
  type StatementOptions,
  type StatementResult,
  StatementWatch,
  unobserved,
} from '@dbmanager/core';
import { longerLimit, rowPortions } from '@dbmanager/provider-server';
import { lostError, statementError } from './errors.js';
import {
  destroySocket,
  isGone,
  type MysqlAnswer,
  type MysqlCommand,
  type MysqlConnection,
  type MysqlDriver,
  type MysqlField,
  runPrepared,
  runText,
  sendPrepared,
} from './mysql-driver.js';
import { quoteIdentifier } from './mysql-target.js';
import { statementResult, toParameters } from './mysql-values.js';
import type { PreparedStatements } from './prepared-statements.js';
import { RowReader } from './row-reader.js';
import { limitOf } from './server-limit.js';
import { ServerStatus } from './server-status.js';
import { drainOrStop } from './statement-control.js';
import { implicitCommit, summarise } from './statement-text.js';

/** What a {@link MysqlSession} is made of. */
export interface MysqlSessionSetup {
  readonly driver: MysqlDriver;
  readonly source: LeaseSource<MysqlConnection>;
  readonly clock: Clock;
  readonly control: StatementControl<MysqlConnection>;
  readonly prepared: PreparedStatements;
}

/**
 * A session on one connection, borrowed at the first statement and kept until the session is released. Statements with
 * parameters are prepared on the server, so that no value is ever part of a text.
 */
export class MysqlSession implements SqlSession {
  readonly #setup: MysqlSessionSetup;
  readonly #turns: SessionTurns<MysqlConnection>;
  /** Begun here, and not ended here. */
  #begun = false;
  /** Why the server has rolled that transaction back: what follows must not run outside of it. */
  #aborted: unknown;

  constructor(setup: MysqlSessionSetup) {
    this.#setup = setup;
    this.#turns = new SessionTurns(setup.source);
  }

  get inTransaction(): boolean {
    const { connection } = this.#turns;
    return connection !== undefined && ServerStatus.of(connection).inTransaction;
  }

  query(statement: Statement, options: StatementOptions = {}): Promise<StatementResult> {
    return this.#turns.run(options.signal, async (connection) => {
      this.#assertMayRun(connection, statement.sql);
      const limitMs = longerLimit(options, limitOf(connection)?.timeoutMs ?? 0);
      const run = () => this.#run(connection, statement, options);
      const answer = await (limitMs === undefined ? run() : this.#limited(connection, limitMs, run));
      return statementResult(answer, options.byPosition === true);
    });
  }

  async *stream(statement: Statement, options: StatementOptions = {}): AsyncGenerator<Row, void> {
    // Its consumer may take its time: only the waits for the server are limited, and those by ourselves.
    const turn = await this.#turns.hold(options.signal, (connection, work) => {
      this.#assertMayRun(connection, statement.sql);
      return this.#limited(connection, 0, work);
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
    const { name } = this.#setup.source;
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
        throw isGone(connection) ? new CommitUnknownError(name, error) : error;
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

  async #command(connection: MysqlConnection, sql: string, signal?: AbortSignal): Promise<void> {
    await this.#run(connection, { sql }, { signal });
  }

  /** One statement; afterwards the connection is ready for the next and its state is known, or it is destroyed. */
  async #run(connection: MysqlConnection, statement: Statement, options: StatementOptions): Promise<MysqlAnswer> {
    const watch = this.#watch(connection, options);
    this.#turns.note(() => summarise(statement.sql));
    try {
      const answer = await watch.guard(() => this.#send(connection, statement, options));
      if (!watch.settled) await watch.settle();
      // It was a COMMIT, a ROLLBACK, or a procedure that did either.
      if (!ServerStatus.of(connection).inTransaction) this.#begun = false;
      return answer;
    } catch (error) {
      await watch.settle();
      throw this.#failed(connection, error);
    }
  }

  async #send(connection: MysqlConnection, statement: Statement, { byPosition = false, prepared }: StatementOptions) {
    const { sql, params = [] } = statement;
    this.#keep(connection, statement, prepared);
    const options = { sql, rowsAsArray: byPosition };
    if (params.length === 0) return runText(connection, options);
    return runPrepared(connection, { ...options, values: toParameters(this.#setup.driver, params) });
  }

  /** Frees what was closed, and remembers what is to be. */
  #keep(connection: MysqlConnection, { sql, params = [] }: Statement, keep = false): void {
    const { prepared } = this.#setup;
    prepared.free(connection);
    if (keep && params.length > 0) prepared.keep(connection, sql);
  }

  #read(turn: HeldTurn<MysqlConnection>, statement: Statement, options: StatementOptions): AsyncGenerator<Row, void> {
    const { connection } = turn;
    const watch = this.#watch(connection, options);
    this.#turns.note(() => summarise(statement.sql));
    return rowPortions({
      connectionName: this.#setup.source.name,
      turn,
      watch,
      signal: options.signal,
      open: () => {
        this.#keep(connection, statement, options.prepared);
        return new RowReader(connection, () => this.#sendForRows(connection, statement), this.#columnsFor(options));
      },
      // Also what was refused before it was sent.
      failed: (error) => this.#failed(connection, statementError(error, this.#setup.source.name)),
      settle: async (reader) => {
        if (reader !== undefined) await drainOrStop(watch, this.#setup.clock, reader.close());
      },
    });
  }

  #columnsFor({ onColumns }: StatementOptions): ((fields: readonly MysqlField[]) => void) | undefined {
    const { Types } = this.#setup.driver;
    return (
      onColumns && ((fields) => onColumns(fields.map(({ name, columnType }) => ({ name, type: Types[columnType] }))))
    );
  }

  #sendForRows(connection: MysqlConnection, { sql, params = [] }: Statement): MysqlCommand {
    if (params.length === 0) return connection.query({ sql }) as unknown as MysqlCommand;
    return sendPrepared(connection, { sql, values: toParameters(this.#setup.driver, params) });
  }

  #watch(connection: MysqlConnection, { signal, timeoutMs }: StatementOptions): StatementWatch<MysqlConnection> {
    const { control, clock, source } = this.#setup;
    return new StatementWatch({
      control,
      connection,
      clock,
      connectionName: source.name,
      timeoutMs: timeoutMs ?? source.config.options.queryTimeoutMs,
      serverTimeoutMs: limitOf(connection)?.timeoutMs ?? 0,
      signal,
    });
  }

  /** Runs `work` under another limit of the server than the connection's own; undefined leaves that as it is. */
  async #limited<T>(connection: MysqlConnection, limitMs: number | undefined, work: () => Promise<T>): Promise<T> {
    const limit = limitOf(connection);
    if (limitMs === undefined || limit === undefined) return work();
    await setLimit(connection, limit.assignment(limitMs));
    try {
      return await work();
    } finally {
      if (!isGone(connection)) {
        const restored = setLimit(connection, limit.assignment(limit.timeoutMs));
        await restored.catch(() => destroySocket(connection));
      }
    }
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
    const connectionName = this.#setup.source.name;
    return new DbManagerError(code, message, cause === undefined ? { connectionName } : { connectionName, cause });
  }
}

/** Ours, not a query of a user. */
function setLimit(connection: MysqlConnection, assignment: string): Promise<unknown> {
  return unobserved(() => runText(connection, { sql: `SET ${assignment}` }));
}

import {
  type BeginOptions,
  type Clock,
  DbManagerError,
  type HeldTurn,
  type IsolationLevel,
  isDbManagerError,
  type LeaseSource,
  type Row,
  SessionTurns,
  type SqlSession,
  type Statement,
  type StatementControl,
  type StatementOptions,
  type StatementResult,
  StatementWatch,
} from '@dbmanager/core';
import { rowPortions } from '@dbmanager/provider-server';
import { lostError, statementError } from './errors.js';
import { type Job, promisedJob, requestJob } from './job.js';
import type { MssqlConnection } from './mssql-connection.js';
import { addParameters, collectResult } from './mssql-values.js';
import { RowReader } from './row-reader.js';
import { summarise } from './statement-text.js';
import type { TediousConnection, TediousDriver, TediousRequest } from './tedious-driver.js';

/** What a {@link MssqlSession} is made of. */
export interface MssqlSessionSetup {
  readonly driver: TediousDriver;
  readonly source: LeaseSource<MssqlConnection>;
  readonly clock: Clock;
  readonly control: StatementControl<MssqlConnection>;
}

const ISOLATION: Readonly<Record<IsolationLevel, keyof TediousDriver['ISOLATION_LEVEL']>> = {
  'read uncommitted': 'READ_UNCOMMITTED',
  'read committed': 'READ_COMMITTED',
  'repeatable read': 'REPEATABLE_READ',
  serializable: 'SERIALIZABLE',
  snapshot: 'SNAPSHOT',
};

/**
 * A session on one connection, borrowed at the first statement and kept until the session is released. A statement with
 * parameters is run by `sp_executesql`, so that no value is ever part of a text; one without is a batch.
 */
export class MssqlSession implements SqlSession {
  readonly #setup: MssqlSessionSetup;
  readonly #turns: SessionTurns<MssqlConnection>;
  /** Names of savepoints, as given here and as they are on the server: several users of a connection may use the same. */
  readonly #savepoints = new Map<string, string>();
  /** The connection of the lease, once it has been told that it is lent. */
  #lent: MssqlConnection | undefined;

  constructor(setup: MssqlSessionSetup) {
    this.#setup = setup;
    this.#turns = new SessionTurns(setup.source);
  }

  get inTransaction(): boolean {
    return this.#turns.connection?.transaction.isOpen === true;
  }

  query(statement: Statement, options: StatementOptions = {}): Promise<StatementResult> {
    return this.#run(options.signal, (connection) => {
      const request = this.#request(statement);
      const result = collectResult(request, options.byPosition === true);
      const job = requestJob(howToSend(statement), request, undefined, { timeoutMs: 0 });
      return this.#watched(connection, options, () => this.#submit(connection, job, result));
    });
  }

  async *stream(statement: Statement, options: StatementOptions = {}): AsyncGenerator<Row, void> {
    const turn = await this.#turns.hold(options.signal, (connection, work) => {
      this.#enter(connection);
      return work();
    });
    try {
      yield* this.#read(turn, statement, options);
    } finally {
      await turn.end();
    }
  }

  begin({ isolation = 'read committed', readOnly = false, signal }: BeginOptions = {}): Promise<void> {
    const level = this.#setup.driver.ISOLATION_LEVEL[ISOLATION[isolation]];
    return this.#run(signal, async (connection) => {
      await this.#transactional(
        connection,
        { kind: 'begin', isolation: level, send: (tedious, done) => tedious.beginTransaction(done, '', level) },
        signal,
      );
      this.#savepoints.clear();
      if (readOnly) connection.transaction.makeReadOnly();
    });
  }

  commit(): Promise<void> {
    return this.#run(undefined, async (connection) => {
      const { transaction } = connection;
      // What a procedure may have written is undone.
      if (transaction.isReadOnly) return this.#abort(connection);
      try {
        await this.#transactional(connection, {
          kind: 'commit',
          send: (tedious, done) => tedious.commitTransaction(done),
        });
      } catch (error) {
        // Told, so that what comes next is not taken for a part of it.
        if (isDbManagerError(error, 'DBM_TRANSACTION_ABORTED') && !transaction.isOpen) transaction.acknowledge();
        throw error;
      }
    });
  }

  rollback(): Promise<void> {
    return this.#run(undefined, (connection) => this.#abort(connection));
  }

  savepoint(name: string): Promise<void> {
    return this.#run(undefined, async (connection) => {
      const saved = connection.savepointName();
      await this.#transactional(connection, {
        kind: 'savepoint',
        send: (tedious, done) => tedious.saveTransaction(done, saved),
      });
      this.#savepoints.set(name, saved);
    });
  }

  rollbackTo(name: string): Promise<void> {
    return this.#run(undefined, async (connection) => {
      const saved = this.#savepoints.get(name);
      if (saved === undefined) throw this.#error('DBM_QUERY_FAILED', `there is no savepoint ${JSON.stringify(name)}`);
      await this.#transactional(connection, {
        kind: 'rollback to savepoint',
        send: (tedious, done) => tedious.rollbackTransaction(done, saved),
      });
    });
  }

  /** SQL Server keeps savepoints to the end of the transaction. */
  async releaseSavepoint(): Promise<void> {}

  release(error?: unknown): void {
    const spoilt = this.#lent?.isSpoilt === true;
    this.#turns.release(error ?? (spoilt ? lostError('what was set on it lasts', this.#setup.source.name) : undefined));
  }

  #run<T>(signal: AbortSignal | undefined, work: (connection: MssqlConnection) => Promise<T>): Promise<T> {
    return this.#turns.run(signal, async (connection) => {
      this.#enter(connection);
      return work(connection);
    });
  }

  #enter(connection: MssqlConnection): void {
    if (this.#lent === connection) return;
    this.#lent = connection;
    connection.beginLease(this.#turns.leaseId);
  }

  #read(turn: HeldTurn<MssqlConnection>, statement: Statement, options: StatementOptions): AsyncGenerator<Row, void> {
    const { connection } = turn;
    const watch = this.#watch(connection, options);
    this.#turns.note(() => summarise(statement.sql));
    return rowPortions({
      connectionName: this.#setup.source.name,
      turn,
      watch,
      signal: options.signal,
      open: () => new RowReader(connection, howToSend(statement), this.#request(statement)),
      failed: (error) => error,
      settle: async (reader) => {
        reader?.leave();
        await watch.settle();
      },
    });
  }

  #request({ sql, params = [] }: Statement): TediousRequest {
    const { driver } = this.#setup;
    this.#turns.note(() => summarise(sql));
    const request = new driver.Request(sql, () => {});
    try {
      addParameters(driver, request, params);
    } catch (error) {
      throw statementError(error, this.#setup.source.name);
    }
    return request;
  }

  #abort(connection: MssqlConnection): Promise<void> {
    return this.#watched(connection, {}, () => connection.rollBack());
  }

  #transactional(
    connection: MssqlConnection,
    job: Pick<Job, 'kind' | 'isolation'> & { send(tedious: TediousConnection, done: Done): void },
    signal?: AbortSignal,
  ): Promise<void> {
    const complete = { ...job, text: '', timeoutMs: 0, send: job.send as Job['send'] };
    return this.#watched(connection, { signal }, () => this.#submit(connection, complete, () => undefined));
  }

  #submit<T>(connection: MssqlConnection, job: Omit<Job, 'deliver'>, result: () => T): Promise<T> {
    return promisedJob(job, (complete) => connection.submit(complete), result);
  }

  /** Runs `work`; afterwards the connection is ready for the next statement, or it is destroyed. */
  async #watched<T>(connection: MssqlConnection, options: StatementOptions, work: () => Promise<T>): Promise<T> {
    const watch = this.#watch(connection, options);
    try {
      return await watch.guard(work);
    } finally {
      await watch.settle();
    }
  }

  #watch(connection: MssqlConnection, { signal, timeoutMs }: StatementOptions): StatementWatch<MssqlConnection> {
    const { control, clock, source } = this.#setup;
    return new StatementWatch({
      control,
      connection,
      clock,
      connectionName: source.name,
      timeoutMs: timeoutMs ?? source.config.options.queryTimeoutMs,
      serverTimeoutMs: 0,
      signal,
    });
  }

  #error(code: ConstructorParameters<typeof DbManagerError>[0], message: string): DbManagerError {
    return new DbManagerError(code, message, { connectionName: this.#setup.source.name });
  }
}

type Done = (error?: Error | null) => void;

function howToSend({ params = [] }: Statement): 'execSql' | 'execSqlBatch' {
  return params.length === 0 ? 'execSqlBatch' : 'execSql';
}

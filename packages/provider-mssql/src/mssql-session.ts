import {
  type BeginOptions,
  CommitUnknownError,
  DbManagerError,
  type HeldTurn,
  type IsolationLevel,
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
import { statementError } from './errors.js';
import { type Job, promisedJob } from './job.js';
import type { MssqlConnection } from './mssql-connection.js';
import { howToSend, type MssqlStatements, spoiltError } from './mssql-statements.js';
import { RowReader } from './row-reader.js';
import { summarise } from './statement-text.js';
import type { TediousConnection, TediousDriver } from './tedious-driver.js';

const ISOLATION: Readonly<Record<IsolationLevel, keyof TediousDriver['ISOLATION_LEVEL']>> = {
  'read uncommitted': 'READ_UNCOMMITTED',
  'read committed': 'READ_COMMITTED',
  'repeatable read': 'REPEATABLE_READ',
  serializable: 'SERIALIZABLE',
  snapshot: 'SNAPSHOT',
};

/**
 * A session on one connection, borrowed at the first statement and kept until the session is released.
 */
export class MssqlSession implements SqlSession {
  readonly #source: LeaseSource<MssqlConnection>;
  readonly #statements: MssqlStatements;
  readonly #turns: SessionTurns<MssqlConnection>;
  /** Names of savepoints, as given here and as they are on the server: several users of a connection may use the same. */
  readonly #savepoints = new Map<string, string>();
  /** The connection of the lease, once it has been told that it is lent. */
  #lent: MssqlConnection | undefined;

  constructor(source: LeaseSource<MssqlConnection>, statements: MssqlStatements) {
    this.#source = source;
    this.#statements = statements;
    this.#turns = new SessionTurns(source);
  }

  get inTransaction(): boolean {
    return this.#turns.connection?.transaction.isOpen === true;
  }

  query(statement: Statement, options: StatementOptions = {}): Promise<StatementResult> {
    return this.#run(options.signal, (connection) => {
      this.#turns.note(() => summarise(statement.sql));
      return this.#statements.query(connection, this.#source, statement, options);
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
    const level = this.#statements.driver.ISOLATION_LEVEL[ISOLATION[isolation]];
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
        throw isInDoubt(error) ? new CommitUnknownError(this.#source.name, error) : error;
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
    this.#turns.release(error ?? (spoilt ? spoiltError(this.#source.name) : undefined));
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
    const watch = this.#statements.watch(connection, this.#source, options);
    this.#turns.note(() => summarise(statement.sql));
    return rowPortions({
      connectionName: this.#source.name,
      turn,
      watch,
      signal: options.signal,
      open: () => new RowReader(connection, howToSend(statement), this.#statements.request(statement)),
      // Also what was refused before it was sent.
      failed: (error) => statementError(error, this.#source.name),
      settle: async (reader) => {
        reader?.leave();
        await watch.settle();
      },
    });
  }

  #abort(connection: MssqlConnection): Promise<void> {
    return this.#statements.watch(connection, this.#source, {}).run(() => connection.rollBack());
  }

  #transactional(
    connection: MssqlConnection,
    job: Pick<Job, 'kind' | 'isolation'> & { send(tedious: TediousConnection, done: Done): void },
    signal?: AbortSignal,
  ): Promise<void> {
    const complete = { ...job, text: '', timeoutMs: 0, send: job.send as Job['send'] };
    const watch = this.#statements.watch(connection, this.#source, { signal });
    return watch.run(() =>
      promisedJob(
        complete,
        (job) => connection.submit(job),
        () => undefined,
      ),
    );
  }

  #error(code: ConstructorParameters<typeof DbManagerError>[0], message: string): DbManagerError {
    return new DbManagerError(code, message, { connectionName: this.#source.name });
  }
}

type Done = (error?: Error | null) => void;

/** Of a COMMIT that was stopped for taking too long, and died of it, since nobody answered that either. */
function isInDoubt(error: unknown): boolean {
  return isDbManagerError(error, 'DBM_QUERY_TIMEOUT') && isDbManagerError(error.cause, 'DBM_COMMIT_UNKNOWN');
}

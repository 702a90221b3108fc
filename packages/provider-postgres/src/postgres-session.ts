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
import { isOutcomeUnknown, lostError, READ_ONLY, sqlState } from './errors.js';
import { isGone, isReady, type PgClient } from './pg-driver.js';
import { hasFailed, isInTransaction, type PgQueryResult, type PostgresStatements } from './postgres-statements.js';
import { quoteIdentifier } from './postgres-target.js';
import { RowReader } from './row-reader.js';
import { summarise } from './statement-summary.js';
import { statementTimeout } from './statement-timeout.js';

/** A session on one backend, borrowed at the first statement and kept until the session is released. */
export class PostgresSession implements SqlSession {
  readonly #source: LeaseSource<PgClient>;
  readonly #statements: PostgresStatements;
  readonly #turns: SessionTurns<PgClient>;
  #readOnly = false;
  /** The refusal of a write in a transaction that was begun read-only: it says nothing of the server. */
  #ownRefusal: unknown;

  constructor(source: LeaseSource<PgClient>, statements: PostgresStatements) {
    this.#source = source;
    this.#statements = statements;
    this.#turns = new SessionTurns(source);
  }

  get inTransaction(): boolean {
    const { connection } = this.#turns;
    return connection !== undefined && isInTransaction(connection);
  }

  query(statement: Statement, options: StatementOptions = {}): Promise<StatementResult> {
    return this.#turns.run(options.signal, (client) => {
      this.#turns.note(() => summarise(statement.sql));
      return this.#remembering(this.#statements.query(client, this.#source, statement, options));
    });
  }

  async *stream(statement: Statement, options: StatementOptions = {}): AsyncGenerator<Row, void> {
    // Its consumer may take its time: only the waits for the server are limited, and those by ourselves.
    const turn = await this.#turns.hold(options.signal, (client, work) =>
      this.#portioned(client, () => this.#statements.limited(client, this.#source, 0, work)),
    );
    try {
      yield* this.#read(turn, statement, options);
    } finally {
      await turn.end();
    }
  }

  async begin(options: BeginOptions = {}): Promise<void> {
    const { kind, serverTimeoutMs } = this.#statements;
    if (options.deferrable && !kind.deferrable) {
      throw new DbManagerError('DBM_UNSUPPORTED', 'this database has no deferrable transactions', {
        connectionName: this.#source.name,
      });
    }
    const words = ['BEGIN'];
    if (options.isolation !== undefined) words.push(`ISOLATION LEVEL ${options.isolation.toUpperCase()}`);
    if (options.readOnly !== undefined) words.push(options.readOnly ? 'READ ONLY' : 'READ WRITE');
    if (kind.deferrable && options.deferrable !== undefined) {
      words.push(options.deferrable ? 'DEFERRABLE' : 'NOT DEFERRABLE');
    }
    // In one text, for one round trip.
    if (kind.pooled && serverTimeoutMs > 0)
      words.push(`; SET LOCAL statement_timeout = ${statementTimeout(serverTimeoutMs)}`);
    await this.#command(words.join(' '), options.signal);
    this.#readOnly = options.readOnly ?? false;
  }

  async commit(): Promise<void> {
    const { name } = this.#source;
    const command = await this.#turns.run(undefined, async (client) => {
      // Not sent, so not in doubt.
      if (isGone(client)) throw lostError('before COMMIT', name);
      try {
        return (await this.#run(client, 'COMMIT')).command;
      } catch (error) {
        // The server may say that it goes before the socket does.
        const lost = isGone(client) || isDbManagerError(error, 'DBM_CONNECTION_LOST');
        throw lost || isOutcomeUnknown(error) ? new CommitUnknownError(name, error) : error;
      }
    });
    // PostgreSQL answers COMMIT in an aborted transaction by rolling back, without an error.
    if (command === 'ROLLBACK') {
      throw new DbManagerError(
        'DBM_TRANSACTION_ABORTED',
        'nothing was committed: a statement of the transaction had failed, so the server rolled it back',
        { connectionName: name },
      );
    }
  }

  async rollback(): Promise<void> {
    await this.#turns.run(undefined, async (client) => {
      // After a COMMIT that failed there is nothing left; PostgreSQL would warn of it, CockroachDB refuse.
      if (this.inTransaction || !isReady(client)) await this.#run(client, 'ROLLBACK');
    });
  }

  savepoint(name: string): Promise<void> {
    return this.#command(`SAVEPOINT ${quoteIdentifier(name)}`);
  }

  rollbackTo(name: string): Promise<void> {
    return this.#command(`ROLLBACK TO SAVEPOINT ${quoteIdentifier(name)}`);
  }

  releaseSavepoint(name: string): Promise<void> {
    return this.#command(`RELEASE SAVEPOINT ${quoteIdentifier(name)}`);
  }

  release(error?: unknown): void {
    this.#turns.release(error === this.#ownRefusal ? undefined : error);
  }

  async #command(sql: string, signal?: AbortSignal): Promise<void> {
    await this.#turns.run(signal, (client) => this.#run(client, sql, signal));
  }

  /** A statement that is ours rather than a user's. */
  #run(client: PgClient, sql: string, signal?: AbortSignal): Promise<PgQueryResult> {
    this.#turns.note(() => sql);
    return this.#remembering(this.#statements.run(client, this.#source, { sql }, { signal }));
  }

  #read(turn: HeldTurn<PgClient>, statement: Statement, options: StatementOptions): AsyncGenerator<Row, void> {
    const client = turn.connection;
    const watch = this.#statements.watch(client, this.#source, options);
    this.#turns.note(() => summarise(statement.sql));
    return rowPortions({
      connectionName: this.#source.name,
      turn,
      watch,
      signal: options.signal,
      open: () => {
        const reader = new RowReader(this.#statements.driver, statement.sql, statement.params, options.onColumns);
        client.query(reader as never);
        return reader;
      },
      failed: (error) => this.#remember(error),
      settle: async (reader) => {
        reader?.close();
        await watch.settle();
      },
    });
  }

  /** Runs `work`, which reads in portions, where the server allows that. */
  async #portioned(client: PgClient, work: () => Promise<void>): Promise<void> {
    if (!this.#statements.kind.portionsNeedTransaction || this.inTransaction) return work();
    await this.#upkeep(client, 'BEGIN');
    try {
      await work();
    } finally {
      if (!isGone(client)) await this.#upkeep(client, hasFailed(client) ? 'ROLLBACK' : 'COMMIT');
    }
  }

  #upkeep(client: PgClient, sql: string): Promise<unknown> {
    return this.#statements.upkeep(client, this.#source, sql);
  }

  /** Costs a promise only where there may be something to remember. */
  #remembering<T>(work: Promise<T>): Promise<T> {
    if (!this.#readOnly) return work;
    return work.catch((error: unknown) => {
      throw this.#remember(error);
    });
  }

  #remember(error: unknown): unknown {
    if (this.#readOnly && this.inTransaction && sqlState(error) === READ_ONLY) this.#ownRefusal = error;
    return error;
  }
}

import {
  type BeginOptions,
  type Clock,
  CommitUnknownError,
  DbManagerError,
  type HeldTurn,
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
  unobserved,
} from '@dbmanager/core';
import { longerLimit, rowPortions } from '@dbmanager/provider-server';
import { isOutcomeUnknown, lostError, READ_ONLY, sqlState } from './errors.js';
import { destroySocket, isGone, isReady, type PgClient, type PgDriver } from './pg-driver.js';
import { quoteIdentifier } from './postgres-target.js';
import type { PreparedStatements } from './prepared-statements.js';
import { RowReader } from './row-reader.js';
import type { ServerKind } from './server-kind.js';
import { statementControl } from './statement-control.js';
import { summarise } from './statement-summary.js';

/** What the server says of a prepared statement that is of no use any more. */
const STALE = new Set([
  '0A000', // feature_not_supported: its result has other columns than when it was prepared
  '26000', // invalid_sql_statement_name: it has gone, as after DISCARD ALL
]);

/** What a {@link PostgresSession} is made of. */
export interface PostgresSessionSetup {
  readonly driver: PgDriver;
  readonly source: LeaseSource<PgClient>;
  readonly clock: Clock;
  /** `statement_timeout` of the connections, or where those are pooled of the transactions; 0 when they have none. */
  readonly serverTimeoutMs: number;
  readonly kind: ServerKind;
  /** Left out: no statement is kept prepared. */
  readonly prepared?: PreparedStatements | undefined;
}

/** What pg gives for one command. */
interface PgQueryResult {
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: Row[];
}

/** A session on one backend, borrowed at the first statement and kept until the session is released. */
export class PostgresSession implements SqlSession {
  readonly #setup: PostgresSessionSetup;
  readonly #control: StatementControl<PgClient>;
  readonly #turns: SessionTurns<PgClient>;
  #readOnly = false;
  /** The refusal of a write in a transaction that was begun read-only: it says nothing of the server. */
  #ownRefusal: unknown;

  constructor(setup: PostgresSessionSetup) {
    this.#setup = setup;
    this.#control = statementControl(setup.driver);
    this.#turns = new SessionTurns(setup.source);
  }

  get inTransaction(): boolean {
    return ['T', 'E'].includes(this.#turns.connection?.getTransactionStatus() ?? 'I');
  }

  query(statement: Statement, options: StatementOptions = {}): Promise<StatementResult> {
    return this.#turns.run(options.signal, async (client) => {
      const limitMs = longerLimit(options, this.#serverTimeoutMs);
      const run = () => this.#run(client, statement, options);
      const { rows, rowCount } = await (limitMs === undefined ? run() : this.#limited(client, limitMs, run));
      const result = { rowsAffected: rowCount ?? 0, lastInsertId: undefined };
      return options.byPosition ? { ...result, rows: [], values: rows as unknown as unknown[][] } : { ...result, rows };
    });
  }

  async *stream(statement: Statement, options: StatementOptions = {}): AsyncGenerator<Row, void> {
    // Its consumer may take its time: only the waits for the server are limited, and those by ourselves.
    const turn = await this.#turns.hold(options.signal, (client, work) =>
      this.#portioned(client, () => this.#limited(client, 0, work)),
    );
    try {
      yield* this.#read(turn, statement, options);
    } finally {
      await turn.end();
    }
  }

  async begin(options: BeginOptions = {}): Promise<void> {
    const { kind, serverTimeoutMs, source } = this.#setup;
    if (options.deferrable && !kind.deferrable) {
      throw new DbManagerError('DBM_UNSUPPORTED', 'this database has no deferrable transactions', {
        connectionName: source.name,
      });
    }
    const words = ['BEGIN'];
    if (options.isolation !== undefined) words.push(`ISOLATION LEVEL ${options.isolation.toUpperCase()}`);
    if (options.readOnly !== undefined) words.push(options.readOnly ? 'READ ONLY' : 'READ WRITE');
    if (kind.deferrable && options.deferrable !== undefined) {
      words.push(options.deferrable ? 'DEFERRABLE' : 'NOT DEFERRABLE');
    }
    // In one text, for one round trip.
    if (kind.pooled && serverTimeoutMs > 0) words.push(`; SET LOCAL statement_timeout = ${Math.ceil(serverTimeoutMs)}`);
    await this.#command(words.join(' '), options.signal);
    this.#readOnly = options.readOnly ?? false;
  }

  async commit(): Promise<void> {
    const { name } = this.#setup.source;
    const command = await this.#turns.run(undefined, async (client) => {
      // Not sent, so not in doubt.
      if (isGone(client)) throw lostError('before COMMIT', name);
      try {
        return (await this.#run(client, { sql: 'COMMIT' }, {})).command;
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
      if (this.inTransaction || !isReady(client)) await this.#run(client, { sql: 'ROLLBACK' }, {});
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
    await this.#turns.run(signal, (client) => this.#run(client, { sql }, { signal }));
  }

  /** One statement; afterwards the connection is ready for the next, or destroyed. */
  #run(client: PgClient, statement: Statement, options: StatementOptions): Promise<PgQueryResult> {
    const { prepared } = this.#setup;
    if (options.prepared === true && prepared !== undefined) {
      return this.#runPrepared(client, statement, options, prepared);
    }
    return this.#send(client, statement, options);
  }

  /** One that the server keeps parsed; it is parsed again when what it was parsed for has changed, or it has gone. */
  async #runPrepared(client: PgClient, statement: Statement, options: StatementOptions, prepared: PreparedStatements) {
    const { sql } = statement;
    const wasKept = prepared.has(client, sql);
    try {
      return await this.#send(client, statement, options, prepared.name(client, sql));
    } catch (error) {
      if (!isStale(error)) throw error;
      prepared.forgetOn(client, sql);
      // The server has done nothing, but it has aborted the transaction for it.
      if (!wasKept || sqlState(error) === '' || this.inTransaction) throw error;
      return this.#send(client, statement, options, prepared.name(client, sql));
    }
  }

  async #send(client: PgClient, { sql, params }: Statement, options: StatementOptions, name?: string) {
    const watch = this.#watch(client, options);
    this.#turns.note(() => summarise(sql));
    this.#setup.prepared?.free(client);
    try {
      // pg's types know of no query that is sometimes a text.
      const query = queryOf(sql, name, options) as string;
      const result = await watch.guard(() => client.query(query, params?.slice()));
      // Several commands in one text give a result each.
      return (Array.isArray(result) ? result.at(-1) : result) as PgQueryResult;
    } catch (error) {
      throw this.#remember(error);
    } finally {
      if (!watch.settled) await watch.settle();
    }
  }

  #read(turn: HeldTurn<PgClient>, statement: Statement, options: StatementOptions): AsyncGenerator<Row, void> {
    const client = turn.connection;
    const watch = this.#watch(client, options);
    this.#turns.note(() => summarise(statement.sql));
    return rowPortions({
      connectionName: this.#setup.source.name,
      turn,
      watch,
      signal: options.signal,
      open: () => {
        const reader = new RowReader(this.#setup.driver, statement.sql, statement.params, options.onColumns);
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

  #watch(client: PgClient, { signal, timeoutMs }: StatementOptions): StatementWatch<PgClient> {
    const { clock, source } = this.#setup;
    return new StatementWatch({
      control: this.#control,
      connection: client,
      clock,
      connectionName: source.name,
      timeoutMs: timeoutMs ?? source.config.options.queryTimeoutMs,
      serverTimeoutMs: this.#serverTimeoutMs,
      signal,
    });
  }

  /** The limit that the server has for the next statement. */
  get #serverTimeoutMs(): number {
    const { kind, serverTimeoutMs } = this.#setup;
    return kind.pooled && !this.inTransaction ? 0 : serverTimeoutMs;
  }

  /** Runs `work`, which reads in portions, where the server allows that. */
  async #portioned(client: PgClient, work: () => Promise<void>): Promise<void> {
    if (!this.#setup.kind.portionsNeedTransaction || this.inTransaction) return work();
    await this.#upkeep(client, 'BEGIN');
    try {
      await work();
    } finally {
      if (!isGone(client)) await this.#upkeep(client, hasFailed(client) ? 'ROLLBACK' : 'COMMIT');
    }
  }

  /** Runs `work` under another limit of the server than the connection's own; undefined leaves that as it is. */
  async #limited<T>(client: PgClient, limitMs: number | undefined, work: () => Promise<T>): Promise<T> {
    const ownMs = this.#serverTimeoutMs;
    if (limitMs === undefined || ownMs === 0) return work();
    // In a transaction it is that one's, and goes with it.
    const set = this.inTransaction ? 'SET LOCAL' : 'SET';
    await this.#upkeep(client, `${set} statement_timeout = ${Math.ceil(limitMs)}`);
    try {
      return await work();
    } finally {
      // In an aborted transaction it is refused, and not needed: the SET is rolled back with the rest.
      if (!isGone(client) && !hasFailed(client)) {
        await this.#upkeep(client, `${set} statement_timeout = ${Math.ceil(ownMs)}`).catch(() => destroySocket(client));
      }
    }
  }

  /** A statement of ours, which no user has asked for. */
  #upkeep(client: PgClient, sql: string): Promise<unknown> {
    return unobserved(() => this.#run(client, { sql }, {}));
  }

  #remember(error: unknown): unknown {
    if (this.#readOnly && this.inTransaction && sqlState(error) === READ_ONLY) this.#ownRefusal = error;
    return error;
  }
}

/** As pg takes it: an object costs it a copy, property by property. */
function queryOf(text: string, name: string | undefined, { byPosition }: StatementOptions): string | object {
  if (byPosition !== true && name === undefined) return text;
  return { text, ...(name !== undefined && { name }), ...(byPosition && { rowMode: 'array' }) };
}

/** True when a prepared statement must not be used again. pg closes one that it was given a value for which it cannot send. */
function isStale(error: unknown): boolean {
  if (!isDbManagerError(error, 'DBM_QUERY_FAILED')) return false;
  const state = sqlState(error);
  return state === '' || STALE.has(state);
}

/** True in a transaction that a failed statement has aborted. */
function hasFailed(client: PgClient): boolean {
  return client.getTransactionStatus() === 'E';
}

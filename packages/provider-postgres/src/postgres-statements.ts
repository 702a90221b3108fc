import {
  type Clock,
  isDbManagerError,
  type LeaseSource,
  type Row,
  type Statement,
  type StatementOptions,
  type StatementResult,
  unobserved,
} from '@dbmanager/core';
import { ServerStatements } from '@dbmanager/provider-server';
import { sqlState } from './errors.js';
import { destroySocket, isGone, type PgClient, type PgDriver } from './pg-driver.js';
import type { PreparedStatements } from './prepared-statements.js';
import type { ServerKind } from './server-kind.js';
import { statementControl } from './statement-control.js';
import { summarise } from './statement-summary.js';
import { statementTimeout } from './statement-timeout.js';

/** What the server says of a prepared statement that is of no use any more. */
const STALE = new Set([
  '0A000', // feature_not_supported: its result has other columns than when it was prepared
  '26000', // invalid_sql_statement_name: it has gone, as after DISCARD ALL
]);

/** What {@link PostgresStatements} is made of. */
export interface PostgresStatementsSetup {
  readonly driver: PgDriver;
  readonly clock: Clock;
  /** `statement_timeout` of the connections, or where those are pooled of the transactions; 0 when they have none. */
  readonly serverTimeoutMs: number;
  readonly kind: ServerKind;
  /** Left out: no statement is kept prepared. */
  readonly prepared?: PreparedStatements | undefined;
}

/** What pg gives for one command. */
export interface PgQueryResult {
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: Row[];
}

type Callback = (error: unknown, result: PgQueryResult | PgQueryResult[]) => void;

type Source = LeaseSource<PgClient>;

/** The statements of one engine. */
export class PostgresStatements extends ServerStatements<PgClient, PgQueryResult> {
  readonly driver: PgDriver;
  readonly kind: ServerKind;
  /** That of the connections, whatever a statement asks for. */
  readonly serverTimeoutMs: number;
  readonly #prepared: PreparedStatements | undefined;

  constructor({ driver, clock, kind, serverTimeoutMs, prepared }: PostgresStatementsSetup) {
    super({ clock, control: statementControl(driver), summarise });
    this.driver = driver;
    this.kind = kind;
    this.serverTimeoutMs = serverTimeoutMs;
    this.#prepared = prepared;
  }

  override run(client: PgClient, source: Source, statement: Statement, options: StatementOptions) {
    const running = super.run(client, source, statement, options);
    const prepared = options.prepared ? this.#prepared : undefined;
    if (prepared === undefined) return running;
    return running.catch((error: unknown) => {
      if (!isStale(error)) throw error;
      const { sql } = statement;
      const mayBeParsedAgain = prepared.hadBeenSent(client, sql);
      prepared.forgetOn(client, sql);
      // The server has done nothing, but it has aborted the transaction for it.
      if (!mayBeParsedAgain || sqlState(error) === '' || isInTransaction(client)) throw error;
      return super.run(client, source, statement, options);
    });
  }

  protected send(client: PgClient, { sql, params }: Statement, options: StatementOptions): Promise<PgQueryResult> {
    this.#prepared?.free(client);
    const name = options.prepared ? this.#prepared?.name(client, sql) : undefined;
    return answerOf(client, queryOf(sql, name, options), params?.slice());
  }

  protected resultOf({ rows, rowCount }: PgQueryResult, { byPosition }: StatementOptions): StatementResult {
    const result = { rowsAffected: rowCount ?? 0, lastInsertId: undefined };
    return byPosition ? { ...result, rows: [], values: rows as unknown as unknown[][] } : { ...result, rows };
  }

  override async limited<T>(client: PgClient, source: Source, limitMs: number, work: () => Promise<T>): Promise<T> {
    const ownMs = this.limitOf(client);
    if (ownMs === 0) return work();
    // In a transaction it is that one's, and goes with it.
    const set = isInTransaction(client) ? 'SET LOCAL' : 'SET';
    await this.upkeep(client, source, `${set} statement_timeout = ${statementTimeout(limitMs)}`);
    try {
      return await work();
    } finally {
      // In an aborted transaction it is refused, and not needed: the SET is rolled back with the rest.
      if (!isGone(client) && !hasFailed(client)) {
        const restored = this.upkeep(client, source, `${set} statement_timeout = ${statementTimeout(ownMs)}`);
        await restored.catch(() => destroySocket(client));
      }
    }
  }

  /** A statement of ours, which no user has asked for. */
  upkeep(client: PgClient, source: Source, sql: string): Promise<unknown> {
    return unobserved(() => this.run(client, source, { sql }, {}));
  }

  protected override limitOf(client: PgClient): number {
    return this.kind.pooled && !isInTransaction(client) ? 0 : this.serverTimeoutMs;
  }
}

/** The client has an open transaction, which may have been aborted. */
export function isInTransaction(client: PgClient): boolean {
  const status = client.getTransactionStatus();
  return status === 'T' || status === 'E';
}

/** It is in a transaction that a failed statement has aborted. */
export function hasFailed(client: PgClient): boolean {
  return client.getTransactionStatus() === 'E';
}

/** By its callback: pg's own promise is two, for the sake of a stack that ours has anyway. */
function answerOf(client: PgClient, query: string | object, values: unknown[] | undefined): Promise<PgQueryResult> {
  return new Promise((resolve, reject) => {
    // Several commands in one text give a result each.
    const done: Callback = (error, result) =>
      error ? reject(error) : resolve(Array.isArray(result) ? (result.at(-1) as PgQueryResult) : result);
    // One of pg's overloads: it looks at the arguments itself.
    (client.query as (...args: unknown[]) => unknown)(query, values, done);
  });
}

/** As pg takes it: an object costs it a copy, property by property. */
function queryOf(text: string, name: string | undefined, { byPosition }: StatementOptions): string | object {
  if (byPosition) return name === undefined ? { text, rowMode: 'array' } : { text, name, rowMode: 'array' };
  return name === undefined ? text : { text, name };
}

/** True when a prepared statement must not be used again. pg closes one that it was given a value for which it cannot send. */
function isStale(error: unknown): boolean {
  if (!isDbManagerError(error, 'DBM_QUERY_FAILED')) return false;
  const state = sqlState(error);
  return state === '' || STALE.has(state);
}

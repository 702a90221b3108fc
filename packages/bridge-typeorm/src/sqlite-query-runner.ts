import { Readable } from 'node:stream';
import {
  type BridgeTarget,
  isDbManagerError,
  type Row,
  type StatementResult,
  type TransactionTarget,
} from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { QueryResult } from 'typeorm';
import { commitGuard } from './commit-guard.js';
import { OpenStreams, onLeftEarly } from './open-streams.js';
import type { PooledQueryRunner, QueryRunnerClass } from './query-runner.js';
import { SqliteCheckout, type Statements } from './sqlite-checkout.js';
import { loadTypeormPart, type TypeormModule } from './typeorm-module.js';

/** TypeORM's own query runner, with the inner members that are used here. */
interface BetterSqlite3QueryRunner extends PooledQueryRunner {
  splitTablePath(path: string): [schema: string | undefined, table: string];
  loadPragmaRecords(tablePath: string, pragma: string): Promise<unknown>;
}

type Base = new (...args: ConstructorParameters<QueryRunnerClass>) => BetterSqlite3QueryRunner;

/** What the query runners of one data source have in common. */
export interface SqliteRunnerSetup {
  readonly typeorm: TypeormModule;
  readonly target: BridgeTarget;
  /** Those that have borrowed. */
  readonly connected: Set<PooledQueryRunner>;
  /** Throws when the data source is not initialised. */
  assertAttached(): void;
}

/** TypeORM's SQLite query runner over the shared pool: one for each use, where TypeORM alone has one for all. */
export function sqliteQueryRunner({ typeorm, target, connected, assertAttached }: SqliteRunnerSetup): QueryRunnerClass {
  const { NamedPlaceholdersNotSupportedError, QueryFailedError, QueryResult, QueryRunnerAlreadyReleasedError } =
    typeorm;
  const { BetterSqlite3QueryRunner } = loadTypeormPart<{ readonly BetterSqlite3QueryRunner: Base }>(
    'driver/better-sqlite3/BetterSqlite3QueryRunner',
    target.name,
  );

  class PooledSqliteQueryRunner extends BetterSqlite3QueryRunner {
    readonly #streams = new OpenStreams();
    #statements: Statements | undefined;

    override attach(tx: TransactionTarget): void {
      const { session } = tx;
      this.#statements = {
        query: (statement) => session.query(statement),
        stream: (statement) => session.stream(statement),
        async release() {},
      };
    }

    /** Borrows nothing yet: the statements decide whether it is a reader or the writer. */
    override async connect(): Promise<void> {
      this.#connected();
    }

    override async release(): Promise<void> {
      if (this.isReleased) return;
      await super.release();
      this.isReleased = true;
      connected.delete(this);
      await this.#statements?.release();
    }

    override async startTransaction(...args: Parameters<PooledQueryRunner['startTransaction']>): Promise<void> {
      try {
        await super.startTransaction(...args);
      } catch (error) {
        // TypeORM would send a ROLLBACK, which would wait for the writer that BEGIN has waited for in vain.
        if (this.transactionDepth === 0) this.isTransactionActive = false;
        throw error;
      }
    }

    override async query(sql: string, parameters: unknown = [], structured = false): Promise<never> {
      if (this.isReleased) throw new QueryRunnerAlreadyReleasedError();
      const params = positional(parameters, NamedPlaceholdersNotSupportedError);
      const statements = this.#connected();
      const { logger } = this.dataSource;
      logger.logQuery(sql, params, this);
      await this.broadcaster.broadcast('BeforeQuery', sql, params);
      await this.#streams.left();
      const start = performance.now();
      let result: QueryResult;
      try {
        result = this.#toResult(await statements.query({ sql, params }));
      } catch (error) {
        const cause = driverError(error);
        logger.logQueryError(cause, sql, params, this);
        await this.broadcaster.broadcast('AfterQuery', sql, params, false, undefined, undefined, cause);
        throw isDbManagerError(cause) ? cause : new QueryFailedError(sql, params, cause);
      }
      const took = performance.now() - start;
      const { maxQueryExecutionTime } = this.dataSource.options;
      if (maxQueryExecutionTime && took > maxQueryExecutionTime) logger.logQuerySlow(took, sql, params, this);
      await this.broadcaster.broadcast('AfterQuery', sql, params, true, took, result.raw, undefined);
      return (structured ? result : result.raw) as never;
    }

    /** TypeORM alone has none on SQLite. */
    override async stream(
      ...[sql, parameters = [], onEnd, onError]: Parameters<PooledQueryRunner['stream']>
    ): ReturnType<PooledQueryRunner['stream']> {
      if (this.isReleased) throw new QueryRunnerAlreadyReleasedError();
      const params = positional(parameters, NamedPlaceholdersNotSupportedError);
      this.dataSource.logger.logQuery(sql, params, this);
      await this.#streams.left();
      const stream = Readable.from(withDriverErrors(this.#connected().stream({ sql, params })));
      if (onEnd !== undefined) stream.on('end', () => onEnd());
      if (onError !== undefined) stream.on('error', (error) => onError(error));
      onLeftEarly(stream, onEnd);
      this.#streams.add(stream);
      return stream as unknown as Awaited<ReturnType<PooledQueryRunner['stream']>>;
    }

    override async beforeMigration(): Promise<void> {
      await this.query('PRAGMA foreign_keys = OFF');
    }

    override async afterMigration(): Promise<void> {
      await this.query('PRAGMA foreign_keys = ON');
    }

    override loadPragmaRecords(tablePath: string, pragma: string): Promise<unknown> {
      const [, table] = this.splitTablePath(tablePath);
      return this.query(`PRAGMA ${pragma}("${table}")`);
    }

    #connected(): Statements {
      if (this.#statements === undefined) {
        assertAttached();
        this.#statements = new SqliteCheckout(target);
        connected.add(this);
      }
      return this.#statements;
    }

    #toResult({ rows, rowsAffected, lastInsertId }: StatementResult): QueryResult {
      const result = new QueryResult();
      if (lastInsertId === undefined) return Object.assign(result, { raw: rows, records: rows });
      return Object.assign(result, { raw: lastInsertId, affected: rowsAffected });
    }
  }
  Object.defineProperty(PooledSqliteQueryRunner, 'name', { value: BetterSqlite3QueryRunner.name });
  return commitGuard(PooledSqliteQueryRunner, target.name);
}

function positional(parameters: unknown, NamedPlaceholders: new () => Error): unknown[] {
  if (!Array.isArray(parameters)) throw new NamedPlaceholders();
  return parameters;
}

/** Errors of statements are the driver's own in TypeORM; those of getting a connection are ours. */
function driverError(error: unknown): Error {
  const ofStatement = isDbManagerError(error, 'DBM_QUERY_FAILED') || isDbManagerError(error, 'DBM_READ_ONLY');
  return (ofStatement && error.cause !== undefined ? error.cause : error) as Error;
}

async function* withDriverErrors(rows: AsyncIterable<Row>): AsyncGenerator<Row> {
  try {
    yield* rows;
  } catch (error) {
    throw driverError(error);
  }
}

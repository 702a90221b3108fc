import { isDbManagerError, type SqlSession } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { CompiledQuery, QueryResult } from 'kysely';
import { portions } from './portions.js';
import type { Statements } from './statements.js';

/** Statements by way of a session, for an engine whose driver has nothing of its own to offer Kysely. */
export class SessionStatements implements Statements {
  readonly #session: SqlSession;

  constructor(session: SqlSession) {
    this.#session = session;
  }

  async execute({ sql, parameters }: CompiledQuery): Promise<QueryResult<unknown>> {
    const { rows, rowsAffected, lastInsertId } = await this.#session
      .query({ sql, params: parameters })
      .catch(throwDriverError);
    if (lastInsertId === undefined) return { rows: [...rows] };
    return { rows: [], insertId: BigInt(lastInsertId), numAffectedRows: BigInt(rowsAffected) };
  }

  async *stream({ sql, parameters }: CompiledQuery, chunkSize: number): AsyncGenerator<QueryResult<unknown>, void> {
    try {
      yield* portions<unknown>(this.#session.stream({ sql, params: parameters }), chunkSize);
    } catch (error) {
      throwDriverError(error);
    }
  }
}

/** Errors of statements are the driver's own in Kysely; those of getting a connection are ours. */
function throwDriverError(error: unknown): never {
  const ofStatement = isDbManagerError(error, 'DBM_QUERY_FAILED') || isDbManagerError(error, 'DBM_READ_ONLY');
  throw ofStatement && error.cause !== undefined ? error.cause : error;
}

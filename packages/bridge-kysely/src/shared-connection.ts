import type { DbManagerError } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { CompiledQuery, DatabaseConnection, QueryResult, TransactionSettings } from 'kysely';
import type { Statements } from './statements.js';

/** How Kysely recognises, whichever copy of it, that a transaction needs no rollback any more. */
const KYSELY_ABORTED = Symbol.for('kysely.AbortedTransactionError');

/** What Kysely takes for its connection, made for one checkout: its statements, and the transaction it is in. */
export abstract class SharedConnection implements DatabaseConnection {
  /** Where its statements go now. */
  protected abstract readonly statements: Statements;

  executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    return this.statements.execute(query) as Promise<QueryResult<R>>;
  }

  streamQuery<R>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    return this.statements.stream(query, chunkSize) as AsyncGenerator<QueryResult<R>, void>;
  }

  abstract begin(settings: TransactionSettings): Promise<void>;
  abstract commit(): Promise<void>;
  abstract rollback(): Promise<void>;
  abstract savepoint(name: string): Promise<void>;
  abstract rollbackTo(name: string): Promise<void>;
  abstract releaseSavepoint(name: string): Promise<void>;
  /** Says that settings were left on it which the next borrower must not find. Does nothing where giving it back undoes them. */
  spoil(): void {}
  /** Gives the connection back; called once. */
  abstract release(): Promise<void>;
}

/** Marks the error of a COMMIT after which nothing is left to roll back, so that Kysely does not try. */
export function abortedForKysely(error: DbManagerError): DbManagerError {
  return Object.defineProperty(error, KYSELY_ABORTED, { value: true });
}

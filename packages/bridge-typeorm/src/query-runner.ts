import { isDbManagerError, type TransactionTarget } from '@dbmanager/core';
/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { DataSource, QueryRunner } from 'typeorm';

type Driver = DataSource['driver'];

/** A query runner of TypeORM on the shared pool, with the inner members that this package uses. */
export interface PooledQueryRunner extends QueryRunner {
  isReleased: boolean;
  isTransactionActive: boolean;
  transactionDepth: number;
  /** In TypeORM the result is anything: rows, an id, or a `QueryResult` when a structured one was asked for. */
  query(sql: string, parameters?: unknown, structured?: boolean): Promise<never>;
  /** From now on statements run in this transaction, or level of it, rather than on a connection of its own. */
  attach(tx: TransactionTarget): void;
}

/** The class of a data source's query runners. */
export type QueryRunnerClass = new (driver: Driver, mode: 'master' | 'slave') => PooledQueryRunner;

/** TypeORM puts errors of statements into one of its own. Errors of ours say more than that they came from a statement. */
export function withoutWrapper(error: unknown): unknown {
  const inner = driverErrorOf(error);
  return isDbManagerError(inner) ? inner : error;
}

/** The error inside one of TypeORM's; undefined when there is none. */
export function driverErrorOf(error: unknown): unknown {
  return error instanceof Error ? (error as { readonly driverError?: unknown }).driverError : undefined;
}

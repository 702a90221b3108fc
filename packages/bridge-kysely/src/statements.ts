/** @ts-ignore optional peer: any where it is not installed; a block comment, as only those reach the d.ts */
import type { CompiledQuery, QueryResult } from 'kysely';

/** Sends the statements of one connection. Errors are the driver's own, except those of waiting for a connection. */
export interface Statements {
  execute(query: CompiledQuery): Promise<QueryResult<unknown>>;
  /** Rows in portions of `chunkSize`, in bounded memory; ending the loop early frees what it held. */
  stream(query: CompiledQuery, chunkSize: number): AsyncGenerator<QueryResult<unknown>, void>;
}
